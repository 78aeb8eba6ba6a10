/** Patterns of OpenSSH: names and addresses. See PATTERNS in ssh_config(5). Pure. */
import { BlockList, isIP, isIPv6 } from 'node:net';

/** `name` against a pattern of ssh_config(5): `*` and `?`. */
export function matchesPattern(name: string, pattern: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(name);
}

/** What a list of patterns says of an address; `unknown` where it depends on a host name, which sshd may have looked up. */
export type Match = 'yes' | 'no' | 'unknown';

/** A list as `from=` in authorized_keys has it: patterns and networks with commas between them, a negated one denies. `address`: IPv4 or IPv6. */
export function addressMatches(address: string, list: string): Match {
  const parts = list.split(',').map((part) => part.trim());
  const told = parts.map((part) => ({ denies: part.startsWith('!'), match: matchesOne(address, part.replace(/^!/, '')) }));
  if (told.some(({ denies, match }) => denies && match === 'yes')) return 'no';
  if (told.some(({ denies, match }) => denies && match === 'unknown')) return 'unknown';
  const allowing = told.filter(({ denies }) => !denies).map(({ match }) => match);
  return allowing.find((match) => match === 'yes') ?? allowing.find((match) => match === 'unknown') ?? 'no';
}

function matchesOne(address: string, pattern: string): Match {
  const [base = '', bits] = pattern.split('/');
  const size = isIP(base);
  if (size !== 0) return inNetwork(address, base, Number(bits ?? (size === 6 ? 128 : 32))) ? 'yes' : 'no';
  if (matchesPattern(address.toLowerCase(), pattern.toLowerCase())) return 'yes';
  // Wildcards of an address: no host name is made of digits and dots alone.
  return /^[\d.*?]+$|^[\da-f:*?]*:[\da-f:*?]*$/i.test(pattern) ? 'no' : 'unknown';
}

function inNetwork(address: string, base: string, bits: number): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  const family = isIPv6(base) ? 'ipv6' : 'ipv4';
  if (isIP(mapped) === 0 || isIPv6(mapped) !== isIPv6(base) || !(bits >= 0 && bits <= (family === 'ipv6' ? 128 : 32))) return false;
  const network = new BlockList();
  network.addSubnet(base, bits, family);
  return network.check(mapped.replace(/%.*/, ''), family);
}

/** OpenSSH's patterns for names and addresses. See PATTERNS in ssh_config(5). Pure. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { matchesPattern } from '../../verdict/pattern.ts';

export { matchesPattern };

/**
 * Gives the indices of those of `patterns` that match one of some names, in order. Most patterns are plain names, which are looked up: thousands
 * of names and hundreds of patterns are compared in no time.
 */
export function matcherOf(patterns: readonly string[]): (names: readonly string[]) => number[] {
  const plain = new Map<string, number[]>();
  const wild: number[] = [];
  for (const [i, pattern] of patterns.entries()) {
    if (/[*?]/.test(pattern)) wild.push(i);
    else plain.set(pattern, [...(plain.get(pattern) ?? []), i]);
  }
  return (names) => {
    const found = new Set(names.flatMap((name) => plain.get(name) ?? []));
    for (const i of wild) if (names.some((name) => matchesPattern(name, patterns[i] ?? ''))) found.add(i);
    return [...found].toSorted((a, b) => a - b);
  };
}

/**
 * Whether a list of patterns matches an address; `unknown` where that depends on a host name or where sshd may read the list
 * differently.
 */
export type Match = 'yes' | 'no' | 'unknown';

/**
 * Matches `address` (IPv4 or IPv6) against a list of `from=` in authorized_keys: patterns and networks, separated by commas. A
 * negated one denies.
 */
export function addressMatches(address: string, list: string): Match {
  const parts = list.split(',').map((part) => ({ denies: part.startsWith('!'), match: matchesOne(address, part.replace(/^!/, '')) }));
  // sshd ignores the whole list where one part is malformed.
  if (parts.some(({ match }) => match === undefined) || (!isIPv4(address) && !isPlainIPv6(address))) return 'unknown';
  if (parts.some(({ denies, match }) => denies && match === 'yes')) return 'no';
  if (parts.some(({ denies, match }) => denies && match === 'unknown')) return 'unknown';
  const allowing = parts.filter(({ denies }) => !denies).map(({ match }) => match);
  return allowing.find((match) => match === 'yes') ?? allowing.find((match) => match === 'unknown') ?? 'no';
}

/** Undefined unless `pattern` is an address, a network whose host bits are zero, or a pattern of the characters of names and addresses. */
function matchesOne(address: string, pattern: string): Match | undefined {
  const [, base = '', bits] = /^([\d.]+|[\da-f:]+)(?:\/(0|[1-9]\d{0,2}))?$/i.exec(pattern) ?? [];
  if (isIPv4(base) || isPlainIPv6(base)) return inNetwork(address, base, bits);
  if (!/^[\w.*?:-]+$/.test(pattern)) return undefined;
  // A host name may match where the address does not.
  return matchesPattern(address.toLowerCase(), pattern.toLowerCase()) ? 'yes' : 'unknown';
}

/** Whether it is an IPv6 address without a zone, outside the range that also stands for IPv4 addresses. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && /^[\da-f:]+$/i.test(text) && (text === '::1' || text === '::' || /^[1-9a-f]/i.test(text));
}

function inNetwork(address: string, base: string, bits: string | undefined): Match | undefined {
  const family = isIPv6(base) ? 'ipv6' : 'ipv4';
  const size = family === 'ipv6' ? 128 : 32;
  const length = Number(bits ?? size);
  if (length > size || !hostBitsAreZero(base, family, length)) return undefined;
  const network = new BlockList();
  network.addSubnet(base, length, family);
  return isIPv6(address) === isIPv6(base) && network.check(address, family) ? 'yes' : 'no';
}

/** sshd treats a network with host bits as malformed. */
function hostBitsAreZero(base: string, family: 'ipv4' | 'ipv6', length: number): boolean {
  const bits = family === 'ipv4' ? bitsOf(base.split('.'), 10, 8) : bitsOf(groupsOf(base), 16, 16);
  return !bits.slice(length).includes('1');
}

function bitsOf(numbers: readonly string[], radix: number, width: number): string {
  return numbers.map((number) => parseInt(number, radix).toString(2).padStart(width, '0')).join('');
}

/** All eight groups of an IPv6 address. */
function groupsOf(address: string): string[] {
  const [head = [], tail = []] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => '0'), ...tail];
}

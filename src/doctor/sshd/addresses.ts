/** Picks addresses that a Match Address pattern treats differently from others, so that sshd can be asked about them. Pure. */
import { isIP, isIPv6 } from 'node:net';
import { addressMatches, matchesPattern } from '../../system/ssh/patterns.ts';

/**
 * For a network: its first address, and the first address after it. Membership in a network changes nowhere else, even with negated
 * patterns. For a pattern with wildcards: one address for each combination of patterns in `beside` (the patterns of all lists) that an
 * address of it is found to match. Empty if no such address is found.
 */
export function addressesOf(pattern: string, beside: readonly string[]): string[] {
  const edges = edgesOf(asNetwork(pattern));
  if (!/[*?]/.test(pattern)) return edges;
  const matched = (address: string): string => beside.map((each) => addressMatches(address, each) === 'yes').join();
  const found = new Map(edges.map((address) => [matched(address), address]));
  for (const address of meantBy(pattern)) if (!found.has(matched(address))) found.set(matched(address), address);
  return unique([...edges, ...found.values()]);
}

function edgesOf(network: string): string[] {
  const [base = '', bits] = network.split('/');
  if (isIP(base) === 0) return [];
  const size = isIPv6(base) ? 128 : 32;
  const after = numberOf(base) + (1n << BigInt(size - Number(bits ?? size)));
  return after >> BigInt(size) === 0n ? [base, addressFrom(after, size)] : [base];
}

/** `172.20.*` is 172.20.0.0/16. */
function asNetwork(pattern: string): string {
  const [, fixed] = /^((?:\d+\.){1,3})\*(?:\.\*)*$/.exec(pattern) ?? [];
  const parts = fixed?.split('.').filter((part) => part !== '') ?? [];
  return parts.length === 0 ? pattern : `${[...parts, '0', '0', '0'].slice(0, 4).join('.')}/${String(parts.length * 8)}`;
}

/** Numbers to try in place of a wildcard: each digit, and numbers of two and three digits. */
const NUMBERS = [1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 20, 30, 42, 50, 64, 77, 88, 99, 100, 101, 127, 150, 192, 200, 234, 250, 255];

/** Addresses that match the pattern, as sshd writes them: the wildcards are replaced by numbers, and missing parts are added. */
function meantBy(pattern: string): string[] {
  const texts = NUMBERS.flatMap((number) => [String(number), number.toString(16)]);
  const stars = unique(texts.flatMap((text) => [text, `${text}.${text}`, `${text}.${text}.${text}`]));
  const filled = stars.map((text) => pattern.replaceAll('*', text).replaceAll('?', text.charAt(0)));
  const whole = filled.flatMap((each) => [each, `${each}::1`, ...['.1', '.1.1', '.1.1.1'].map((rest) => each + rest)]);
  return unique(whole).filter((address) => isWritten(address) && matchesPattern(address, pattern));
}

/** Whether it is an address in the form in which sshd writes it. */
function isWritten(address: string): boolean {
  return isIP(address) !== 0 && (!isIPv6(address) || shortest(address) === address);
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

function numberOf(address: string): bigint {
  if (!isIPv6(address)) return address.split('.').reduce((number, part) => number * 256n + BigInt(part), 0n);
  const [head = [], tail = []] = shortest(address)
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''));
  const groups = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => '0'), ...tail];
  return BigInt(`0x${groups.map((group) => group.padStart(4, '0')).join('')}`);
}

function addressFrom(number: bigint, size: 32 | 128): string {
  if (size === 32) return [24n, 16n, 8n, 0n].map((shift) => String((number >> shift) & 255n)).join('.');
  const digits = number.toString(16).padStart(32, '0');
  return shortest(digits.replaceAll(/.{4}(?!$)/g, '$&:'));
}

/** The shortest form of RFC 5952, without a zone, which `sshd -T` does not understand. */
function shortest(address: string): string {
  return new URL(`http://[${address.replace(/%.*/, '')}]`).hostname.slice(1, -1);
}

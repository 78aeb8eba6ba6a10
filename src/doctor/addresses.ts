/** The addresses that a pattern of Match Address tells from others, so that sshd can be asked about them. Pure. */
import { isIP, isIPv6 } from 'node:net';
import { matchesPattern } from '../system/ssh-patterns.ts';

/**
 * Of a network where it begins and where the one after it begins: going through all addresses, whether one is in some
 * network changes nowhere else, whatever is negated. Of another wildcard one that it means. Empty where none can be told.
 */
export function addressesOf(pattern: string): string[] {
  const [base = '', bits] = asNetwork(pattern).split('/');
  if (isIP(base) === 0) return bits === undefined && /[*?]/.test(base) ? meantBy(base) : [];
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

/** Digits for the wildcards, and what is missing of an address. */
function meantBy(pattern: string): string[] {
  const filled = pattern.replaceAll(/[*?]/g, '1');
  const whole = [filled, `${filled}::1`, ...['.1', '.1.1', '.1.1.1'].map((rest) => filled + rest)];
  return whole.filter((address) => isIP(address) !== 0 && matchesPattern(address, pattern)).slice(0, 1);
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

/** RFC 5952, without a zone, which `sshd -T` does not know. */
function shortest(address: string): string {
  return new URL(`http://[${address.replace(/%.*/, '')}]`).hostname.slice(1, -1);
}

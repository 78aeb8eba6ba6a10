/** IP addresses and networks (CIDR, RFC 4632 and RFC 4291). An IPv4 address in IPv6 (`::ffff:192.0.2.7`) is that IPv4 address. Pure. */

/** A network contains the addresses of its size that begin with its bits. */
interface Network {
  /** How many bits an address has: 32 or 128. */
  readonly size: number;
  /** As text of 0 and 1. */
  readonly bits: string;
}

const MAPPED = '0'.repeat(80) + '1'.repeat(16);

/** Whether `text` is an address, and not a name. A zone (`fe80::1%eth0`) is allowed, and says nothing about the address. */
export function isAddress(text: string): boolean {
  return addressOf(text) !== undefined;
}

/** Whether `address` is in `network`, an address or a network. False where one of the two is malformed. */
export function isInNetwork(address: string, network: string): boolean {
  return contains(networkOf(network), addressOf(address));
}

/** Whether `outer` contains all of `inner`, both networks. False where one of the two is malformed. */
export function isWithin(inner: string, outer: string): boolean {
  return contains(networkOf(outer), networkOf(inner));
}

/** What is wrong with `text` as a network; undefined where nothing is. */
export function networkProblem(text: string): string | undefined {
  const network = networkOf(text);
  return typeof network === 'string' ? network : undefined;
}

function contains(outer: Network | string, inner: Network | string | undefined): boolean {
  return typeof outer === 'object' && typeof inner === 'object' && outer.size === inner.size && inner.bits.startsWith(outer.bits);
}

/** Undefined where `text` is no address. */
function addressOf(text: string): Network | undefined {
  const whole = bitsOf(text.replace(/%.*/s, ''));
  return whole === undefined ? undefined : unmapped(whole, whole.length);
}

/**
 * The network, or what is wrong with `text`. The bits after its length must be zero: whoever writes 10.1.2.3/8 may mean 10.0.0.0/8 or
 * 10.1.2.3.
 */
function networkOf(text: string): Network | string {
  const [, base = '', length] = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const whole = bitsOf(base);
  if (whole === undefined || Number(length ?? 0) > whole.length) return 'is no address or network';
  if (length !== undefined && whole.slice(Number(length)).includes('1')) return `has bits beyond its length of ${length}`;
  return unmapped(whole, Number(length ?? whole.length));
}

/** All bits of an address as text; undefined where it is none. */
function bitsOf(text: string): string | undefined {
  return text.includes(':') ? v6Of(text) : v4Of(text);
}

function unmapped(whole: string, length: number): Network {
  const bits = whole.slice(0, length);
  if (whole.length === 128 && bits.startsWith(MAPPED)) return { size: 32, bits: bits.slice(MAPPED.length) };
  return { size: whole.length, bits };
}

function v4Of(text: string): string | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return undefined;
  return parts.map((part) => binary(Number(part), 8)).join('');
}

function v6Of(text: string): string | undefined {
  if (!/^[\da-f:.]+$/i.test(text) || !URL.canParse(`http://[${text}]`)) return undefined;
  // In the form of RFC 5952: no dots, and at most one "::".
  const halves = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const [head = [], tail = []] = halves.map((half) => half.split(':').filter((group) => group !== ''));
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return groups.map((group) => binary(parseInt(group, 16), 16)).join('');
}

function binary(number: number, width: number): string {
  return number.toString(2).padStart(width, '0');
}

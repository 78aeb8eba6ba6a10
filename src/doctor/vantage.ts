/** The connections to ask sshd about: from outside, from this host, from its networks, and from wherever a Match line singles out. Pure. */
import { isIP, isIPv6 } from 'node:net';
import { patternsOf, type Criterion } from './sshd-files.ts';

/** One connection, as `sshd -T -C` takes it. */
export interface Vantage {
  readonly address: string;
  readonly host: string;
  readonly localAddress: string;
  readonly localPort: number;
}

/** From documentation's own ranges (RFC 5737, RFC 3849): nobody exempts these. */
const OUTSIDE = ['203.0.113.7', '2001:db8::7'];
const LOOPBACK = ['127.0.0.1', '::1'];

/** One for each that the Match lines may judge differently. `own`: the addresses of this host's interfaces. */
export function vantages(criteria: readonly Criterion[], { ports, own }: { ports: readonly number[]; own: readonly string[] }): Vantage[] {
  const has = (...names: readonly string[]): boolean => criteria.some(({ name }) => names.includes(name));
  const literals = patternsOf(criteria, 'address').flatMap((pattern) => addressOf(pattern) ?? []);
  const addresses = has('address', 'host') ? [...OUTSIDE, ...LOOPBACK, ...own, ...literals] : OUTSIDE.slice(0, 1);
  const locals = has('localaddress')
    ? [...own, ...patternsOf(criteria, 'localaddress').flatMap((each) => addressOf(each) ?? [])]
    : ['192.0.2.1'];
  const localPorts = has('localport')
    ? [...ports, ...patternsOf(criteria, 'localport').map(Number).filter(Number.isInteger)]
    : ports.slice(0, 1);
  const hosts = patternsOf(criteria, 'host').map((pattern) => pattern.replaceAll(/[*?]/g, 'x'));
  const froms = [
    ...unique(addresses).map((address) => ({ address, host: address })),
    ...unique(hosts).map((host) => ({ address: OUTSIDE[0] ?? '', host })),
  ];
  return froms.flatMap((from) =>
    unique(locals).flatMap((localAddress) => unique(localPorts).map((localPort) => ({ ...from, localAddress, localPort }))),
  );
}

/** An address that a pattern of Match Address means: of a network its first, with 1 for a wildcard. Undefined where it cannot be told. */
export function addressOf(pattern: string): string | undefined {
  const [base = ''] = pattern.split('/');
  if (pattern.includes('/')) return isIP(base) === 0 ? undefined : firstOf(base);
  if (isIP(base) !== 0) return base;
  const parts = base.replaceAll(/[*?]/g, '1').split(base.includes(':') ? ':' : '.');
  const filled = base.includes(':') ? parts.join(':') : [...parts, '1', '1', '1'].slice(0, 4).join('.');
  return isIP(filled) === 0 ? undefined : filled;
}

function firstOf(network: string): string {
  if (isIPv6(network)) return network.endsWith('::') ? `${network}1` : network;
  return network.replace(/\.0$/, '.1');
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

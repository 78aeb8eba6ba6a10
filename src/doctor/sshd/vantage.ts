/** The connections to ask sshd about: from outside, from this host, from its networks, and from wherever a Match line singles out. Pure. */
import { addressesOf } from './addresses.ts';
import { representatives } from './representatives.ts';
import { patternsOf, type Criterion } from './files.ts';

/** One connection, as `sshd -T -C` takes it. */
export interface Vantage {
  readonly address: string;
  readonly host: string;
  readonly localAddress: string;
  readonly localPort: number;
  /** Empty outside any. */
  readonly routingDomain: string;
}

/** From documentation's own ranges (RFC 5737, RFC 3849): nobody exempts these. */
const OUTSIDE = ['203.0.113.7', '2001:db8::7'];
const LOOPBACK = ['127.0.0.1', '::1'];

/** What people are told apart by, and what a vantage stands for; sshd knows its own version. */
const ASKED = ['user', 'group', 'host', 'address', 'localaddress', 'localport', 'rdomain', 'version'];

/** One for each that the Match lines may judge differently. `own`: the addresses of this host's interfaces. */
export function vantages(criteria: readonly Criterion[], { ports, own }: { ports: readonly number[]; own: readonly string[] }): Vantage[] {
  const has = (...names: readonly string[]): boolean => criteria.some(({ name }) => names.includes(name));
  const literals = addressesFor(criteria, 'address');
  const addresses = has('address', 'host') ? [...OUTSIDE, ...LOOPBACK, ...own, ...literals] : OUTSIDE.slice(0, 1);
  const locals = has('localaddress') ? [...own, ...addressesFor(criteria, 'localaddress')] : ['192.0.2.1'];
  const localPorts = has('localport')
    ? [...ports, ...patternsOf(criteria, 'localport').map(Number).filter(Number.isInteger)]
    : ports.slice(0, 1);
  // sshd compares host names in lower case.
  const hosts = representatives(unique(patternsOf(criteria, 'host').map((pattern) => pattern.toLowerCase())));
  const froms = [
    ...unique(addresses).map((address) => ({ address, host: address })),
    ...unique([...OUTSIDE.slice(0, 1), ...literals]).flatMap((address) => hosts.map((host) => ({ address, host }))),
  ];
  const routingDomains = ['', ...representatives(patternsOf(criteria, 'rdomain'))];
  return froms.flatMap((from) =>
    unique(locals).flatMap((localAddress) =>
      unique(localPorts).flatMap((localPort) =>
        routingDomains.map((routingDomain) => ({ ...from, localAddress, localPort, routingDomain })),
      ),
    ),
  );
}

/** What the Match lines look at and no vantage stands for, as it would stand in one. */
export function unasked(criteria: readonly Criterion[]): string[] {
  const unknown = criteria.filter(({ name }) => !ASKED.includes(name)).map(({ name, patterns }) => `${name} ${patterns.join()}`);
  const untold = ['address', 'localaddress'].flatMap((name) =>
    patternsOf(criteria, name).flatMap((pattern) => (addressesOf(pattern, []).length === 0 ? [`${name} ${pattern}`] : [])),
  );
  return unique([...unknown, ...untold]);
}

/** Where a connection comes from, for people. */
export function placeOf({ address, host, routingDomain }: Vantage): string {
  return `${host === address ? address : `${host} (${address})`}${routingDomain === '' ? '' : ` in routing domain ${routingDomain}`}`;
}

/** The addresses that the patterns of a criterion mean, whatever is negated. */
function addressesFor(criteria: readonly Criterion[], name: string): string[] {
  const patterns = patternsOf(criteria, name);
  return patterns.flatMap((pattern) => addressesOf(pattern, patterns));
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

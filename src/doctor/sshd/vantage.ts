/** Picks the connections to ask sshd about: from outside, this host, its networks, and each place that a Match line names. Pure. */
import { addressesOf } from './addresses.ts';
import { representatives } from './representatives.ts';
import { patternsOf, type Criterion } from './files.ts';

/** One connection, in the terms of `sshd -T -C`. */
export interface Vantage {
  readonly address: string;
  readonly host: string;
  readonly localAddress: string;
  readonly localPort: number;
  /** Empty for the default domain. */
  readonly routingDomain: string;
}

/** From the ranges reserved for documentation (RFC 5737, RFC 3849), which nobody exempts. */
const OUTSIDE = ['203.0.113.7', '2001:db8::7'];
const LOOPBACK = ['127.0.0.1', '::1'];

/** The criteria that users and vantages cover; for `version` sshd knows its own. */
const ASKED = ['user', 'group', 'host', 'address', 'localaddress', 'localport', 'rdomain', 'version'];

/** One vantage for each kind of connection that the Match lines may treat differently. `own`: the addresses of this host's interfaces. */
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

/** The criteria of Match lines that no vantage covers, in the syntax of those lines. */
export function unasked(criteria: readonly Criterion[]): string[] {
  const unknown = criteria.filter(({ name }) => !ASKED.includes(name)).map(({ name, patterns }) => `${name} ${patterns.join()}`);
  const unclear = ['address', 'localaddress'].flatMap((name) =>
    patternsOf(criteria, name).flatMap((pattern) => (addressesOf(pattern, []).length === 0 ? [`${name} ${pattern}`] : [])),
  );
  return unique([...unknown, ...unclear]);
}

/** Where a connection comes from, as text for people. */
export function placeOf({ address, host, routingDomain }: Vantage): string {
  return `${host === address ? address : `${host} (${address})`}${routingDomain === '' ? '' : ` in routing domain ${routingDomain}`}`;
}

/** Sample addresses for the patterns of a criterion, including negated ones. */
function addressesFor(criteria: readonly Criterion[], name: string): string[] {
  const patterns = patternsOf(criteria, name);
  return patterns.flatMap((pattern) => addressesOf(pattern, patterns));
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

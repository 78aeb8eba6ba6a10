/** Decides which question is answered next, and which may wait. Each account has its share, so a flood of one account delays no other. */
import { isIPv6, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { MAX_WAIT_MS } from '../login/login.ts';
import { uptimeMs } from '../store/clock.ts';

/** The origin of a question, and its cost. */
export interface Asker {
  readonly account: string;
  /** The source address, as the door reports it. */
  readonly source?: string;
  /** Identifies the SSH connection, where it is known. */
  readonly connection?: string | undefined;
  /** Whether the answer takes no key derivation. */
  readonly isCheap?: boolean;
}

/**
 * The kind of a question: `again` for a connection that was already refused; `known` for a source with an accepted login; `cheap`
 * for a question without key derivation; `strange` for any other. All kinds get the same number of turns, so a flood of one kind
 * leaves the others theirs.
 */
type Kind = 'again' | 'known' | 'cheap' | 'strange';

/** The limit of waiting questions of one account and kind. Once it is reached, only a source that has none of that kind waiting may add one. */
const MAX_WAITING = 64;
/** The limit of waiting sources of one kind. Once it is reached, only sources with an accepted login may join. */
const MAX_SOURCES = 88;
/** The same two limits for connections that were already refused. */
const MAX_AGAIN = 24;
const MAX_SOURCES_AGAIN = 48;
/** The most waiting questions of one account: those of known sources, of refused connections, and cheap and strange ones. */
export const MAX_ASKING = MAX_WAITING + (MAX_AGAIN + MAX_SOURCES_AGAIN) + (MAX_WAITING + 2 * MAX_SOURCES);
/** Sources with an accepted login that are remembered for each account, the latest ones. */
const MAX_KNOWN = 8;
/** Refused connections that are remembered for each account, the latest ones. */
const MAX_REFUSED = 256;

export interface Turns {
  /** Counts an arrival, and tells whether it is turned away: no more questions of its kind may wait. */
  turnsAway(asker: Asker): boolean;
  /**
   * Runs one piece of work at a time. The turn goes round the waiting accounts, within an account round its kinds, and within a
   * kind round its sources.
   */
  take<T>(asker: Asker, work: () => Promise<T>): Promise<T>;
  /** A login was accepted, or refused. */
  noteAccepted(asker: Asker): void;
  noteRefused(asker: Asker): void;
  /**
   * More codes were asked for. The first time does not count as a refusal: during a flood a user who types one code is asked for
   * the next.
   */
  noteAskedForMore(asker: Asker): void;
  /** A connection was opened, and may ask next. */
  noteArrival(): void;
  /** Resolves when nothing runs or waits, and the answers are on their way. */
  whenIdle(): Promise<void>;
}

type Work = () => Promise<void>;
/** Waiting work, in the order of the turns. */
type Queues = Map<string, Set<Work>>;
type Kinds = Map<Kind, Queues>;

/** After this many passes of the event loop without a new arrival, all waiting connections have been read. */
const QUIET_PASSES = 3;
/** The most passes between two turns, against arrivals without end. A pass takes microseconds. */
const MOST_PASSES = 1_000;

/** `now`: a clock in milliseconds. */
export function turns(now: () => number = uptimeMs): Turns {
  const waiting = new Map<string, Kinds>();
  const known = lastFew(MAX_KNOWN);
  const refused = lastFew(MAX_REFUSED);
  const askedForMore = lastFew(MAX_REFUSED);
  let running: Promise<void> | undefined;
  /** The average time of the latest turns. */
  let turnMs = 0;
  /** Connections and questions so far. */
  let arrivals = 0;
  /**
   * Deriving a key blocks the whole process, so between two turns it reads all arrivals and disconnections. Otherwise the queue of
   * the socket, first come first served, would decide instead of the turns.
   * In each pass of its event loop Node accepts one connection and reads each socket once: first the question, then the end of the
   * stream.
   */
  const hear = async (): Promise<void> => {
    for (let [pass, quiet] = [0, 0]; quiet < QUIET_PASSES && pass < MOST_PASSES; pass++) {
      const before = arrivals;
      await setImmediate();
      quiet = arrivals === before ? quiet + 1 : 0;
    }
  };
  const kindOf = ({ account, source = '', connection, isCheap = false }: Asker): Kind => {
    if (connection !== undefined && refused.has(account, connection)) return 'again';
    if (known.has(account, source)) return 'known';
    return isCheap ? 'cheap' : 'strange';
  };
  const run = async (): Promise<void> => {
    while (waiting.size > 0) {
      const first = nextOf(waiting, (kinds) => nextOf(kinds, (sources) => nextOf(sources, shift)));
      await hear();
      const startMs = now();
      await first?.();
      turnMs += (now() - startMs - turnMs) / 4;
    }
    running = undefined;
  };
  return {
    turnsAway: (asker) => {
      arrivals++;
      const { account, source = '' } = asker;
      const kind = kindOf(asker);
      const kinds: Kinds = waiting.get(account) ?? new Map<Kind, Queues>();
      const alike = kind === 'cheap' || kind === 'strange' ? (['cheap', 'strange'] as const) : [kind];
      const all = alike.reduce((sum, each) => sum + lengthOf(kinds.get(each)), 0);
      const queues = kinds.get(kind);
      const mine = queues?.get(source)?.size ?? 0;
      if (mine === 0 && known.has(account, source)) return false;
      const [most, mostSources] = kind === 'again' ? [MAX_AGAIN, MAX_SOURCES_AGAIN] : [MAX_WAITING, MAX_SOURCES];
      const sources = queues?.size ?? 0;
      const isRoom = mine > 0 ? all < most : sources < mostSources;
      const before = (mine === 0 ? sources : mine * sources) * kinds.size;
      return !isRoom || before * waiting.size * turnMs > MAX_WAIT_MS;
    },
    take: (asker, work) =>
      new Promise((resolve, reject) => {
        const { account, source = '' } = asker;
        const kinds = presentOf(waiting, account, (): Kinds => new Map<Kind, Queues>());
        const sources = presentOf(kinds, kindOf(asker), (): Queues => new Map<string, Set<Work>>());
        presentOf(sources, source, () => new Set<Work>()).add(() => work().then(resolve, reject));
        running ??= run();
      }),
    noteAccepted: ({ account, source = '' }) => {
      known.add(account, source);
    },
    noteRefused: ({ account, connection }) => {
      if (connection !== undefined) refused.add(account, connection);
    },
    noteAskedForMore: ({ account, connection }) => {
      if (connection === undefined) return;
      (askedForMore.has(account, connection) ? refused : askedForMore).add(account, connection);
    },
    noteArrival: () => {
      arrivals++;
    },
    whenIdle: async () => {
      await running;
      await hear();
    },
  };
}

/** What `take` gives for the first of `queues`. That queue then becomes the last, or is deleted where it is empty. */
function nextOf<K, Q extends { readonly size: number }, T>(queues: Map<K, Q>, take: (queue: Q) => T | undefined): T | undefined {
  const [first] = queues;
  if (first === undefined) return undefined;
  const [key, queue] = first;
  queues.delete(key);
  const taken = take(queue);
  if (queue.size > 0) queues.set(key, queue);
  return taken;
}

function shift(works: Set<Work>): Work | undefined {
  const [first] = works;
  if (first !== undefined) works.delete(first);
  return first;
}

export function presentOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}

function lengthOf(queues: Queues | undefined): number {
  return [...(queues?.values() ?? [])].reduce((sum, { size }) => sum + size, 0);
}

/** Remembers the latest `most` values of each account. */
function lastFew(most: number): { has(account: string, one: string): boolean; add(account: string, one: string): void } {
  const all = new Map<string, Set<string>>();
  return {
    has: (account, one) => all.get(account)?.has(one) === true,
    add: (account, one) => {
      addLast(
        presentOf(all, account, () => new Set<string>()),
        one,
        most,
      );
    },
  };
}

/** Adds `one` as the latest of `values`, which keep the latest `most`. */
export function addLast(values: Set<string>, one: string, most: number): void {
  values.delete(one);
  values.add(one);
  const [oldest = ''] = values;
  if (values.size > most) values.delete(oldest);
}

/** The part of a source address that its owner cannot choose: the first 64 bits of IPv6, all of any other address. */
export function networkOf(address: string): string {
  const [bare = ''] = address.split('%');
  if (!isIPv6(bare)) return address;
  // RFC 5952: no dots, and at most one "::".
  const [head = '', tail] = new URL(`http://[${bare}]`).hostname.slice(1, -1).split('::');
  const [left, right] = [head, tail ?? ''].map((part) => part.split(':').filter((group) => group !== ''));
  const groups = [...(left ?? []), ...Array<string>(8 - (left?.length ?? 0) - (right?.length ?? 0)).fill('0'), ...(right ?? [])];
  const network = groups.slice(0, 4).join(':');
  // IPv4 in IPv6 (RFC 4291): each is an address of its own.
  return network === '0:0:0:0' ? address : `${network}::/64`;
}

export interface Crowd {
  /** Adds a connection, whose account is not known yet. */
  enter(socket: Socket): void;
  /** The connection waits for a question about `account`. */
  waits(socket: Socket, account: string): void;
  /** The connection has asked. */
  asks(socket: Socket): void;
  /** Closes all waiting connections, and from now on each other one after its answer. */
  close(): void;
}

/** Connections that wait at a prompt. Beyond `most`, the account with the most of them loses its oldest one. */
export function crowd(most: number): Crowd {
  const idle = new Map<string, Set<Socket>>();
  let closed = false;
  const forget = (socket: Socket): void => {
    for (const [account, sockets] of idle) if (sockets.delete(socket) && sockets.size === 0) idle.delete(account);
  };
  const remember = (socket: Socket, account: string): void => {
    if (closed) socket.destroySoon();
    if (closed || socket.destroyed) return;
    idle.set(account, (idle.get(account) ?? new Set()).add(socket));
    const all = [...idle.values()];
    if (all.reduce((sum, { size }) => sum + size, 0) <= most) return;
    const largest = all.reduce((a, b) => (b.size > a.size ? b : a));
    const [oldest] = largest;
    oldest?.destroy();
    if (oldest !== undefined) forget(oldest);
  };
  return {
    enter: (socket) => {
      remember(socket, '');
      socket.on('close', () => {
        forget(socket);
      });
    },
    waits: remember,
    asks: forget,
    close: () => {
      closed = true;
      for (const sockets of idle.values()) for (const socket of sockets) socket.destroy();
    },
  };
}

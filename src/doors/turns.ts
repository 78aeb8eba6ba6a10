/** Who is answered next, and who may wait: each account has its share, so that a flood is that account's own. */
import { isIPv6, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { MAX_WAIT_MS } from '../login/login.ts';

/** Questions of one account that wait at the same time; beyond them only a source that has none there yet is let wait. */
const MAX_WAITING = 64;
/** The same beyond which only sources with an accepted login are let wait. */
const MAX_STRANGERS = 88;
/** Sources with an accepted login that are remembered of each account, the last ones. */
const MAX_KNOWN = 8;

export interface Turns {
  /** Whether no more questions about `account` from `source` may wait. */
  isFull(account: string, source?: string): boolean;
  /**
   * Runs one piece of work at a time: of the accounts that wait one after the other, and of each account its sources, those with an
   * accepted login before all others.
   */
  take<T>(account: string, work: () => Promise<T>, source?: string): Promise<T>;
  /** A login of `account` from `source` was accepted. */
  prefer(account: string, source?: string): void;
  /** Resolves when nothing is running and nobody waits, with their answers on their way. */
  ended(): Promise<void>;
}

/** The questions of each source in the order they came, and the sources in the order of their turns. */
type Queues = Map<string, (() => Promise<void>)[]>;

/** `now`: milliseconds of a clock. */
export function turns(now: () => number = () => performance.now()): Turns {
  /** The accounts in the order of their turns. */
  const waiting = new Map<string, Queues>();
  const known = new Map<string, readonly string[]>();
  let running: Promise<void> | undefined;
  /** What a turn takes of late. */
  let turnMs = 0;
  const isKnown = (account: string, source: string): boolean => known.get(account)?.includes(source) === true;
  const run = async (): Promise<void> => {
    for (let next = waiting.entries().next(); next.done !== true; next = waiting.entries().next()) {
      const [account, sources] = next.value;
      waiting.delete(account);
      const first = shiftFirst(sources, (source) => isKnown(account, source));
      if (sources.size > 0) waiting.set(account, sources);
      await hear();
      const startMs = now();
      await first?.();
      turnMs += (now() - startMs - turnMs) / 4;
    }
    running = undefined;
  };
  return {
    isFull: (account, source = '') => {
      const first = isKnown(account, source);
      // Those that wait for turns of the same kind: nobody else is in the way.
      const queues = [...(waiting.get(account) ?? [])].filter(([each]) => isKnown(account, each) === first);
      const all = queues.reduce((sum, [, { length }]) => sum + length, 0);
      const mine = waiting.get(account)?.get(source)?.length ?? 0;
      if (first && mine === 0) return false;
      const most = mine === 0 ? MAX_STRANGERS : MAX_WAITING;
      const before = mine === 0 ? queues.length : mine * queues.length;
      return all >= most || before * waiting.size * turnMs > MAX_WAIT_MS;
    },
    take: (account, work, source = '') =>
      new Promise((resolve, reject) => {
        const sources = waiting.get(account) ?? new Map<string, (() => Promise<void>)[]>();
        waiting.set(account, sources.set(source, [...(sources.get(source) ?? []), () => work().then(resolve, reject)]));
        running ??= run();
      }),
    prefer: (account, source = '') => {
      const others = (known.get(account) ?? []).filter((each) => each !== source);
      known.set(account, [source, ...others].slice(0, MAX_KNOWN));
    },
    ended: async () => {
      await running;
      await hear();
    },
  };
}

/** Takes the first question of the first of `sources`, or of the first that is preferred; it comes last then. */
function shiftFirst(sources: Queues, isPreferred: (source: string) => boolean): (() => Promise<void>) | undefined {
  const source = sources.keys().find(isPreferred) ?? sources.keys().next().value ?? '';
  const [first, ...rest] = sources.get(source) ?? [];
  sources.delete(source);
  if (rest.length > 0) sources.set(source, rest);
  return first;
}

/** What of a source address its owner cannot choose: of IPv6 the first 64 bits, of anything else all of it. */
export function networkOf(address: string): string {
  const [bare = ''] = address.split('%');
  if (!isIPv6(bare)) return address;
  // As RFC 5952 has it: no dots, and at most one "::".
  const [head = '', tail] = new URL(`http://[${bare}]`).hostname.slice(1, -1).split('::');
  const [left, right] = [head, tail ?? ''].map((part) => part.split(':').filter((group) => group !== ''));
  const groups = [...(left ?? []), ...Array<string>(8 - (left?.length ?? 0) - (right?.length ?? 0)).fill('0'), ...(right ?? [])];
  const network = groups.slice(0, 4).join(':');
  // IPv4 in IPv6 (RFC 4291) is an address each.
  return network === '0:0:0:0' ? address : `${network}::/64`;
}

/**
 * Deriving a key holds the whole process up. In between it hears who has left meanwhile, so that a flood of costly questions ends with
 * those who asked them. Node reads a socket once in each pass of its event loop: first the question, then the end of the stream.
 */
async function hear(): Promise<void> {
  for (let pass = 0; pass < 3; pass++) await setImmediate();
}

export interface Crowd {
  /** One more connection, of which no account is known yet. */
  enter(socket: Socket): void;
  /** It waits for a question about `account`. */
  waits(socket: Socket, account: string): void;
  /** It has asked. */
  asks(socket: Socket): void;
  /** Closes those that wait, and from now on each that would, behind its answer. */
  close(): void;
}

/** Connections that wait at a prompt: beyond `most` of them, the account with the most of them loses the one that has waited longest. */
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

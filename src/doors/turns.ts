/** Who is answered next, and who may wait: each account has its share, so that a flood is that account's own. */
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';

/** Questions of one account that wait at the same time; beyond them only a source that has none there yet is let wait. */
const MAX_WAITING = 128;
/** Less than whoever asks waits for an answer (ANSWER_DEADLINE_MS): a question that would wait for longer is turned away at once. */
const MAX_WAIT_MS = 20_000;

export interface Turns {
  /** Whether no more questions about `account` from `source` may wait. */
  isFull(account: string, source?: string): boolean;
  /** Runs one piece of work at a time: of the accounts that wait one after the other, and of each account its sources. */
  take<T>(account: string, work: () => Promise<T>, source?: string): Promise<T>;
  /** Resolves when nothing is running and nobody waits, with their answers on their way. */
  ended(): Promise<void>;
}

/** `now`: milliseconds of a clock. */
export function turns(now: () => number = () => performance.now()): Turns {
  /** The accounts in the order of their turns, in each its sources, and in each of these its questions in the order they came. */
  const waiting = new Map<string, Map<string, (() => Promise<void>)[]>>();
  let running: Promise<void> | undefined;
  /** What a turn takes of late. */
  let turnMs = 0;
  const run = async (): Promise<void> => {
    for (let next = waiting.entries().next(); next.done !== true; next = waiting.entries().next()) {
      const [account, sources] = next.value;
      waiting.delete(account);
      const first = shiftFirst(sources);
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
      const sources = waiting.get(account) ?? new Map<string, (() => Promise<void>)[]>();
      const mine = sources.get(source)?.length ?? 0;
      if (mine === 0) return false;
      const all = [...sources.values()].reduce((sum, { length }) => sum + length, 0);
      return all >= MAX_WAITING || mine * sources.size * waiting.size * turnMs > MAX_WAIT_MS;
    },
    take: (account, work, source = '') =>
      new Promise((resolve, reject) => {
        const sources = waiting.get(account) ?? new Map<string, (() => Promise<void>)[]>();
        waiting.set(account, sources.set(source, [...(sources.get(source) ?? []), () => work().then(resolve, reject)]));
        running ??= run();
      }),
    ended: async () => {
      await running;
      await hear();
    },
  };
}

/** Takes the first question of the first of `sources`, which comes last then. */
function shiftFirst(sources: Map<string, (() => Promise<void>)[]>): (() => Promise<void>) | undefined {
  const [source, [first, ...rest]] = sources.entries().next().value ?? ['', []];
  sources.delete(source);
  if (rest.length > 0) sources.set(source, rest);
  return first;
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

/** Who is answered next, and who may wait: each account has its share, so that a flood is that account's own. */
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';

/** Questions of one account that wait at the same time; those beyond them are turned away. */
const MAX_WAITING = 128;

export interface Turns {
  /** Whether so many questions about `account` wait that no more may. */
  isFull(account: string): boolean;
  /** Runs one piece of work at a time, and of the accounts that wait one after the other. */
  take<T>(account: string, work: () => Promise<T>): Promise<T>;
  /** Resolves when nothing is running and nobody waits, with their answers on their way. */
  ended(): Promise<void>;
}

export function turns(): Turns {
  /** The accounts in the order of their turns, each with its questions in the order they came. */
  const waiting = new Map<string, (() => Promise<void>)[]>();
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    for (let next = waiting.entries().next(); next.done !== true; next = waiting.entries().next()) {
      const [account, [first, ...rest]] = next.value;
      waiting.delete(account);
      if (rest.length > 0) waiting.set(account, rest);
      await hear();
      await first?.();
    }
    running = undefined;
  };
  return {
    isFull: (account) => (waiting.get(account)?.length ?? 0) >= MAX_WAITING,
    take: (account, work) =>
      new Promise((resolve, reject) => {
        waiting.set(account, [...(waiting.get(account) ?? []), () => work().then(resolve, reject)]);
        running ??= run();
      }),
    ended: async () => {
      await running;
      await hear();
    },
  };
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

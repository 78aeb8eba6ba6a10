/**
 * What the commands for many users share: going through all of them, one after the other, so that an interruption falls
 * between two; one such run at a time; and the sockets of those who are done, many in one call.
 */
import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { NotpError } from '../error.ts';
import { expand, type Config } from '../system/config.ts';
import type { Progress } from '../terminal/progress.ts';
import { takeLock } from '../system/sole-run.ts';
import { enableSockets, hasService, isSocketEnabled } from '../system/systemd.ts';
import type { User } from '../system/users.ts';

/** What would fail for everybody else too: the run ends there. */
const CONCERNS_ALL: readonly string[] = ['store_unavailable', 'audit_unavailable', 'bad_configuration'];
const SOCKETS_A_CALL = 100;

/** Whether `error` is about one user alone, so that the others go on. */
export function concernsOne(error: unknown): error is NotpError {
  return error instanceof NotpError && !CONCERNS_ALL.includes(error.code);
}

export interface Course<T> {
  /** Who an element is about, for the progress bar; undefined shows none. */
  readonly label: (each: T) => string | undefined;
  /** Takes one; what it throws ends the run. */
  readonly step: (each: T) => Promise<void>;
  /** What they are, for the word about an interruption: `users`. */
  readonly unit: string;
  readonly progress: Progress;
  readonly interrupt: AbortSignal;
}

/** One after the other; gives what ended it early, between two. */
export async function oneByOne<T>(all: readonly T[], { label, step, unit, progress, interrupt }: Course<T>): Promise<Error | undefined> {
  for (const [done, each] of all.entries()) {
    // Signals are heard only when the event loop turns.
    await setImmediate();
    if (interrupt.aborted) return new NotpError('refused', `interrupted after ${String(done)} of ${String(all.length)} ${unit}`);
    const who = label(each);
    if (who !== undefined) progress.show(done, who);
    try {
      await step(each);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
  return undefined;
}

/** Throws `failed` if another process has the lock `name`: two runs at once would each take the other's unfinished work for their own. */
export async function refuseSecondRun(name: string, what: string): Promise<void> {
  if (await takeLock(name)) return;
  throw new NotpError('failed', `another ${what} is running on this host`, `let it end; ss -xlp shows who holds @${name}`);
}

/** Makes the sockets of `users` listen that do not; gives what systemd says where it does not do it. One at a time it is what takes the time. */
export async function listening(config: Config, users: readonly User[], progress: Progress): Promise<NotpError | undefined> {
  if (!hasService()) return undefined;
  const isListening = (user: User): boolean => isSocketEnabled(user.uid) && existsSync(expand(config.socket, user));
  const uids = [...new Set(users.filter((user) => !isListening(user)).map(({ uid }) => uid))];
  try {
    for (let i = 0; i < uids.length; i += SOCKETS_A_CALL) {
      await setImmediate();
      progress.show(users.length, 'sockets');
      enableSockets(uids.slice(i, i + SOCKETS_A_CALL));
    }
    return undefined;
  } catch (error) {
    if (error instanceof NotpError) return error;
    throw error;
  }
}

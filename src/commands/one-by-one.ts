/**
 * Shared by the commands for many users: process them one after the other, so that an interruption falls between two
 * users; allow one such run at a time; and enable the sockets of finished users, many in one call.
 */
import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { NotpError } from '../error.ts';
import { expand, type Config } from '../system/config.ts';
import type { Progress } from '../terminal/progress.ts';
import { takeLock } from '../system/sole-run.ts';
import { enableSockets, hasService, isSocketEnabled } from '../system/systemd.ts';
import type { User } from '../system/users.ts';

/** Errors that all other users would get too, so that the run ends. */
const CONCERNS_ALL: readonly string[] = ['store_unavailable', 'audit_unavailable', 'bad_configuration'];
const SOCKETS_A_CALL = 100;

/** Whether `error` concerns only one user, so that the run continues. */
export function concernsOne(error: unknown): error is NotpError {
  return error instanceof NotpError && !CONCERNS_ALL.includes(error.code);
}

export interface RunOptions<T> {
  /** The user of an element, for the progress bar; undefined shows nothing. */
  readonly label: (each: T) => string | undefined;
  /** Processes one element; an error ends the run. */
  readonly step: (each: T) => Promise<void>;
  /** The elements in the message about an interruption: `users`. */
  readonly unit: string;
  readonly progress: Progress;
  readonly interrupt: AbortSignal;
}

/** Processes all elements one after the other. Gives the error that ended the run early. */
export async function runOneByOne<T>(
  all: readonly T[],
  { label, step, unit, progress, interrupt }: RunOptions<T>,
): Promise<Error | undefined> {
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

/**
 * Throws `failed` if another process has the lock `name`: two runs at once would each regard the other's unfinished work
 * as their own.
 */
export async function refuseSecondRun(name: string, what: string): Promise<void> {
  if (await takeLock(name)) return;
  throw new NotpError(
    'failed',
    `another ${what} is running on this host`,
    `wait for it to end; ss -xlp shows the process that holds @${name}`,
  );
}

/**
 * Enables the sockets of `users` that do not listen yet, many in one call, since single calls are slow. Gives the error if
 * systemd fails.
 */
export async function enableMissingSockets(config: Config, users: readonly User[], progress: Progress): Promise<NotpError | undefined> {
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

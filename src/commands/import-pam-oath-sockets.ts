/** The sockets of many users at once: of one at a time it is what takes the time. */
import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { NotpError } from '../error.ts';
import { expand, type Config } from '../system/config.ts';
import type { Progress } from '../system/progress.ts';
import { enableSockets, hasService, isSocketEnabled } from '../system/systemd.ts';
import type { User } from '../system/users.ts';

const SOCKETS_A_CALL = 100;

/** Makes the sockets of `users` listen that do not; gives what systemd says where it does not do it. */
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

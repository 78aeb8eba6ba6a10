/** The logs that a command reads: the log of this host or user, or the given files, such as copies from other hosts. */
import type { Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import { realUser } from '../../system/users.ts';
import { statePlace } from '../../state/place.ts';

/**
 * Runs `work` on the logs in `given`, or if it is empty on the own log, as the user who may read that. Throws what `work`
 * throws.
 */
export async function withLogs<T>(config: Config, given: readonly string[], work: (logs: readonly string[]) => Promise<T>): Promise<T> {
  if (given.length > 0) return await work(given);
  const place = statePlace(config, realUser());
  return await asUser(place.owner, () => work([place.auditFile]));
}

/** Which logs a command reads: that of this host or user, or those that it was given, such as copies of those of other hosts. */
import type { Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import { realUser } from '../../system/users.ts';
import { statePlace } from '../../state/place.ts';

/** Runs `work` on them, as whoever may read them; `given` is empty for one's own. Throws what `work` does. */
export async function withLogs<T>(config: Config, given: readonly string[], work: (logs: readonly string[]) => Promise<T>): Promise<T> {
  if (given.length > 0) return await work(given);
  const place = statePlace(config, realUser());
  return await asUser(place.owner, () => work([place.auditFile]));
}

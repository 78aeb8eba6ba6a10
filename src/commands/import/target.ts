/** The login that an import creates. */
import type { Origin } from '../../audit/record.ts';
import { whereSealed } from '../../login/sealed-files.ts';
import type { StatePlace } from '../../state/place.ts';
import type { Config } from '../../system/config.ts';
import type { User } from '../../system/users.ts';

export interface Target {
  readonly config: Config;
  readonly user: User;
  readonly place: StatePlace;
  readonly origin: Origin;
  readonly file: string;
  readonly now: () => number;
}

export function targetOf({ config, place, now }: Pick<Target, 'config' | 'place' | 'now'>, user: User, context: string): Target {
  const origin: Origin = { user: user.name, uid: user.uid, context, door: 'cli' };
  return { config, user, place, origin, file: whereSealed(config, place, user, context), now };
}

/** Whether a door has opened since it was set up: the audit log has each login that notp has accepted. */
import type { Entry } from '../audit/entry.ts';
import { matcherOf, recordsIn } from '../audit/filter.ts';
import { isAbsent, lastLines } from '../audit/reading.ts';
import { isAtSshd } from '../audit/record.ts';
import { ownPlace, statePlace } from '../state/place.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { userByName, type User } from '../system/users.ts';
import { usersIn } from './limits.ts';
import { isIn } from './lockout.ts';
import type { SetupDoor } from './plan.ts';
import type { Scope } from './scope.ts';

const IS_AT: Readonly<Record<SetupDoor, (entry: Entry) => boolean>> = {
  gate: ({ door }) => door === 'gate',
  pam: (entry) => entry.door === 'pam' && isAtSshd(entry),
  sudo: ({ door, service = '' }) => door === 'pam' && ['sudo', 'sudo-i'].includes(service),
};

/** Of each user's own log, which may be of any size. */
const LAST_RECORDS = 100;

interface DoorSince {
  readonly door: SetupDoor;
  readonly scope: Scope;
  readonly sinceMs: number;
}

/**
 * Whether the door has accepted somebody in the scope since `sinceMs`. `caller`: stands for all users whose names are not listed, where users
 * keep their own logs. Throws `audit_unavailable` if the log of the host cannot be read, `failed` if users cannot be listed.
 */
export async function hasOpened({ door, scope, sinceMs }: DoorSince, config: Config, caller: User): Promise<boolean> {
  const { kind, owner, auditFile } = statePlace(config, caller);
  if (kind === 'user') return await isInOwnLogs([caller, ...usersIn(scope)], { door, scope, sinceMs }, config);
  const names = await asUser(owner, () => acceptedAt(auditFile, IS_AT[door], sinceMs));
  return [...names].some((name) => {
    const user = userByName(name);
    return user !== undefined && isIn(user, scope);
  });
}

/** Where users keep their own state, each has a log of their own. One that cannot be read says nothing, as of a user who is removed meanwhile. */
async function isInOwnLogs(users: readonly User[], { door, scope, sinceMs }: DoorSince, config: Config): Promise<boolean> {
  const wanted = matcherOf({ event: 'login.accepted', sinceMs });
  for (const user of users) {
    const lines = await endOf(ownPlace(config, user).auditFile, user);
    const entries = lines.flatMap((line) => wanted(line) ?? []);
    if (entries.some((entry) => entry.user === user.name && IS_AT[door](entry)) && isIn(user, scope)) return true;
  }
  return false;
}

/** The last lines of the log, read as `user`. */
async function endOf(log: string, user: User): Promise<readonly string[]> {
  try {
    return await asUser(user, () => lastLines([log], LAST_RECORDS));
  } catch {
    return [];
  }
}

async function acceptedAt(log: string, isAt: (entry: Entry) => boolean, sinceMs: number): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  try {
    for await (const { entry } of recordsIn(log, { event: 'login.accepted', sinceMs })) if (isAt(entry)) names.add(entry.user);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  return names;
}

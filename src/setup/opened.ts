/** Whether a door has opened since it was set up: the audit log has each login that notp has accepted. */
import type { Entry } from '../audit/entry.ts';
import { recordsIn } from '../audit/filter.ts';
import { isAbsent } from '../audit/reading.ts';
import { isAtSshd } from '../audit/record.ts';
import { statePlace } from '../state/place.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { userByName, type User } from '../system/users.ts';
import { isIn } from './lockout.ts';
import type { SetupDoor } from './plan.ts';
import type { Scope } from './scope.ts';

const IS_AT: Readonly<Record<SetupDoor, (entry: Entry) => boolean>> = {
  gate: ({ door }) => door === 'gate',
  pam: (entry) => entry.door === 'pam' && isAtSshd(entry),
  sudo: ({ door, service = '' }) => door === 'pam' && ['sudo', 'sudo-i'].includes(service),
};

/**
 * Whether the door has accepted somebody in the scope since `sinceMs`. `caller`: whose log it is if users keep their own. Throws
 * `audit_unavailable` if the log cannot be read.
 */
export async function hasOpened(
  { door, scope, sinceMs }: { readonly door: SetupDoor; readonly scope: Scope; readonly sinceMs: number },
  config: Config,
  caller: User,
): Promise<boolean> {
  const { owner, auditFile } = statePlace(config, caller);
  const names = await asUser(owner, () => acceptedAt(auditFile, IS_AT[door], sinceMs));
  return [...names].some((name) => {
    const user = userByName(name);
    return user !== undefined && isIn(user, scope);
  });
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

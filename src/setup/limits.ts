/** Limits that sshd_config sets for users. A forced gate would replace a limiting command, and it does not exist inside a chroot(2). */
import { groupAlike } from '../doctor/people.ts';
import { setting, type Effective } from '../doctor/sshd/effective.ts';
import { meansGate } from '../doctor/sshd/gate-command.ts';
import { canBeAsked } from '../doctor/sshd/sshd.ts';
import { allUsers, groupEntries, groupsByName, usersByName, type User } from '../system/users.ts';
import { allVantages, askSshd, matchCriteriaNow } from './ask-sshd.ts';
import type { SetupDoor } from './plan.ts';
import { isEverybody, type Scope } from './scope.ts';
import { namesUpTo } from '../lists.ts';

const MAX_NAMES = 5;

/**
 * The users of `scope` whom sshd limits by another ForceCommand or a ChrootDirectory, from any address, with the values. The caller has
 * checked that sshd accepts its configuration. Throws `refused` if sshd does not answer, `failed` if the passwd database does not.
 */
export async function limitsOf(scope: Scope): Promise<string[]> {
  const criteria = matchCriteriaNow();
  const users = usersIn(scope).filter(({ name }) => canBeAsked(name));
  const groups = groupAlike(
    users.map((user) => ({ user, enrolments: [] })),
    criteria,
  ).map((group) => group.map(({ user }) => user.name));
  const answers = await askSshd(
    groups.map(([user = '']) => user),
    allVantages(criteria),
  );
  return groups.flatMap((names, i) => {
    const limits = new Set((answers[i] ?? []).flatMap(({ effective }) => limitsIn(effective)));
    return limits.size === 0 ? [] : [`${namesUpTo(MAX_NAMES, names)} (${[...limits].join(', ')})`];
  });
}

/** The users of `scope` whom the passwd database lists, or an entry of its groups names. Throws `failed` where it cannot be read. */
export function usersIn(scope: Scope): User[] {
  const listed = allUsers();
  if (isEverybody(scope)) return listed;
  const users = [...listed, ...unlistedMembers(scope.groups, listed)];
  const groups = scope.groups.length === 0 ? undefined : groupsByName(users.map(({ name }) => name));
  return users.filter(
    ({ name, uid }) =>
      scope.users.some((user) => user.uid === uid) || groups?.get(name)?.some((group) => scope.groups.includes(group)) === true,
  );
}

/** The members of these groups whom the passwd database does not list, as a directory service does. */
function unlistedMembers(groups: readonly string[], listed: readonly User[]): User[] {
  const names = groupEntries(groups).flatMap(({ members }) => members);
  const known = new Set(listed.map(({ name }) => name));
  return [...usersByName(names.filter((name) => !known.has(name))).values()].filter(({ name }) => !known.has(name));
}

/** The uids of all whom these setups have sshd ask for a code. */
export function uidsCoveredBy(setups: readonly { readonly door: SetupDoor; readonly scope?: Scope }[]): ReadonlySet<number> {
  const scopes = setups.filter(({ door }) => door !== 'sudo').flatMap(({ scope }) => scope ?? []);
  return new Set(scopes.flatMap(usersIn).map(({ uid }) => uid));
}

function limitsIn(effective: Effective): string[] {
  const command = setting(effective, 'forcecommand');
  const folder = setting(effective, 'chrootdirectory');
  return [
    ...(isNone(command) || meansGate(command) ? [] : [`ForceCommand ${command}`]),
    ...(isNone(folder) ? [] : [`ChrootDirectory ${folder}`]),
  ];
}

function isNone(value: string): boolean {
  return value === '' || value.toLowerCase() === 'none';
}

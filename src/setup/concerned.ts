/** Whom a setup is for: the accounts and groups behind the names that were given, or why sshd cannot be told of them by name. */
import { NotpError } from '../error.ts';
import { quoted, shellCommand } from '../otp/escape.ts';
import { accountInFile, namesAreExact } from '../system/passwd-file.ts';
import { groupByName, groupsByName, namesByUid, userByName } from '../system/users.ts';
import type { SetupDoor } from './plan.ts';
import { canMatch, type Account, type Scope } from './scope.ts';

/** Names as they were given. */
export interface Named {
  readonly users: readonly string[];
  readonly groups: readonly string[];
}

/** Throws `usage` for a name that is nobody's, `refused` where another spelling of it would lead past what is written. */
export function scopeOf(door: SetupDoor, { users, groups }: Named): Scope {
  const accounts = users.map((name) => accountOf(door, name));
  const scope = {
    users: [...new Map(accounts.map((account) => [account.uid, account])).values()],
    groups: [...new Set(groups.map(groupNamed))],
  };
  if (scope.groups.length > 0) requireWholeAccounts(scope);
  return scope;
}

/** sshd and PAM look a group up by the name that was typed: with another name of the same uid, the keys and home would be the same and no code asked for. */
function requireWholeAccounts({ users, groups }: Scope): void {
  const several = [...namesByUid()].filter(([uid, names]) => names.length > 1 && !users.some((user) => user.uid === uid));
  const memberships = groupsByName(several.flatMap(([, names]) => names));
  for (const group of groups)
    for (const [uid, names] of several) {
      const isMember = (name: string): boolean => memberships.get(name)?.includes(group) === true;
      const member = names.find(isMember);
      const other = names.find((name) => !isMember(name));
      if (other === undefined || member === undefined) continue;
      throw new NotpError(
        'refused',
        `${quoted(other)} and ${quoted(member)} are both uid ${String(uid)}, and only ${quoted(member)} is in the group ${quoted(group)}: no code would be asked for under the other name`,
        shellCommand`put each name of the account into the group: gpasswd -a ${other} ${group}`,
      );
    }
}

function accountOf(door: SetupDoor, given: string): Account {
  const user = userByName(given);
  if (user === undefined) throw new NotpError('usage', `there is no user ${quoted(given)}`, 'getent passwd lists those there are');
  const { name, uid } = user;
  // PAM goes by the uid.
  if (door === 'sudo') return { name, uid, spellings: [name] };
  if (!namesAreExact() || accountInFile(given) === undefined)
    throw new NotpError(
      'refused',
      `another spelling of ${quoted(name)} may lead past "Match User": the user is not in /etc/passwd alone, see passwd in /etc/nsswitch.conf`,
      shellCommand`a group holds for every spelling: notp setup ${door} --group GROUP, with ${name} in it`,
    );
  const spellings = namesByUid().get(uid) ?? [];
  const odd = spellings.find((spelling) => !canMatch(spelling));
  if (odd === undefined && spellings.includes(name)) return { name, uid, spellings };
  throw new NotpError(
    'refused',
    `sshd cannot be told of the user name ${quoted(odd ?? name)}`,
    shellCommand`a group can stand for the user: notp setup ${door} --group GROUP`,
  );
}

/** As the group database writes it, for sshd compares letter by letter. */
function groupNamed(given: string): string {
  const name = groupByName(given);
  if (name === undefined) throw new NotpError('usage', `there is no group ${quoted(given)}`, 'getent group lists those there are');
  if (canMatch(name)) return name;
  throw new NotpError(
    'refused',
    `sshd and PAM cannot be told of the group name ${quoted(name)}`,
    'make another group for it: groupadd NAME',
  );
}

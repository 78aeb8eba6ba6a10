/** The scope of a setup: finds the accounts and groups for the given names, and refuses names that sshd cannot match safely. */
import { NotpError } from '../error.ts';
import { quoted, shellCommand } from '../otp/escape.ts';
import { accountInFile, namesAreExact } from '../system/accounts/passwd-file.ts';
import { groupByName, groupsByName, namesByUid, userByName } from '../system/users.ts';
import type { SetupDoor } from './plan.ts';
import { canMatch, type Account, type Scope } from './scope.ts';

/** Names as typed by the user. */
export interface Named {
  readonly users: readonly string[];
  readonly groups: readonly string[];
}

/** Throws `usage` for an unknown name, and `refused` if another spelling of a name would avoid the code. */
export function scopeOf(door: SetupDoor, { users, groups }: Named): Scope {
  const accounts = users.map((name) => accountOf(door, name));
  const scope = {
    users: [...new Map(accounts.map((account) => [account.uid, account])).values()],
    groups: [...new Set(groups.map(groupNamed))],
  };
  if (scope.groups.length > 0) requireWholeAccounts(scope);
  return scope;
}

/**
 * sshd and PAM look up groups by the typed name. Another name of the same uid has the same keys and home; if it is not in the group, it would
 * log in without a code.
 */
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
  if (user === undefined) throw new NotpError('usage', `there is no user ${quoted(given)}`, 'list the users: getent passwd');
  const { name, uid } = user;
  // PAM uses the uid.
  if (door === 'sudo') return { name, uid, spellings: [name] };
  if (!namesAreExact() || accountInFile(given) === undefined)
    throw new NotpError(
      'refused',
      `another spelling of ${quoted(name)} may avoid "Match User": the user is not only in /etc/passwd, see passwd in /etc/nsswitch.conf`,
      shellCommand`a group matches every spelling: notp setup ${door} --group GROUP, with ${name} in it`,
    );
  const spellings = namesByUid().get(uid) ?? [];
  const odd = spellings.find((spelling) => !canMatch(spelling));
  if (odd === undefined && spellings.includes(name)) return { name, uid, spellings };
  throw new NotpError(
    'refused',
    `a Match line of sshd cannot name the user ${quoted(odd ?? name)}`,
    shellCommand`use a group with that user: notp setup ${door} --group GROUP`,
  );
}

/** The name as the group database spells it, as sshd compares it letter by letter. */
function groupNamed(given: string): string {
  const name = groupByName(given);
  if (name === undefined) throw new NotpError('usage', `there is no group ${quoted(given)}`, 'list the groups: getent group');
  if (canMatch(name)) return name;
  throw new NotpError(
    'refused',
    `the configuration of sshd and PAM cannot name the group ${quoted(name)}`,
    'create a group with another name: groupadd NAME',
  );
}

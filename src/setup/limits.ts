/** Limits that sshd_config sets for users. A forced gate would replace a limiting command, and it does not exist inside a chroot(2). */
import { groupAlike } from '../doctor/people.ts';
import { setting, type Effective } from '../doctor/sshd/effective.ts';
import { meansGate } from '../doctor/sshd/gate-command.ts';
import { canBeAsked, ownAddresses } from '../doctor/sshd/sshd.ts';
import { readSshdFiles } from '../doctor/sshd/files.ts';
import { askServer } from '../doctor/sshd/run.ts';
import { installedServer } from '../doctor/sshd/servers.ts';
import { vantages } from '../doctor/sshd/vantage.ts';
import { NotpError } from '../error.ts';
import { allUsers, groupsByName, type User } from '../system/users.ts';
import { isEverybody, type Scope } from './scope.ts';
import { SSHD_CONFIG } from './sshd-drop-in.ts';

const MAX_NAMES = 5;
const PORT = 22;

/**
 * The users of `scope` whom sshd limits by another ForceCommand or a ChrootDirectory, from any address, with the values. The caller has
 * checked that sshd accepts its configuration. Throws `refused` if sshd does not answer, `failed` if the passwd database does not.
 */
export async function limitsOf(scope: Scope): Promise<string[]> {
  const server = installedServer(SSHD_CONFIG);
  if (server === undefined) return [];
  const { criteria } = readSshdFiles(SSHD_CONFIG);
  const users = usersIn(scope).filter(({ name }) => canBeAsked(name));
  const from = vantages(criteria, { ports: [PORT], own: ownAddresses() });
  const groups = groupAlike(
    users.map((user) => ({ user, enrolments: [] })),
    criteria,
  ).map((group) => group.map(({ user }) => user.name));
  const questions = groups.flatMap(([user = '']) => from.map((vantage) => ({ user, vantage })));
  const answers = await askServer(server, { version: undefined, keyOptions: [] }, questions, () => undefined);
  if ('refused' in answers) throw new NotpError('refused', `sshd does not print its configuration: ${answers.refused}`);
  return groups.flatMap((names, i) => {
    const limits = new Set(answers.slice(i * from.length, (i + 1) * from.length).flatMap(limitsIn));
    return limits.size === 0 ? [] : [`${listed(names)} (${[...limits].join(', ')})`];
  });
}

function usersIn(scope: Scope): User[] {
  const users = allUsers();
  if (isEverybody(scope)) return users;
  const groups = scope.groups.length === 0 ? undefined : groupsByName(users.map(({ name }) => name));
  return users.filter(
    ({ name, uid }) =>
      scope.users.some((user) => user.uid === uid) || groups?.get(name)?.some((group) => scope.groups.includes(group)) === true,
  );
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

function listed(names: readonly string[]): string {
  const more = names.length > MAX_NAMES ? ` and ${String(names.length - MAX_NAMES)} more` : '';
  return `${names.slice(0, MAX_NAMES).join(', ')}${more}`;
}

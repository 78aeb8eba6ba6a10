/** The family of keys: rule FC13. A forced gate makes sshd drop a key's own `command=`; the gate keeps to it where it can know the key. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { errnoOf, messageOf } from '../error.ts';
import { parseAuthorizedKey } from '../system/authorized-keys.ts';
import { asUser } from '../system/privileges.ts';
import type { User } from '../system/users.ts';
import { is, setting, words, type Effective } from './effective.ts';
import { ok, type Finding } from './finding.ts';
import { meansGate } from './gate-command.ts';
import type { Person } from './people.ts';

/** Where the gate looks for a key's command, see system/authorized-keys.ts. */
const LOOKED_AT = ['.ssh/authorized_keys', '.ssh/authorized_keys2'];
const MAX_BYTES = 4 * 1024 * 1024;
const TITLE = "A key's own command= is lost: after the code the key opens a whole shell";

/** `effective`: what sshd does with each user. */
export async function examineKeys(people: readonly Person[], effective: ReadonlyMap<string, Effective>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { user } of people) {
    const own = effective.get(user.name);
    if (own === undefined || !meansGate(setting(own, 'forcecommand'))) continue;
    findings.push(...(await asUser(user, () => [...lostCommands(user, own), ...environmentFile(user, own)])), ...givenByProgram(user, own));
  }
  return findings.some(({ id }) => id === 'FC13') ? findings : [...findings, ok('FC13', "No key's own command= is lost")];
}

function lostCommands(user: User, effective: Effective): Finding[] {
  const exposed = is(effective, 'exposeauthinfo', 'yes');
  const home = path.resolve(user.home);
  return words(effective, 'authorizedkeysfile')
    .filter((file) => file !== 'none')
    .flatMap((template) => {
      const file = path.resolve(
        home,
        template.replace(/%(.)/g, (_, letter: string) => expanded(letter, user)),
      );
      const honoured = exposed && LOOKED_AT.some((name) => file === path.join(home, name));
      const count = honoured ? 0 : restrictedKeys(file);
      if (typeof count === 'string') return [unread(user, count)];
      if (count === 0) return [];
      const fix = exposed ? `move the keys with command= to ${home}/.ssh/authorized_keys` : 'ExposeAuthInfo yes';
      return [
        { id: 'FC13', severity: 'fail', title: TITLE, detail: `${file}: ${String(count)} with command=`, fix, user: user.name } as const,
      ];
    });
}

/** How many keys of a file have a command of their own, or why that cannot be told. A file that is not there has none. */
function restrictedKeys(file: string): number | string {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
  let fd: number | undefined;
  try {
    // The user may have put a FIFO there: it must not hold up whoever looks at everybody.
    fd = fs.openSync(file, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    const stats = fs.fstatSync(fd);
    if (!stats.isFile() || stats.size > MAX_BYTES) return `${file} is no file of keys`;
    const keys = fs.readFileSync(fd, 'utf8').split('\n').map(parseAuthorizedKey);
    return keys.filter((key) => key?.command !== undefined).length;
  } catch (error) {
    return errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR' ? 0 : messageOf(error);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** TOKENS in sshd_config(5). */
function expanded(letter: string, { name, uid, home }: User): string {
  return { u: name, h: home, U: String(uid), '%': '%' }[letter] ?? `%${letter}`;
}

function givenByProgram(user: User, effective: Effective): Finding[] {
  const program = setting(effective, 'authorizedkeyscommand');
  if (program === '' || program === 'none') return [];
  const title = 'Keys come from a program, and a command= of theirs is not known to the gate';
  return [
    {
      id: 'FC13',
      severity: 'warn',
      title,
      detail: `AuthorizedKeysCommand ${program}`,
      fix: 'let it give no keys with command=',
      user: user.name,
    },
  ];
}

/** What ~/.ssh/environment sets where sshd reads it. */
function environmentFile(user: User, effective: Effective): Finding[] {
  const file = path.join(user.home, '.ssh/environment');
  if (is(effective, 'permituserenvironment', 'no') || !fs.existsSync(file)) return [];
  const title = 'A file of the user sets variables for the gate';
  return [
    {
      id: 'user-environment',
      severity: 'fail',
      title,
      detail: file,
      fix: 'PermitUserEnvironment no (outside any Match block)',
      user: user.name,
    },
  ];
}

function unread(user: User, why: string): Finding {
  return {
    id: 'FC13',
    severity: 'warn',
    title: 'The keys of a user cannot be looked at',
    detail: why,
    fix: 'check the owner and mode of the file',
    user: user.name,
  };
}

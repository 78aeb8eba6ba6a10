/**
 * The family of keys: rule FC13. A forced gate makes sshd drop a key's own `command=`; the gate keeps to it where it can know the key, and
 * refuses a key that it finds nowhere.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { messageOf } from '../error.ts';
import { keyFiles, authorizedKeysOf, type AuthorizedKey } from '../system/authorized-keys.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import type { User } from '../system/users.ts';
import { is, setting, words, type Effective } from './effective.ts';
import { ok, type Finding } from './finding.ts';
import { meansGate } from './gate-command.ts';
import type { Person } from './people.ts';

const LOST = "A key's own command= is lost: after the code the key opens a whole shell";
const UNTOLD = 'The gate is not told which key was used, and refuses users who may have come with a limited one';
const REFUSED = 'The gate refuses keys that stand in no file it reads';

/** `effective`: what sshd does with each user. `gate`: what the gate reads, [gate] in notp.toml. */
export async function examineKeys(
  people: readonly Person[],
  effective: ReadonlyMap<string, Effective>,
  gate: Config['gate'],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { user } of people) {
    const own = effective.get(user.name);
    if (own === undefined || !meansGate(setting(own, 'forcecommand'))) continue;
    const keys = is(own, 'exposeauthinfo', 'yes') ? refusedKeys : lostCommands;
    findings.push(...(await asUser(user, () => [...keys(user, own, gate), ...environmentFile(user, own)])));
  }
  return findings.some(({ id }) => id === 'FC13') ? findings : [...findings, ok('FC13', "The gate knows every key's own command=")];
}

/** Where the gate knows the key: what it would refuse. The caller is `user`, or root as them. */
export function refusedKeys(user: User, effective: Effective, gate: Config['gate']): Finding[] {
  const listed = gate.authorizedKeys;
  const read = keyFiles(listed, user);
  const templates = keyFilesOfSshd(effective);
  const all = [...listed, ...templates.filter((template) => !read.includes(keyFile(template, user)))];
  const fix = `under [gate] in notp.toml: authorized_keys = [${all.map((file) => JSON.stringify(file)).join(', ')}]`;
  const unlisted = templates.map((template) => keyFile(template, user)).filter((file) => !read.includes(file));
  return [
    ...read.flatMap((file) => keysIn(file, user).findings),
    ...unlisted.flatMap((file) => {
      const { keys, findings } = keysIn(file, user);
      if (findings.length > 0) return findings;
      const severity = keys.length > 0 ? 'fail' : 'warn';
      const detail = `sshd reads ${file}, the gate does not: ${String(keys.length)} keys of ${user.name} there now`;
      return [{ id: 'FC13', severity, title: REFUSED, detail, fix, user: user.name } as const];
    }),
    ...givenByProgram(user, effective, read),
    ...certificates(user, effective, gate),
  ];
}

/** Where the gate is not told the key: it refuses users for whom it sees a limit, and the others are lost. */
function lostCommands(user: User, effective: Effective, gate: Config['gate']): Finding[] {
  const read = keyFiles(gate.authorizedKeys, user);
  const fix = 'ExposeAuthInfo yes';
  const id = 'FC13';
  const inFiles = keyFilesOfSshd(effective).flatMap((template): Finding[] => {
    const file = keyFile(template, user);
    const { keys, findings } = keysIn(file, user);
    const count = keys.filter(({ command }) => command !== undefined).length;
    if (count === 0) return findings;
    return [
      {
        id,
        severity: 'fail',
        title: read.includes(file) ? UNTOLD : LOST,
        detail: `${file}: ${String(count)} with command=`,
        fix,
        user: user.name,
      },
    ];
  });
  const program = keyProgram(effective);
  if (program === undefined) return inFiles;
  const title = 'Keys come from a program, and a command= of theirs is not known to the gate';
  return [...inFiles, { id, severity: 'warn', title, detail: `AuthorizedKeysCommand ${program}`, fix, user: user.name }];
}

function keyFilesOfSshd(effective: Effective): string[] {
  return words(effective, 'authorizedkeysfile').filter((file) => file !== 'none');
}

function keyFile(template: string, user: User): string {
  return keyFiles([template], user)[0] ?? '';
}

function keysIn(file: string, user: User): { keys: AuthorizedKey[]; findings: Finding[] } {
  try {
    return { keys: authorizedKeysOf(file), findings: [] };
  } catch (error) {
    return { keys: [], findings: [unread(user, messageOf(error))] };
  }
}

/** Nobody can tell which keys it gives: who has none in a file can only come with one of those. */
function givenByProgram(user: User, effective: Effective, read: readonly string[]): Finding[] {
  const program = keyProgram(effective);
  if (program === undefined) return [];
  const hasOthers = read.some((file) => keysIn(file, user).keys.length > 0);
  const severity = hasOthers ? 'warn' : 'fail';
  const title = 'The gate refuses keys that come from a program, for it cannot know their limits';
  const fix = 'write them into files and list those in [gate] authorized_keys of notp.toml, or use the PAM door (notp setup pam)';
  return [{ id: 'FC13', severity, title, detail: `AuthorizedKeysCommand ${program}`, fix, user: user.name }];
}

/** Certificates of sshd's own authorities: the gate must know the authority, and where the principals stand. */
function certificates(user: User, effective: Effective, gate: Config['gate']): Finding[] {
  const [authorities, principals, program] = ['trustedusercakeys', 'authorizedprincipalsfile', 'authorizedprincipalscommand'].map((name) =>
    given(effective, name),
  );
  if (authorities === undefined) return [];
  const finding = (title: string, detail: string, fix: string): Finding => ({
    id: 'FC13',
    severity: 'fail',
    title,
    detail,
    fix,
    user: user.name,
  });
  if (program !== undefined) {
    const fix = 'AuthorizedPrincipalsFile in its place, or the PAM door (notp setup pam)';
    return [
      finding('Principals come from a program, and their limits are not known to the gate', `AuthorizedPrincipalsCommand ${program}`, fix),
    ];
  }
  if (authorities === gate.trustedUserCaKeys && principals === gate.authorizedPrincipals) return [];
  const detail = `sshd has TrustedUserCAKeys ${authorities} and AuthorizedPrincipalsFile ${principals ?? 'none'}, the gate others`;
  const lines = `trusted_user_ca_keys = ${JSON.stringify(authorities)} and authorized_principals = ${JSON.stringify(principals ?? '')}`;
  return [
    finding('The gate refuses certificates whose authority or principals it does not know', detail, `under [gate] in notp.toml: ${lines}`),
  ];
}

function given(effective: Effective, name: string): string | undefined {
  const value = setting(effective, name);
  return value === '' || value === 'none' ? undefined : value;
}

function keyProgram(effective: Effective): string | undefined {
  return given(effective, 'authorizedkeyscommand');
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
    title: 'The keys of a user cannot be looked at, and the gate refuses the user for it',
    detail: why,
    fix: 'make it a file that the user can read, or take it away',
    user: user.name,
  };
}

/**
 * The family of keys: rule FC13. A forced gate makes sshd drop a key's own `command=`; the gate keeps to it where it can know the key, and
 * refuses a key that it finds nowhere.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { messageOf } from '../../error.ts';
import { keyFiles, authorizedKeysOf, isUnlimited, type AuthorizedKey } from '../../system/authorized-keys.ts';
import type { Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import type { User } from '../../system/users.ts';
import { is, setting, words, type Effective } from './effective.ts';
import { ok, type Finding } from '../finding.ts';
import { meansGate } from './gate-command.ts';
import type { Person } from '../people.ts';

const LOST = "A key's own command= is lost: after the code the key opens a whole shell";
const UNTOLD = 'The gate is not told which key was used, and refuses users who may have come with a limited one';
const DIFFERENT = 'The gate does not read the files of keys that sshd reads, in the same order';

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
    const isTold = is(own, 'exposeauthinfo', 'yes');
    const keys = isTold ? refusedKeys : gate.exposeAuthInfo ? () => [] : lostCommands;
    findings.push(...exposure(user, isTold, gate));
    findings.push(...(await asUser(user, () => [...keys(user, own, gate), ...environmentFile(user, own)])));
  }
  return findings.some(({ id }) => id === 'FC13') ? findings : [...findings, ok('FC13', "The gate knows every key's own command=")];
}

/** Whether sshd tells the key is configuration on both sides: where sshd only fails to tell it, the gate must not go on without. */
function exposure(user: User, isTold: boolean, gate: Config['gate']): Finding[] {
  if (isTold === gate.exposeAuthInfo) return [];
  const [title, fix] = isTold
    ? ['The gate goes on where sshd fails to tell which key was used', 'under [gate] in notp.toml: expose_auth_info = true']
    : ['The gate refuses everybody, for sshd does not tell which key was used', 'ExposeAuthInfo yes'];
  const detail = `sshd has ExposeAuthInfo ${isTold ? 'yes' : 'no'}, the gate expose_auth_info = ${String(gate.exposeAuthInfo)}`;
  return [{ id: 'FC13', severity: 'fail', title, detail, fix, user: user.name }];
}

/** Where the gate knows the key: what it would refuse, or judge by other lines than sshd. The caller is `user`, or root as them. */
export function refusedKeys(user: User, effective: Effective, gate: Config['gate']): Finding[] {
  const read = keyFiles(gate.authorizedKeys, user);
  const unreadable = read.flatMap((file) => keysIn(file, user).findings);
  return [
    ...unreadable,
    ...otherFiles(user, effective, read),
    ...givenByProgram(user, effective, read),
    ...certificates(user, effective, gate),
  ];
}

/** A key in a file that only sshd reads is refused; one in a file that only the gate reads may overrule the administrator's limit. */
function otherFiles(user: User, effective: Effective, read: readonly string[]): Finding[] {
  const templates = keyFilesOfSshd(effective);
  const files = keyFiles(templates, user);
  if (files.length === read.length && files.every((file, i) => file === read[i])) return [];
  const detail = `sshd reads ${files.join(', then ') || 'no file'}; the gate reads ${read.join(', then ') || 'no file'}`;
  const fix = `under [gate] in notp.toml: authorized_keys = [${templates.map((file) => JSON.stringify(file)).join(', ')}]`;
  return [{ id: 'FC13', severity: 'fail', title: DIFFERENT, detail, fix, user: user.name }];
}

/** Where the gate is not told the key: it refuses users for whom it sees a limit, and the others are lost. */
function lostCommands(user: User, effective: Effective, gate: Config['gate']): Finding[] {
  const read = keyFiles(gate.authorizedKeys, user);
  const fix = 'ExposeAuthInfo yes';
  const id = 'FC13';
  const inFiles = keyFilesOfSshd(effective).flatMap((template): Finding[] => {
    const file = keyFile(template, user);
    const { keys, findings } = keysIn(file, user);
    const count = keys.filter((line) => !isUnlimited(line)).length;
    if (count === 0) return findings;
    return [
      {
        id,
        severity: 'fail',
        title: read.includes(file) ? UNTOLD : LOST,
        detail: `${file}: ${String(count)} with command=, cert-authority or something that notp cannot read`,
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
  const finding = (title: string, detail: string, fix: string): Finding => ({
    id: 'FC13',
    severity: 'fail',
    title,
    detail,
    fix,
    user: user.name,
  });
  if (authorities !== undefined && program !== undefined) {
    const fix = 'AuthorizedPrincipalsFile in its place, or the PAM door (notp setup pam)';
    return [
      finding('Principals come from a program, and their limits are not known to the gate', `AuthorizedPrincipalsCommand ${program}`, fix),
    ];
  }
  // Without authorities sshd looks at no principals.
  const isSame = principals === gate.authorizedPrincipals || (authorities === undefined && gate.authorizedPrincipals === undefined);
  if (authorities === gate.trustedUserCaKeys && isSame) return [];
  const detail = `sshd has TrustedUserCAKeys ${authorities ?? 'none'} and AuthorizedPrincipalsFile ${principals ?? 'none'}, the gate others`;
  const lines = `trusted_user_ca_keys = ${JSON.stringify(authorities ?? '')} and authorized_principals = ${JSON.stringify(principals ?? '')}`;
  return [
    finding(
      'The gate does not know the authorities and principals of certificates as sshd does',
      detail,
      `under [gate] in notp.toml: ${lines}`,
    ),
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
    severity: 'fail',
    title: 'The keys of a user cannot be looked at, and the gate refuses the user for it',
    detail: why,
    fix: 'make it a file that the user can read, or take it away',
    user: user.name,
  };
}

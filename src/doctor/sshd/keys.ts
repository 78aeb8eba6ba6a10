/**
 * Checks of keys, rule FC13. With a forced gate, sshd ignores a key's own `command=`. The gate enforces it if sshd tells which key was used,
 * and refuses a key that it finds in no file.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { messageOf } from '../../error.ts';
import { keyFiles, authorizedKeysOf, isUnlimited, type AuthorizedKey } from '../../system/ssh/authorized-keys.ts';
import type { Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import type { User } from '../../system/users.ts';
import { is, setting, words, type Effective } from './effective.ts';
import { judgeEach, type Seen } from './seen.ts';
import { ok, type Finding } from '../finding.ts';
import { meansGate } from './gate-command.ts';
import type { Person } from '../people.ts';

const LIMIT_LOST = "A key's own command= is lost: after the code the key opens a full shell";
const KEY_UNKNOWN = 'The gate does not know which key was used, and refuses users who may have used a limited one';
const UNREADABLE = 'The keys of a user cannot be read, so the gate refuses the user';
const OTHER_FILES = 'The gate does not read the same key files as sshd in the same order';

/** `perUser`: the configurations of each user. `gate`: [gate] in notp.toml, which names the files that the gate reads. */
export async function examineKeys(people: readonly Person[], perUser: ReadonlyMap<string, Seen>, gate: Config['gate']): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { user } of people) {
    const gated = (perUser.get(user.name) ?? []).filter(({ effective }) => meansGate(setting(effective, 'forcecommand')));
    if (gated.length > 0) findings.push(...(await asUser(user, () => judgeEach(gated, (effective) => keysAt(user, effective, gate)))));
  }
  return findings.some(({ id }) => id === 'FC13') ? findings : [...findings, ok('FC13', "The gate knows every key's own command=")];
}

function keysAt(user: User, effective: Effective, gate: Config['gate']): Finding[] {
  const isTold = is(effective, 'exposeauthinfo', 'yes');
  const keys = isTold ? refusedKeys : gate.exposeAuthInfo ? () => [] : lostCommands;
  return [...exposure(user, isTold, gate), ...keys(user, effective, gate), ...environmentFile(user, effective)];
}

/** Both sides must agree on whether sshd tells the key. If sshd should but fails to, the gate must refuse. */
function exposure(user: User, isTold: boolean, gate: Config['gate']): Finding[] {
  if (isTold === gate.exposeAuthInfo) return [];
  const [title, fix] = isTold
    ? ['The gate goes on if sshd fails to tell which key was used', 'under [gate] in notp.toml: expose_auth_info = true']
    : ['The gate refuses everybody, because sshd does not tell which key was used', 'ExposeAuthInfo yes'];
  const detail = `sshd has ExposeAuthInfo ${isTold ? 'yes' : 'no'}, the gate expose_auth_info = ${String(gate.exposeAuthInfo)}`;
  return [{ id: 'FC13', severity: 'fail', title, detail, fix, user: user.name }];
}

/** For a gate that knows the key: keys that it would refuse, or check by other lines than sshd. The caller is `user`, or root as them. */
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

/** The gate refuses a key in a file that only sshd reads. One in a file that only the gate reads may override the administrator's limit. */
function otherFiles(user: User, effective: Effective, read: readonly string[]): Finding[] {
  const templates = keyFilesOfSshd(effective);
  const files = keyFiles(templates, user);
  if (files.length === read.length && files.every((file, i) => file === read[i])) return [];
  const detail = `sshd reads ${files.join(', then ') || 'no file'}; the gate reads ${read.join(', then ') || 'no file'}`;
  const fix = `under [gate] in notp.toml: authorized_keys = [${templates.map((file) => JSON.stringify(file)).join(', ')}]`;
  return [{ id: 'FC13', severity: 'fail', title: OTHER_FILES, detail, fix, user: user.name }];
}

/** For a gate that does not know the key: it refuses users with a limited key in a file that it reads. Limits in other files are lost. */
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
        title: read.includes(file) ? KEY_UNKNOWN : LIMIT_LOST,
        detail: `${file}: ${String(count)} with command=, cert-authority or something that notp cannot read`,
        fix,
        user: user.name,
      },
    ];
  });
  const program = keyProgram(effective);
  if (program === undefined) return inFiles;
  const title = 'Keys come from a program, and the gate does not know their command=';
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
    return { keys: [], findings: [keysUnreadable(user, messageOf(error))] };
  }
}

/** The keys of the program are unknown. A user without a key in a file can only use one of those. */
function givenByProgram(user: User, effective: Effective, read: readonly string[]): Finding[] {
  const program = keyProgram(effective);
  if (program === undefined) return [];
  const hasOthers = read.some((file) => keysIn(file, user).keys.length > 0);
  const severity = hasOthers ? 'warn' : 'fail';
  const title = 'The gate refuses keys that come from a program, because it cannot know their limits';
  const fix = 'write them into files and list those in [gate] authorized_keys of notp.toml, or use the PAM door (notp setup pam)';
  return [{ id: 'FC13', severity, title, detail: `AuthorizedKeysCommand ${program}`, fix, user: user.name }];
}

/** Certificates of sshd's own authorities: the gate must know the authority and the file of principals. */
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
      finding('Principals come from a program, and the gate does not know their limits', `AuthorizedPrincipalsCommand ${program}`, fix),
    ];
  }
  // Without authorities sshd reads no principals.
  const isSame = principals === gate.authorizedPrincipals || (authorities === undefined && gate.authorizedPrincipals === undefined);
  if (authorities === gate.trustedUserCaKeys && isSame) return [];
  const detail = `sshd has TrustedUserCAKeys ${authorities ?? 'none'} and AuthorizedPrincipalsFile ${principals ?? 'none'}, the gate has others`;
  const lines = `trusted_user_ca_keys = ${JSON.stringify(authorities ?? '')} and authorized_principals = ${JSON.stringify(principals ?? '')}`;
  return [
    finding(
      'The gate does not have the same authorities and principals of certificates as sshd',
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

/** The user's ~/.ssh/environment, if sshd reads it. */
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

/** Whether the finding is about nothing but what a user has put into their own home, which keeps out only them. */
export function isOfOwnFiles({ id, title }: Finding): boolean {
  return id === 'FC13' && title === UNREADABLE;
}

function keysUnreadable(user: User, why: string): Finding {
  return {
    id: 'FC13',
    severity: 'fail',
    title: UNREADABLE,
    detail: why,
    fix: 'make it a file that the user can read, or remove it',
    user: user.name,
  };
}

/** The family of login shells: rule FC11. sshd runs the gate through them, so what they read first comes before the code. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ok, type Finding } from '../finding.ts';
import type { Person } from '../people.ts';
import { whoElse } from './trust.ts';

const SHELLS = '/etc/shells';
/** They read ~/.tcshrc or ~/.cshrc whatever the environment says. */
const UNTAMED = /^t?csh$/;
/** With what SetEnv sets and blanks (FC9) they read no file of the user before a command. */
const TAMED = /^(sh|dash|ash|bash|zsh|fish|ksh|ksh93|mksh|lksh|oksh)(-static|[-.\d]+)?$/;
/** They run no program that has a path, so never the gate. */
const RESTRICTED = /^r(bash|zsh|ksh)$/;
/** Who has one of these does not log in. */
const NO_SHELLS = ['nologin', 'false', 'sync', 'shutdown', 'halt'];
const OTHER_SHELL = 'another shell (chsh -s /bin/bash), or the PAM door (notp setup pam)';

/** `people`: those whom the gate is forced for. */
export function examineShells(people: readonly Person[]): Finding[] {
  const listed = fs.existsSync(SHELLS) ? fs.readFileSync(SHELLS, 'utf8').split('\n') : undefined;
  const findings = people.flatMap(({ user: { name, shell } }) => {
    const found = wrongWith(shell, listed);
    return found === undefined ? [] : [{ id: 'FC11', title: 'The login shell does not go with the gate', ...found, user: name }];
  });
  return findings.length > 0 ? findings : [ok('FC11', 'No login shell reads files of the user before the gate')];
}

/** Whether the shell runs what the user wrote before the gate, which nothing closes, or can itself be changed by others than root. */
export function runsFilesOfUser(shell: string): boolean {
  return readsOwnFile(shell) || (fs.existsSync(shell) && whoElse(shell) !== undefined);
}

function readsOwnFile(shell: string): boolean {
  return UNTAMED.test(path.basename(shell));
}

type Wrong = Pick<Finding, 'severity' | 'detail' | 'fix'>;

function wrongWith(shell: string, listed: readonly string[] | undefined): Wrong | undefined {
  const name = path.basename(shell);
  // Before the name says anything: it may be anybody's program.
  const other = fs.existsSync(shell) ? whoElse(shell) : undefined;
  if (other !== undefined) return { severity: 'fail', detail: `${shell} runs before the gate, and ${other}`, fix: OTHER_SHELL };
  if (NO_SHELLS.includes(name)) return undefined;
  if (readsOwnFile(shell)) return { severity: 'fail', detail: `${shell} reads ~/.${name}rc before the gate`, fix: OTHER_SHELL };
  if (!fs.existsSync(shell)) return warning(`${shell} is not there`, 'chsh -s /bin/bash');
  if (RESTRICTED.test(name)) return warning(`${shell} runs no program that has a path, so not the gate: nobody gets in`, OTHER_SHELL);
  if (!TAMED.test(name)) return warning(`what ${shell} reads before the gate, notp does not know`, OTHER_SHELL);
  // pam_shells(8) and some programs refuse it, and nobody has looked at it.
  return listed?.includes(shell) === false ? warning(`${shell} is not in ${SHELLS}`, `another shell, or add it to ${SHELLS}`) : undefined;
}

function warning(detail: string, fix: string): Wrong {
  return { severity: 'warn', detail, fix };
}

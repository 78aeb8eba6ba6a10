/** The family of login shells: rule FC11. sshd runs the gate through them, so what they read first comes before the code. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ok, type Finding } from './finding.ts';
import type { Person } from './people.ts';

const SHELLS = '/etc/shells';
/** They read ~/.tcshrc or ~/.cshrc whatever the environment says. */
const UNTAMED = ['tcsh', 'csh'];
/** Who has one of these does not log in. */
const NO_SHELLS = ['nologin', 'false'];

export function examineShells(people: readonly Person[]): Finding[] {
  const listed = fs.existsSync(SHELLS) ? fs.readFileSync(SHELLS, 'utf8').split('\n') : undefined;
  const findings = people.flatMap(({ user: { name, shell } }) => {
    const problem = wrongWith(shell, listed);
    return problem === undefined ? [] : [findingOf(name, ...problem)];
  });
  return findings.length > 0 ? findings : [ok('FC11', 'No login shell reads files of the user that cannot be kept from it')];
}

function wrongWith(shell: string, listed: readonly string[] | undefined): [why: string, fix: string] | undefined {
  const name = path.basename(shell);
  if (NO_SHELLS.includes(name)) return undefined;
  if (UNTAMED.includes(name)) return [`${shell} reads ~/.${name}rc before the gate`, 'another shell (chsh -s /bin/bash), or the PAM door'];
  if (!fs.existsSync(shell)) return [`${shell} is not there`, 'chsh -s /bin/bash'];
  // pam_shells(8) and some programs refuse it, and nobody has looked at it.
  return listed?.includes(shell) === false ? [`${shell} is not in ${SHELLS}`, `another shell, or add it to ${SHELLS}`] : undefined;
}

function findingOf(user: string, detail: string, fix: string): Finding {
  return { id: 'FC11', severity: 'warn', title: 'The login shell does not go with the gate', detail, fix, user };
}

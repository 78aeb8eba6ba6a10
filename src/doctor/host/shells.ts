/** The family of login shells: rule FC11. sshd runs the gate through them, so what they read first comes before the code. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ok, type Finding } from '../finding.ts';
import type { Person } from '../people.ts';
import { whyUntrusted } from './trust.ts';

const SHELLS = '/etc/shells';
/** They read ~/.tcshrc or ~/.cshrc whatever the environment says: csh, bsd-csh, tcsh. */
const UNTAMED = /csh(-static|[-.\d]+)?$/;
/** What every csh has in it, for it reads the file of the host too: a copy or a hard link may have any name. */
const CSHRC = 'csh.cshrc';
/** With what SetEnv sets and blanks (FC9) they read no file of the user before a command. */
const TAMED = /^(sh|dash|ash|bash|zsh|fish|ksh|ksh93|mksh|lksh|oksh)(-static|[-.\d]+)?$/;
/** Many programs in one, which go by the name that they are called by. */
const BOX = /^busybox/;
const MAX_SHELL_BYTES = 256 * 1024 * 1024;
/** They run no program that has a path, so never the gate. */
const RESTRICTED = /^r(bash|zsh|ksh)$/;
/** Who has one of these does not log in. */
const NO_SHELLS = ['nologin', 'false', 'sync', 'shutdown', 'halt'];
const OTHER_SHELL = 'another shell (chsh -s /bin/bash), or the PAM door (notp setup pam)';

/** `people`: those whom the gate is forced for. */
export function examineShells(people: readonly Person[]): Finding[] {
  const listed = fs.existsSync(SHELLS) ? fs.readFileSync(SHELLS, 'utf8').split('\n') : undefined;
  const wrong = new Map([...new Set(people.map(({ user }) => user.shell))].map((shell) => [shell, wrongWith(shell, listed)]));
  const findings = people.flatMap(({ user: { name, shell } }) => {
    const found = wrong.get(shell);
    return found === undefined ? [] : [{ id: 'FC11', title: 'The login shell does not go with the gate', ...found, user: name }];
  });
  return findings.length > 0 ? findings : [ok('FC11', 'No login shell reads files of the user before the gate')];
}

/** Those of `shells` that run what the user wrote before the gate, which nothing closes, or that can themselves be changed by others than root. */
export function unsafeShells(shells: readonly string[]): ReadonlySet<string> {
  const each = [...new Set(shells)];
  return new Set(each.filter((shell) => isCsh(lookAt(shell)) || (fs.existsSync(shell) && whyUntrusted(shell) !== undefined)));
}

/** A shell as the entry names it, and the file that this leads to. */
interface Shell {
  readonly name: string;
  /** The name of the file; the same where it is not there. */
  readonly real: string;
  /** Undefined where it cannot be read. */
  readonly content: Buffer | undefined;
}

function lookAt(shell: string): Shell {
  const name = path.basename(shell);
  try {
    const file = fs.realpathSync(shell);
    const stats = fs.statSync(file);
    const isRead = stats.isFile() && stats.size <= MAX_SHELL_BYTES;
    return { name, real: path.basename(file), content: isRead ? fs.readFileSync(file) : undefined };
  } catch {
    return { name, real: name, content: undefined };
  }
}

function isCsh({ name, real, content }: Shell): boolean {
  return UNTAMED.test(name) || UNTAMED.test(real) || content?.includes(CSHRC) === true;
}

/** A script may start anything. */
function isTamed({ name, real, content }: Shell): boolean {
  return TAMED.test(name) && (TAMED.test(real) || BOX.test(real)) && content?.subarray(0, 2).toString('latin1') !== '#!';
}

type Wrong = Pick<Finding, 'severity' | 'detail' | 'fix'>;

function wrongWith(shell: string, listed: readonly string[] | undefined): Wrong | undefined {
  // Before the name says anything: it may be anybody's program.
  const other = fs.existsSync(shell) ? whyUntrusted(shell) : undefined;
  if (other !== undefined) return { severity: 'fail', detail: `${shell} runs before the gate, and ${other}`, fix: OTHER_SHELL };
  const looked = lookAt(shell);
  const { name, real } = looked;
  const told = real === name ? shell : `${shell} (${real})`;
  if (isCsh(looked))
    return { severity: 'fail', detail: `${told} is a csh, which reads ~/.tcshrc or ~/.cshrc before the gate`, fix: OTHER_SHELL };
  if (NO_SHELLS.includes(name)) return undefined;
  if (!fs.existsSync(shell)) return warning(`${shell} is not there`, 'chsh -s /bin/bash');
  if (RESTRICTED.test(name)) return warning(`${shell} runs no program that has a path, so not the gate: nobody gets in`, OTHER_SHELL);
  if (!isTamed(looked)) return warning(`what ${told} reads before the gate, notp does not know`, OTHER_SHELL);
  // pam_shells(8) and some programs refuse it, and nobody has looked at it.
  return listed?.includes(shell) === false ? warning(`${shell} is not in ${SHELLS}`, `another shell, or add it to ${SHELLS}`) : undefined;
}

function warning(detail: string, fix: string): Wrong {
  return { severity: 'warn', detail, fix };
}

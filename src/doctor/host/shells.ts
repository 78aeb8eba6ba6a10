/** Checks of login shells, rule FC11. sshd runs the gate through the login shell, so the shell's start files run before the code. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { textIfThere } from '../../system/if-there.ts';
import { ok, type Finding } from '../finding.ts';
import type { Person } from '../people.ts';
import { whyUnsafe } from './trust.ts';

const SHELLS = '/etc/shells';
/** Shells that read ~/.tcshrc or ~/.cshrc in any environment: csh, bsd-csh, tcsh. */
const UNTAMED = /csh(-static|[-.\d]+)?$/;
/** A copy or a hard link of a csh may have any name, but each contains this: the name of the host's file that it reads. */
const CSHRC = 'csh.cshrc';
/** With the variables that SetEnv sets or empties (FC9), these read no file of the user before a command. */
const TAMED = /^(sh|dash|ash|bash|zsh|fish|ksh|ksh93|mksh|lksh|oksh)(-static|[-.\d]+)?$/;
/** A program that behaves as the shell whose name it is called by. */
const BOX = /^busybox/;
const MAX_SHELL_BYTES = 256 * 1024 * 1024;
/** Shells that run no program with a path, or only programs of their own, so never the gate. Another shell would take that limit away. */
const RESTRICTED = /^(r(bash|zsh|ksh)|git-shell|rssh|scponlyc?|lshell|MySecureShell|mysecureshell)$/;
/** Programs that no user can log in with. */
const NO_SHELLS = ['nologin', 'false', 'sync', 'shutdown', 'halt'];
const PAM_DOOR = 'the PAM door (notp setup pam), which needs no shell';
const OTHER_SHELL = 'another shell (chsh -s /bin/bash), or the PAM door (notp setup pam)';

/** `people`: the people for whom sshd forces the gate. */
export function examineShells(people: readonly Person[]): Finding[] {
  const listed = textIfThere(SHELLS)?.split('\n');
  const wrong = new Map([...new Set(people.map(({ user }) => user.shell))].map((shell) => [shell, wrongWith(shell, listed)]));
  const findings = people.flatMap(({ user: { name, shell } }) => {
    const found = wrong.get(shell);
    return found === undefined ? [] : [{ id: 'FC11', title: 'The login shell does not work safely with the gate', ...found, user: name }];
  });
  return findings.length > 0 ? findings : [ok('FC11', 'No login shell reads files of the user before the gate')];
}

/** The `shells` that run the user's own files before the gate, which nothing can prevent, or that users other than root can change. */
export function unsafeShells(shells: readonly string[]): ReadonlySet<string> {
  const each = [...new Set(shells)];
  return new Set(each.filter((shell) => isCsh(lookAt(shell)) || whyUnsafe(shell) !== undefined));
}

/** A shell as the passwd entry names it, and the file it leads to. */
interface Shell {
  readonly name: string;
  /** The name of the file; the same as `name` if there is none. */
  readonly real: string;
  /** Undefined if it cannot be read. */
  readonly content: Buffer | undefined;
}

function lookAt(shell: string): Shell {
  const name = path.basename(shell);
  try {
    const file = fs.realpathSync(shell);
    return { name, real: path.basename(file), content: contentOf(file) };
  } catch {
    return { name, real: name, content: undefined };
  }
}

/** A shell may lie in a home, where its owner can put a FIFO in its place at any time. */
function contentOf(file: string): Buffer | undefined {
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    const stats = fs.fstatSync(fd);
    return stats.isFile() && stats.size <= MAX_SHELL_BYTES ? fs.readFileSync(fd) : undefined;
  } finally {
    fs.closeSync(fd);
  }
}

function isCsh({ name, real, content }: Shell): boolean {
  return UNTAMED.test(name) || UNTAMED.test(real) || content?.includes(CSHRC) === true;
}

/** A script is not accepted: it may start anything. */
function isTamed({ name, real, content }: Shell): boolean {
  return TAMED.test(name) && (TAMED.test(real) || BOX.test(real)) && content?.subarray(0, 2).toString('latin1') !== '#!';
}

type Wrong = Pick<Finding, 'severity' | 'detail' | 'fix'>;

function wrongWith(shell: string, listed: readonly string[] | undefined): Wrong | undefined {
  // First of all, as the name means nothing if others can change the program.
  const other = whyUnsafe(shell);
  if (other !== undefined) return { severity: 'fail', detail: `${shell} runs before the gate, and ${other}`, fix: OTHER_SHELL };
  const looked = lookAt(shell);
  const { name, real } = looked;
  const shown = real === name ? shell : `${shell} (${real})`;
  if (isCsh(looked))
    return { severity: 'fail', detail: `${shown} is a csh, which reads ~/.tcshrc or ~/.cshrc before the gate`, fix: OTHER_SHELL };
  if (NO_SHELLS.includes(name)) return undefined;
  if (!fs.existsSync(shell)) return warning(`${shell} is not there`, 'chsh -s /bin/bash');
  if (RESTRICTED.test(name)) return warning(`${shell} runs only what it allows, and so not the gate either: nobody gets in`, PAM_DOOR);
  if (!isTamed(looked)) return warning(`notp does not know which files ${shown} reads before the gate`, OTHER_SHELL);
  // pam_shells(8) and some programs refuse such a shell.
  return listed?.includes(shell) === false ? warning(`${shell} is not in ${SHELLS}`, `another shell, or add it to ${SHELLS}`) : undefined;
}

function warning(detail: string, fix: string): Wrong {
  return { severity: 'warn', detail, fix };
}

/**
 * Inserts notp's marked block into a file of /etc/pam.d, and removes it again. The block keeps the lines that it replaces as comments, so
 * that a person sees them. Pure. See pam.d(5).
 */
import { copyOf } from '../doctor/pam/inline.ts';
import { takesUserFile } from '../doctor/pam/environment.ts';
import { asksAfterFailure, endsOf, opensWithCode, opensWithoutCode } from '../doctor/pam/paths.ts';
import { FIRST_PASS, moduleLine, modulesOf, type PamLine, type PamType } from '../doctor/pam/stack.ts';
import { NotpError } from '../error.ts';
import { pamConditions, type Scope } from './scope.ts';
import { PROGRAM } from './sshd-drop-in.ts';

const BEGIN = '# BEGIN notp';
const END = '# END notp';
const WAS = '# was: ';
/** The file with the line that PAM prints before its prompt, which itself is always "Password: ". */
export const PROMPT_FILE = '/etc/notp/prompt';

/** The lines that include the stack for the password: of Debian and SUSE, Red Hat, Arch. */
const PASSWORD_STACK =
  /^(?:@include\s+|-?auth\s+(?:include|substack)\s+)(common-auth|password-auth|system-auth|system-login|system-remote-login)\s*$/;

/** Reads the lines of the named stack. */
export type ReadStack = (stack: string, type: PamType) => readonly PamLine[];

/** The kinds of blocks: for sshd, or for sudo. On some systems sudo -i has a file of its own, which gets the block for sudo too. */
export type PamDoor = 'pam' | 'sudo';

export interface BlockOptions {
  readonly door: PamDoor;
  readonly scope: Scope;
  readonly read: ReadStack;
  /** Whether a rule or a grant may let somebody in without a code at sshd. At sudo notp asks before it prompts. */
  readonly before: boolean;
}

/**
 * `text` with the block of `door` in place of the line that asks for the password (or in place of an older block). Undefined if there is no
 * such line, or more than one. Throws `refused` if no line can follow the stack that asks for the password.
 */
export function withBlock(text: string, { door, scope, read, before }: BlockOptions): string | undefined {
  const lines = withoutBlock(text).split('\n');
  const places = lines.flatMap((line, i) => (PASSWORD_STACK.test(line) ? [i] : []));
  const [place] = places;
  if (place === undefined || places.length > 1) return undefined;
  const was = lines[place] ?? '';
  const stack = PASSWORD_STACK.exec(was)?.[1] ?? '';
  const head = `${BEGIN}: written by "notp setup ${door}"; "notp setup undo" removes it`;
  const written = door === 'sudo' ? sudoLines(was, { stack, scope, read }) : sshdLines(stack, scope, before);
  const block = [head, WAS + was, ...written, END];
  return lines.toSpliced(place, 1, ...block).join('\n');
}

const USER_ENVIRONMENT = /\[user_readenv=[^\]]*\]|\buser_readenv=\S*/g;

/**
 * `text` with pam_env(8) no longer reading ~/.pam_environment. A variable in that file may run the user's code in the shell that starts the
 * gate, and no list of variables to empty would be complete. Undefined if pam_env does not read the file anyway.
 */
export function withoutUserEnvironment(text: string): string | undefined {
  const lines = text.split('\n');
  if (!lines.some(readsEnvironment)) return undefined;
  const head = `${BEGIN}: written by "notp setup gate"; "notp setup undo" removes it`;
  return lines
    .flatMap((line) => (readsEnvironment(line) ? [head, WAS + line, line.replace(USER_ENVIRONMENT, 'user_readenv=0'), END] : [line]))
    .join('\n');
}

function readsEnvironment(line: string): boolean {
  return (['auth', 'session'] as const)
    .flatMap((type) => (/^\s*-?(?:auth|session)\s+(?!include\s|substack\s)/i.test(line) ? modulesOf(moduleLine(line, type)) : []))
    .some(({ module, words }) => module === 'pam_env.so' && takesUserFile(words));
}

/** `text` without the block that withBlock() inserted. */
export function withoutBlock(text: string): string {
  const lines = text.split('\n');
  const begin = lines.findIndex((line) => line.startsWith(BEGIN) && !line.includes('"notp setup gate"'));
  const end = lines.findIndex((line, i) => i > begin && line === END);
  if (begin === -1 || end === -1) return text;
  const was = lines.slice(begin, end).flatMap((line) => (line.startsWith(WAS) ? [line.slice(WAS.length)] : []));
  return lines.toSpliced(begin, end - begin + 1, ...was).join('\n');
}

/** The auth lines after the block, which a right code at sshd skips (`sufficient`). */
export function skippedLines(text: string): string[] {
  const lines = text.split('\n');
  return lines.slice(lines.indexOf(END) + 1).filter((line) => /^-?auth\s/.test(line) && !/\spostlogin\s*$/.test(line));
}

const SUDO_CODE = `auth       requisite    pam_exec.so seteuid quiet quiet_log ${PROGRAM} pam --prompt-tty`;

/**
 * The code comes after the password, and only then: a wrong password or Ctrl-C must end the stack. So every path to the code must have
 * succeeded, whatever its modules are. In a substack a failure ends only the substack, so a code would still be asked for and spent. An
 * included stack with `sufficient` modules ends before the code. Debian's common-auth has neither problem and is included; the lines of other
 * stacks are copied, with jumps in place of `sufficient`.
 */
function sudoLines(was: string, { stack, scope, read }: { stack: string; scope: Scope; read: ReadStack }): string[] {
  const code = [...pamConditions(scope, 1), SUDO_CODE];
  const lines = read(stack, 'auth');
  const whole = [...lines, ...moduleLine(SUDO_CODE, 'auth')];
  const isOpen = opensWithoutCode(whole, { firstPass: false, exempt: 'anybody' });
  const isInOrder = opensWithCode(whole) && !isOpen && !asksAfterFailure(whole) && [...endsOf(lines)].every((end) => end === 'yes');
  const isWhole = was.startsWith('@');
  if (isInOrder) return [isWhole ? was : `auth       include      ${stack}`, ...code];
  const others = (['account', 'session', 'password'] as const).flatMap((type) => (isWhole ? read(stack, type) : []));
  const copy = others.length === 0 ? copyOf(stack, lines) : undefined;
  if (copy !== undefined) return [...copy, ...code];
  const hint =
    'write lines there by hand that end in "die" if the password is wrong, and after them the last line of examples/pam.d/sudo-notp';
  throw new NotpError(
    'refused',
    `no line can follow the stack ${stack}: some successes end it at once, or it goes on after a failure`,
    hint,
  );
}

/**
 * In a `substack`, a `sufficient` module ends only the substack, and a jump counts it as one line. examples/pam.d gives the reason for each
 * line.
 */
function sshdLines(stack: string, scope: Scope, before: boolean): string[] {
  const code = [
    `auth       [success=${before ? '4' : '3'} default=ignore] pam_exec.so quiet quiet_log ${FIRST_PASS}`,
    ...(before ? [`auth       [success=2 default=ignore] pam_exec.so quiet quiet_log ${PROGRAM} pam --before`] : []),
    `auth       optional     pam_echo.so file=${PROMPT_FILE}`,
    `auth       requisite    pam_exec.so expose_authtok stdout quiet ${PROGRAM} pam`,
    'auth       sufficient   pam_permit.so',
  ];
  return [...pamConditions(scope, code.length), ...code, `auth       substack     ${stack}`];
}

/**
 * The marked block in a file of /etc/pam.d: where it goes, what stands in it, and the file without it. The lines
 * that it replaces stay in it as comments, so that a person sees what was there. Pure. See pam.d(5).
 */
import { pamConditions, type Scope } from './scope.ts';
import { PROGRAM } from './sshd-drop-in.ts';

const BEGIN = '# BEGIN notp';
const END = '# END notp';
const WAS = '# was: ';
/** The file with the line that PAM's prompt is preceded by; its own prompt always reads "Password: ". */
export const PROMPT_FILE = '/etc/notp/prompt';

/** The stacks that ask for the password: Debian and SUSE, Red Hat, Arch. */
const PASSWORD_STACK =
  /^(?:@include\s+|-?auth\s+(?:include|substack)\s+)(common-auth|password-auth|system-auth|system-login|system-remote-login)\s*$/;

/** The same block in another PAM file: sudo -i has one of its own on some systems, which may include the first. */
export type PamDoor = 'pam' | 'sudo';

/**
 * `text` with the block of `door` in place of the line that asks for the password (and of an older block). Gives
 * undefined where there is no such line, or more than one.
 */
export function withBlock(text: string, door: PamDoor, scope: Scope): string | undefined {
  const lines = withoutBlock(text).split('\n');
  const places = lines.flatMap((line, i) => (PASSWORD_STACK.test(line) ? [i] : []));
  const [place] = places;
  if (place === undefined || places.length > 1) return undefined;
  const was = lines[place] ?? '';
  const stack = lineOfStack(door, PASSWORD_STACK.exec(was)?.[1] ?? '');
  const block = [`${BEGIN}: written by "notp setup ${door}"; "notp setup undo" takes it away`, WAS + was, ...auth(door, stack, scope), END];
  return lines.toSpliced(place, 1, ...block).join('\n');
}

/**
 * `substack` at sshd: a module that is `sufficient` in there ends only that stack, and the jump over the code counts it as one. At sudo
 * the code comes after it, and a wrong password or Ctrl-C must end it all: in a substack `requisite pam_deny.so` ends only that, so that
 * a code was asked for, judged and spent all the same. common-auth of pam-auth-update(8) ends a success by a jump to its own end, so that
 * it can be included. The stacks of others have `sufficient` modules, which would end all before the code.
 */
function lineOfStack(door: PamDoor, name: string): string {
  return door === 'sudo' && name === 'common-auth' ? `@include ${name}` : `auth       substack     ${name}`;
}

const USER_ENVIRONMENT = /^(\s*-?(?:auth|session)\s.*\bpam_env\.so\b.*\s)user_readenv=1(?=\s|$)/;

/**
 * `text` where pam_env(8) reads no ~/.pam_environment: a variable that the user sets there may run the user's code in the shell that
 * starts the gate, and no list of variables to blank would be whole. Undefined where it reads none.
 */
export function withoutUserEnvironment(text: string): string | undefined {
  const lines = text.split('\n');
  if (!lines.some((line) => USER_ENVIRONMENT.test(line))) return undefined;
  const head = `${BEGIN}: written by "notp setup gate"; "notp setup undo" takes it away`;
  return lines
    .flatMap((line) => (USER_ENVIRONMENT.test(line) ? [head, WAS + line, line.replace(USER_ENVIRONMENT, '$1user_readenv=0'), END] : [line]))
    .join('\n');
}

/** `text` as it was before the block, which `withBlock` put there. */
export function withoutBlock(text: string): string {
  const lines = text.split('\n');
  const begin = lines.findIndex((line) => line.startsWith(BEGIN) && !line.includes('"notp setup gate"'));
  const end = lines.findIndex((line, i) => i > begin && line === END);
  if (begin === -1 || end === -1) return text;
  const was = lines.slice(begin, end).flatMap((line) => (line.startsWith(WAS) ? [line.slice(WAS.length)] : []));
  return lines.toSpliced(begin, end - begin + 1, ...was).join('\n');
}

/** The auth lines after the block, which a right code at sshd passes over (`sufficient`). */
export function passedOver(text: string): string[] {
  const lines = text.split('\n');
  return lines.slice(lines.indexOf(END) + 1).filter((line) => /^-?auth\s/.test(line) && !/\spostlogin\s*$/.test(line));
}

/** As in examples/pam.d, where the reason of each line is told. */
function auth(door: PamDoor, passwordStack: string, scope: Scope): string[] {
  if (door === 'sudo') {
    const code = `auth       requisite    pam_exec.so seteuid quiet quiet_log ${PROGRAM} pam --prompt-tty`;
    return [passwordStack, ...pamConditions(scope, 1), code];
  }
  const code = [
    `auth       [success=3 default=ignore] pam_exec.so quiet quiet_log ${PROGRAM} pam --first-pass`,
    `auth       optional     pam_echo.so file=${PROMPT_FILE}`,
    `auth       requisite    pam_exec.so expose_authtok stdout quiet ${PROGRAM} pam`,
    'auth       sufficient   pam_permit.so',
  ];
  return [...pamConditions(scope, code.length), ...code, passwordStack];
}

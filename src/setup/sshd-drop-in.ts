/** The drop-in for sshd_config.d, and a check that sshd reads it for all users. Pure. See sshd_config(5). */
import * as path from 'node:path';
import { wordsOf } from '../doctor/sshd/files.ts';
import { SETENV_LINE } from '../system/ssh/gate-environment.ts';
import { isEverybody, matchCriteria, type Scope } from './scope.ts';

/** The name under which sshd and PAM call notp. */
export const PROGRAM = '/usr/bin/notp';
export const SSHD_CONFIG = '/etc/ssh/sshd_config';
const FOLDER = '/etc/ssh/sshd_config.d';

export type SshdDoor = 'gate' | 'pam';
/** The methods by which sshd may take the password of a login without a key, before the code. */
export const FIRST = ['keyboard-interactive', 'password'] as const;
export type First = (typeof FIRST)[number];

/** Lines that are not allowed in a Match block. */
const GLOBAL: Readonly<Record<SshdDoor, readonly string[]>> = { gate: ['PermitUserEnvironment no'], pam: ['UsePAM yes'] };

/** The lines of examples/sshd_config.d, which gives the reason for each. */
const LINES: Readonly<Record<SshdDoor, readonly string[]>> = {
  gate: [
    `ForceCommand ${PROGRAM} gate`,
    'DisableForwarding yes',
    'PermitTunnel no',
    'AllowAgentForwarding no',
    'X11Forwarding no',
    'PermitUserRC no',
    'ExposeAuthInfo yes',
    'AcceptEnv LANG LC_*',
    SETENV_LINE,
  ],
  pam: [
    'KbdInteractiveAuthentication yes',
    'PubkeyAuthentication yes',
    'PasswordAuthentication no',
    'AuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive:pam,keyboard-interactive:pam',
  ],
};
/** In place of the last two of the PAM door, for clients that try keyboard-interactive only once. The password method is only ever the first of two. */
const PASSWORD_FIRST: readonly string[] = [
  'PasswordAuthentication yes',
  'AuthenticationMethods publickey,keyboard-interactive:pam password,keyboard-interactive:pam',
];

export function dropInPath(door: SshdDoor): string {
  return path.join(FOLDER, `10-notp-${door}.conf`);
}

export function dropInText(door: SshdDoor, scope: Scope, first: First = 'keyboard-interactive'): string {
  const lines = door === 'pam' && first === 'password' ? [...LINES.pam.slice(0, -PASSWORD_FIRST.length), ...PASSWORD_FIRST] : LINES[door];
  const head = [`# Written by "notp setup ${door}"; "notp setup undo" removes it. Do not edit it by hand.`, ...GLOBAL[door]];
  if (isEverybody(scope)) return [...head, ...lines, ''].join('\n');
  const blocks = matchCriteria(scope).flatMap((criteria) => [`Match ${criteria}`, ...lines.map((line) => `  ${line}`)]);
  return [...head, ...blocks, 'Match all', ''].join('\n');
}

/** Why `config`, the text of sshd_config, does not read the drop-ins for all users; undefined if it does. */
export function includeProblem(config: string): 'absent' | 'inside a Match block' | undefined {
  const words = config.split('\n').map(wordsOf);
  const include = words.findIndex(([key = '', ...patterns]) => key.toLowerCase() === 'include' && patterns.some(coversDropIns));
  if (include === -1) return 'absent';
  const match = words.findIndex(([key = '']) => key.toLowerCase() === 'match');
  return match !== -1 && match < include ? 'inside a Match block' : undefined;
}

/** Relative patterns start at /etc/ssh. Of glob(7) only `*` is supported, which is enough for these names. */
function coversDropIns(pattern: string): boolean {
  const parts = path.resolve('/etc/ssh', pattern).split('*');
  const expression = new RegExp(`^${parts.map((part) => part.replace(/[.+^${}()|[\]\\?]/g, String.raw`\$&`)).join('[^/]*')}$`);
  return expression.test(dropInPath('gate')) && expression.test(dropInPath('pam'));
}

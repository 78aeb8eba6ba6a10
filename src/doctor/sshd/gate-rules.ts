/**
 * The rules for the gate (ForceCommand), on the effective configuration of one user from one address. They ensure that nothing else runs
 * before the code, and nothing without it. Pure.
 */
import { GATE_ENVIRONMENT, SETENV_LINE } from '../../system/ssh/gate-environment.ts';
import { gateProgram, meansGate } from './gate-command.ts';
import { matchesPattern } from '../../system/ssh/patterns.ts';
import { is, setting, words } from './effective.ts';
import { FORWARDING_RULES, unlessDisabled, wrongSwitch } from './forwarding-rules.ts';
import type { Rule } from './rule.ts';

/** The first version with UnusedConnectionTimeout. */
const UNUSED_TIMEOUT = 9_002;

/** Variables that a client may set: for the language, notp's own, and those that only affect the terminal and its colours. */
const HARMLESS_VARIABLES = /^(LANG|LANGUAGE|LC_[A-Z_]*\*?|NOTP_CODE|TERM|COLORTERM|NO_COLOR)$/;
export const GATE_RULES: readonly Rule[] = [
  {
    id: 'FC1',
    severity: 'fail',
    title: 'sshd does not force the gate, or not the gate alone',
    holds: 'sshd forces the gate, and the gate alone',
    fix: 'ForceCommand /usr/bin/notp gate',
    fixFor: (effective) => {
      const command = setting(effective, 'forcecommand');
      const keep = `the gate would remove the limit to ${command}: use the PAM door (notp setup pam), or revoke the enrolment`;
      return isLimit(command) ? keep : 'ForceCommand /usr/bin/notp gate';
    },
    problem: (effective) => {
      const command = setting(effective, 'forcecommand');
      if (isNone(command)) return 'no ForceCommand: a shell without a code';
      if (isLimit(command)) return `ForceCommand is ${command}`;
      return gateProgram(command) === undefined ? `a shell reads more into ${command} than the gate` : undefined;
    },
  },
  {
    id: 'FC2',
    severity: 'info',
    title: 'One line would close all forwarding',
    holds: 'Forwarding is closed',
    fix: 'DisableForwarding yes',
    problem: (effective, about) => {
      const open = FORWARDING_RULES.filter((rule) => rule.problem(effective, about) !== undefined).map(({ id }) => id);
      return is(effective, 'disableforwarding', 'yes') || open.length === 0 ? undefined : `DisableForwarding is no, see ${open.join(', ')}`;
    },
  },
  ...FORWARDING_RULES,
  {
    id: 'FC7',
    severity: 'fail',
    title: 'Files of the user set variables for the gate',
    holds: 'No file of the user sets variables for the gate',
    fix: 'PermitUserEnvironment no (outside any Match block)',
    problem: (effective) => wrongSwitch(effective, 'permituserenvironment'),
  },
  {
    id: 'FC8',
    severity: 'fail',
    title: 'The client sets variables that reach the gate, and some of them run programs',
    holds: 'The client sets no variable that could harm',
    fix: 'AcceptEnv LANG LC_*',
    problem: (effective) => {
      const wide = words(effective, 'acceptenv').filter((pattern) => !HARMLESS_VARIABLES.test(pattern));
      const worst = ['LD_PRELOAD', 'NODE_OPTIONS', 'BASH_ENV'].filter((name) => wide.some((pattern) => matchesPattern(name, pattern)));
      const among = worst.length === 0 ? '' : `, which accepts ${worst.join(', ')}`;
      return wide.length === 0 ? undefined : `AcceptEnv has ${wide.join(' ')}${among}`;
    },
  },
  {
    id: 'FC9',
    severity: 'warn',
    title: "The user's shell reads the user's files before the gate",
    holds: "The user's shell reads none of the user's files before the gate",
    fix: SETENV_LINE,
    problem: (effective, { isRootsAlone }) => {
      const set = new Map((effective.get('setenv') ?? []).map((pair) => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)]));
      const isSet = (name: string, wanted: string): boolean => {
        const value = set.get(name) ?? 'not set';
        if (wanted === '') return value === '';
        return wanted.startsWith('/') ? value.startsWith('/') && isRootsAlone(value) : /^[1-9]\d*$/.test(value);
      };
      const missing = [...GATE_ENVIRONMENT].filter(([name, wanted]) => !isSet(name, wanted)).map(([name]) => name);
      return missing.length === 0 ? undefined : `SetEnv does not set ${missing.join(', ')} correctly`;
    },
  },
  {
    id: 'FC10',
    severity: 'warn',
    title: 'sshd runs ~/.ssh/rc of users without a forced command',
    holds: 'sshd does not run ~/.ssh/rc',
    fix: 'PermitUserRC no',
    problem: (effective) => wrongSwitch(effective, 'permituserrc'),
  },
  {
    id: 'FC15',
    severity: 'info',
    title: 'sshd logs too little to follow a login',
    holds: 'sshd logs logins',
    fix: 'LogLevel VERBOSE',
    problem: (effective) => {
      const level = setting(effective, 'loglevel').toUpperCase();
      return ['SILENT', 'QUIET', 'FATAL', 'ERROR'].includes(level) ? `LogLevel is ${level}` : undefined;
    },
  },
  {
    id: 'FC16',
    severity: 'info',
    title: 'Connections that only forward stay open for ever without a code',
    holds: 'Connections without a code end by themselves',
    fix: 'UnusedConnectionTimeout 60s',
    problem: (effective, { version }) => {
      const endless = is(effective, 'unusedconnectiontimeout', 'none') && version !== undefined && version >= UNUSED_TIMEOUT;
      return endless ? unlessDisabled(effective, 'UnusedConnectionTimeout is none, and forwarding is open') : undefined;
    },
  },
  {
    id: 'FC18',
    severity: 'fail',
    title: 'sshd looks for the gate in a chroot, where it does not exist, so nobody gets in',
    holds: 'sshd runs the gate without a chroot',
    fix: 'the PAM door (notp setup pam) for users with a ChrootDirectory',
    problem: (effective) => {
      const folder = setting(effective, 'chrootdirectory');
      return isNone(folder) ? undefined : `ChrootDirectory is ${folder}`;
    },
  },
];

function isNone(value: string): boolean {
  return value === '' || value.toLowerCase() === 'none';
}

/** Whether the command limits the user to something other than the gate, such as internal-sftp. */
function isLimit(command: string): boolean {
  return !isNone(command) && !meansGate(command);
}

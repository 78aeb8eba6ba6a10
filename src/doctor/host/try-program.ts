/** Rules FC17 and P8: start the program of each door as sshd or PAM starts it, in a form that lets nobody in and leaves no record. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { messageOf } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { mountOf } from './mounts.ts';
import { userByName, type User } from '../../system/users.ts';
import { ok, type Finding } from '../finding.ts';

/** A user who is never enrolled, so that no enrolment changes and no guess budget is used. */
const NOBODY = 'nobody';
const TIMEOUT_MS = 30_000;
const REFUSED = 1;
const RUN_BY_ALL = 0o001;
const RUN_BY_ANY = 0o111;

interface Ended {
  /** The exit status, or the signal that ended it. */
  readonly status: number | string | null;
  readonly why: string;
}

function start(program: string, words: readonly string[], env: NodeJS.ProcessEnv, as?: User): Ended {
  const { status, signal, stderr, error } = spawnSync(program, words, {
    ...(as === undefined ? {} : { uid: as.uid, gid: as.gid }),
    ...{ env, cwd: '/', input: '', encoding: 'utf8', timeout: TIMEOUT_MS },
  });
  // Without a program there is no output.
  return { status: status ?? signal, why: error === undefined ? (stderr.trim().split('\n')[0] ?? '') : messageOf(error) };
}

/** `command`: the ForceCommand, without anything that a shell would interpret (see gate-command.ts). The caller is root. */
export function tryGate(command: string): Finding {
  const [program = '', ...words] = command.split(' ');
  const nobody = userByName(NOBODY);
  const id = 'FC17';
  if (nobody === undefined) return { id, severity: 'info', title: 'The gate was not tried', detail: `there is no user ${NOBODY}`, fix: '' };
  const { status, why } = start(program, words, { PATH: '/usr/bin:/bin', HOME: '/', SSH_ORIGINAL_COMMAND: 'true' }, nobody);
  if (status === REFUSED) return ok(id, 'The gate refuses a user without a code', command);
  if (status === 0)
    return {
      id,
      severity: 'fail',
      title: 'The gate lets somebody in without a code',
      detail: `${command}, as ${NOBODY}, ended with 0`,
      fix: 'change the rule in notp.toml that lets everybody in: notp rules',
    };
  return {
    id,
    severity: 'fail',
    title: 'The gate does not run, so nobody gets in',
    detail: `${command} ended with ${String(status)}: ${why}`,
    fix: howToRun(program, RUN_BY_ALL),
  };
}

/** `program`: what PAM lines run for the code. Asked for the first pass in no phase of PAM, it reads nothing and says no. The caller is root. */
export function tryPam(program: string): Finding {
  const { status, why } = start(program, ['pam', '--first-pass'], {});
  if (status === REFUSED) return ok('P8', 'The program runs as PAM starts it', program);
  const isOpen = status === 0;
  return {
    id: 'P8',
    severity: 'fail',
    title: isOpen
      ? 'The program that asks for the code says yes without one'
      : 'The program that asks for the code does not run, so nobody gets in',
    detail: `${program} ended with ${String(status)}${isOpen ? '' : `: ${why}`}`,
    fix: isOpen ? 'install notp again' : howToRun(program, RUN_BY_ANY),
  };
}

/** The command after which the program can be started, if its mode, a folder or its mount is in the way. `wanted`: one of these bits is needed. */
function howToRun(program: string, wanted: number): string {
  const file = realPathOf(program);
  const closed =
    wanted === RUN_BY_ALL
      ? foldersOf(file).find((folder) => ((fs.statSync(folder, { throwIfNoEntry: false })?.mode ?? RUN_BY_ALL) & RUN_BY_ALL) === 0)
      : undefined;
  if (closed !== undefined) return shellCommand`chmod 755 ${closed}`;
  if (((fs.statSync(file, { throwIfNoEntry: false })?.mode ?? wanted) & wanted) === 0) return shellCommand`chmod 755 ${program}`;
  const { mount, options } = mountOf(file);
  return options.includes('noexec') ? shellCommand`mount -o remount,exec ${mount}, and remove noexec in /etc/fstab` : 'install notp again';
}

function foldersOf(file: string): string[] {
  const above = path.dirname(file);
  return above === file ? [] : [...foldersOf(above), above];
}

function realPathOf(program: string): string {
  try {
    return fs.realpathSync(program);
  } catch {
    return program;
  }
}

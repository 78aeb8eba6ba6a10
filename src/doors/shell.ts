/**
 * Becomes the user's shell, as sshd would have run it (do_child in its session.c). execve(2) replaces the process, so exit codes
 * and signals are the shell's own and nothing of notp stays behind.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { NotpError } from '../error.ts';
import { makeStdioBlocking } from '../system/bytes.ts';
import { isForGate } from '../system/ssh/gate-environment.ts';
import type { User } from '../system/users.ts';

/** Where distributions put sftp-server. `Subsystem sftp internal-sftp` names no program, so one of these runs instead. */
const SFTP_SERVERS = [
  '/usr/lib/openssh/sftp-server',
  '/usr/libexec/openssh/sftp-server',
  '/usr/lib/ssh/sftp-server',
  '/usr/libexec/sftp-server',
];
const PRLIMIT = '/usr/bin/prlimit';
/** Variables that may hold a code. */
export const CODE_VARIABLES = ['LC_NOTP', 'NOTP_CODE'];

export interface Session {
  readonly environment: NodeJS.ProcessEnv;
  /** The umask that this process was started with. */
  readonly umask: number;
  /** The `command=` of the key, which overrides the command that the client asks for. */
  readonly keyCommand: string | undefined;
}

/** The program to run, its arguments with argv[0], and its environment. */
export interface Program {
  readonly file: string;
  readonly argv: readonly string[];
  readonly environment: Record<string, string>;
}

/** A login shell with `-name` as argv[0] (login(1)), or `shell -c command`. */
export function shellProgram(user: User, { environment, keyCommand }: Session): Program {
  const name = path.basename(user.shell);
  const command = keyCommand ?? environment['SSH_ORIGINAL_COMMAND'];
  const argv = command === undefined ? [`-${name}`] : [name, '-c', withoutInternalSftp(command)];
  return { file: user.shell, argv, environment: shellEnvironment(environment, keyCommand !== undefined) };
}

/** Replaces this process by the shell, and never returns. Throws `failed` where the shell cannot be run. */
export function becomeShell(user: User, session: Session): never {
  const { file, argv, environment } = shellProgram(user, session);
  try {
    accessSync(file, constants.X_OK);
  } catch {
    throw new NotpError(
      'failed',
      `${file}: the login shell cannot be run`,
      'ask an administrator to check your entry in the passwd database',
    );
  }
  restoreProcess(session.umask);
  process.execve?.(file, argv, environment);
  throw new NotpError('failed', 'this Node.js cannot replace itself by a shell', 'use Node.js 24 or later');
}

/** The environment of sshd's child, without notp's variables. SSH_ORIGINAL_COMMAND stays only beside a forced command, as in sshd(8). */
function shellEnvironment(environment: NodeJS.ProcessEnv, forced: boolean): Record<string, string> {
  const dropped = ['_', ...CODE_VARIABLES, ...(forced ? [] : ['SSH_ORIGINAL_COMMAND'])];
  const entries = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.filter(([name, value]) => !dropped.includes(name) && !isForGate(name, value)));
}

function withoutInternalSftp(command: string): string {
  const rest = /^internal-sftp(?=\s|$)(.*)$/s.exec(command)?.[1];
  if (rest === undefined) return command;
  const server = SFTP_SERVERS.find((file) => isExecutable(file));
  if (server === undefined)
    throw new NotpError('failed', 'there is no sftp-server program', 'set Subsystem sftp to a program in sshd_config');
  return server + rest;
}

/**
 * Undoes Node's changes to this process that execve(2) would pass on: ignored signals, non-blocking descriptors, the raised limit
 * of open files, and the umask. A signal with a handler becomes the default again.
 */
function restoreProcess(umask: number): void {
  process.umask(umask);
  makeStdioBlocking();
  for (const signal of ['SIGPIPE', 'SIGXFSZ', 'SIGUSR1'] as const) process.on(signal, () => undefined);
  const before = openFilesLimit(`/proc/${String(process.ppid)}/limits`);
  if (before !== undefined && before !== openFilesLimit('/proc/self/limits')) {
    spawnSync(PRLIMIT, ['--pid', String(process.pid), `--nofile=${before}:`], { env: {}, stdio: 'ignore' });
  }
}

/** The soft limit of open files in a limits file of proc(5). */
function openFilesLimit(file: string): string | undefined {
  try {
    return /^Max open files\s+(\d+)/m.exec(readFileSync(file, 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

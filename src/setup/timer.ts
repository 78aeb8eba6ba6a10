/** The roll-back that nobody has to ask for: it outlives the session and the terminal of whoever set up. */
import { spawn } from 'node:child_process';
import { isSea } from 'node:sea';
import { NotpError } from '../error.ts';
import { cancelLater, isBooted, runLater } from '../system/systemd.ts';
import type { Setup } from './record.ts';

/** Has `setup` undone after some seconds, unless it is confirmed then. Throws `failed` where that cannot be arranged. */
export function armTimer(setup: Setup, seconds: number): void {
  // The program that runs now, which has shown that it works; not the one that sshd is told to call.
  const [, script = ''] = process.argv;
  const program = isSea() ? [process.execPath] : [process.execPath, ...process.execArgv, script];
  const command = [...program, 'setup', 'undo', '--if-unconfirmed', setup.id];
  if (isBooted()) runLater(unitOf(setup), seconds, command);
  else runDetached(seconds, command);
}

/** A detached one finds out by itself that it is not wanted. */
export function disarmTimer(setup: Setup): void {
  if (isBooted()) cancelLater(unitOf(setup));
}

function unitOf({ id }: Setup): string {
  return `notp-setup-${id}`;
}

/** In a session of its own (setsid(2)), so that no hang-up reaches it. */
function runDetached(seconds: number, command: readonly string[]): void {
  const script = 'sleep "$1"; shift; exec "$@"';
  const child = spawn('/bin/sh', ['-c', script, 'sh', String(seconds), ...command], { detached: true, stdio: 'ignore', cwd: '/', env: {} });
  if (child.pid === undefined) throw new NotpError('failed', 'the roll-back cannot be started', 'nothing was changed');
  child.unref();
}

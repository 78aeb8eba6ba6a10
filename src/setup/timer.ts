/** The automatic roll-back. It outlives the session and the terminal of the administrator. */
import { spawn } from 'node:child_process';
import { isSea } from 'node:sea';
import { NotpError } from '../error.ts';
import { cancelLater, isBooted, runLater } from '../system/systemd.ts';
import type { Setup } from './record.ts';

/** Starts a timer that undoes `setup` after `seconds`, unless it is confirmed by then. Throws `failed` if it cannot be started. */
export function armTimer(setup: Setup, seconds: number): void {
  // The program that runs now, as it works; not the installed one that sshd will call.
  const [, script = ''] = process.argv;
  const program = isSea() ? [process.execPath] : [process.execPath, ...process.execArgv, script];
  const command = [...program, 'setup', 'undo', '--if-unconfirmed', setup.id];
  if (isBooted()) runLater(unitOf(setup), seconds, command);
  else runDetached(seconds, command);
}

/** A detached timer needs no signal: its undo does nothing once the setup is confirmed. */
export function disarmTimer(setup: Setup): void {
  if (isBooted()) cancelLater(unitOf(setup));
}

function unitOf({ id }: Setup): string {
  return `notp-setup-${id}`;
}

/** Runs in its own session (setsid(2)), so that no hang-up reaches it. */
function runDetached(seconds: number, command: readonly string[]): void {
  const script = 'sleep "$1"; shift; until "$@"; do sleep 10; done';
  const child = spawn('/bin/sh', ['-c', script, 'sh', String(seconds), ...command], { detached: true, stdio: 'ignore', cwd: '/', env: {} });
  if (child.pid === undefined) throw new NotpError('failed', 'the roll-back cannot be started', 'nothing was changed');
  child.unref();
}

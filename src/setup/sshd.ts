/** The sshd of this host: whether it takes its configuration, what that comes to, and having it read again. See sshd(8). */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import * as fs from 'node:fs';
import { parseEffective, setting, type Effective } from '../doctor/sshd/effective.ts';
import { whyNotRun } from '../doctor/sshd/program.ts';
import { NotpError } from '../error.ts';
import { isBooted, reloadUnit } from '../system/systemd.ts';

const SSHD = '/usr/sbin/sshd';
const TIMEOUT_MS = 20_000;
/** Debian's name of the unit, and everybody else's. */
const UNITS = ['ssh', 'sshd'];
/** A client from outside, for Match (RFC 5737). */
const STRANGER = 'host=client,addr=203.0.113.7';

/** Throws `refused` with what sshd says where it would not start with the configuration that is there. `hint` is the way out. */
export function checkSshd(hint: string): void {
  const { status, stderr, error } = runSshd(['-t']);
  if (status === 0) return;
  throw new NotpError('refused', `sshd does not take its configuration: ${error?.message ?? stderr.trim()}`, hint);
}

/** The effective configuration for `user`, from outside. */
export function effectiveConfig(user: string): Effective {
  const { status, stdout, stderr } = runSshd(['-T', '-C', `user=${user},${STRANGER}`]);
  if (status !== 0) throw new NotpError('refused', `sshd does not tell its configuration: ${stderr.trim()}`);
  return parseEffective(stdout);
}

/** Throws `refused` where others than root can change the program. */
function runSshd(words: readonly string[]): SpawnSyncReturns<string> {
  const other = whyNotRun(SSHD);
  if (other !== undefined) throw new NotpError('refused', `${SSHD} is not run: ${other}`, 'install openssh-server, owned by root alone');
  return spawnSync(SSHD, words, { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} });
}

/** Has the running sshd read its configuration again, and tells whom; undefined where none runs. Throws `failed` where that did not work. */
export function reloadSshd(): string | undefined {
  if (isBooted()) {
    const unit = UNITS.find(reloadUnit);
    if (unit !== undefined) return `${unit}.service`;
  }
  const pid = listenerPid();
  if (pid === undefined) return undefined;
  process.kill(pid, 'SIGHUP');
  return `sshd (pid ${String(pid)})`;
}

/** The pid of sshd's own PidFile, where that is an sshd. */
function listenerPid(): number | undefined {
  const file = setting(effectiveConfig('root'), 'pidfile');
  try {
    const pid = Number(fs.readFileSync(file, 'latin1'));
    return pid > 1 && fs.readFileSync(`/proc/${String(pid)}/comm`, 'latin1') === 'sshd\n' ? pid : undefined;
  } catch {
    // No file or no process: none runs, or under systemd by a socket, which starts it with what is there then.
    return undefined;
  }
}

/** The sshd of this host: checks its configuration, reads the effective one, and reloads sshd. See sshd(8). */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import * as fs from 'node:fs';
import { parseEffective, setting, type Effective } from '../doctor/sshd/effective.ts';
import { madeEmptyFolder, whyNotRun } from '../doctor/sshd/program.ts';
import { messageOf, NotpError } from '../error.ts';
import { shellCommand } from '../otp/escape.ts';
import { fileLimitOf, isBooted, reloadUnit } from '../system/systemd.ts';

const SSHD = '/usr/sbin/sshd';
const TIMEOUT_MS = 20_000;
/** The unit's name on Debian, and elsewhere. */
const UNITS = ['ssh', 'sshd'];
/** More than a session needs, and closed in two milliseconds. */
const FILES = 65_536;
const FEW_FILES = `1024:${String(FILES)}`;
/** A client from outside, for Match (RFC 5737). */
const STRANGER = 'host=client,addr=203.0.113.7';

/** Throws `refused` with sshd's message and `hint` if sshd would not start with the present configuration. */
export function checkSshd(hint: string): void {
  const { status, stderr, error } = runSshd(['-t']);
  if (status === 0) return;
  throw new NotpError('refused', `sshd does not accept its configuration: ${error === undefined ? stderr.trim() : messageOf(error)}`, hint);
}

/** The effective configuration for `user`, connecting from outside: for what no Match line changes. */
function effectiveConfig(user: string): Effective {
  const { status, stdout, stderr } = runSshd(['-T', '-C', `user=${user},${STRANGER}`]);
  if (status !== 0) throw new NotpError('refused', `sshd does not print its configuration: ${stderr.trim()}`);
  return parseEffective(stdout);
}

/** Throws `refused` if users other than root can change the program. */
export function requireTrusted(program: string): void {
  const other = whyNotRun(program);
  if (other !== undefined) throw new NotpError('refused', `${program} is not run: ${other}`, 'install openssh-server, owned by root alone');
}

/** Throws as requireTrusted() does. */
function runSshd(words: readonly string[]): SpawnSyncReturns<string> {
  requireTrusted(SSHD);
  const ask = (): SpawnSyncReturns<string> => spawnSync(SSHD, words, { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} });
  const ran = ask();
  return madeEmptyFolder(ran.stderr) ? ask() : ran;
}

/** Makes the running sshd reload its configuration. Returns its name for people; undefined if none runs. Throws `failed` if it fails. */
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

/**
 * What pam_exec(8) costs each login: it closes all files that sshd may open, one by one, before it starts a program. Empty where it is little.
 * `before`: whether a line for `notp pam --before` is one of them.
 */
export function costOfPamExec(before: boolean): string[] {
  if (!isBooted()) return [];
  let found: (readonly [string, number | undefined])[];
  try {
    // On Debian the second name is an alias of the first.
    found = UNITS.map((name) => [name, fileLimitOf(name)] as const);
  } catch (error) {
    return [`it is not known how many files sshd may open, which pam_exec closes one by one: ${messageOf(error)}`];
  }
  const [unit, limit = 0] = found.find(([, most]) => most !== undefined) ?? [];
  if (unit === undefined || limit <= FILES) return [];
  const [edit, restart] = [shellCommand`systemctl edit ${unit}.service`, shellCommand`systemctl restart ${unit}.service`];
  const [times, ms] = before ? ['three times', '40'] : ['twice', '25'];
  const cost = `which pam_exec closes one by one, ${times} in each login: some ${ms} ms`;
  return [
    `sshd may open ${String(limit)} files, ${cost}. To save them: ${edit}, with [Service] and LimitNOFILE=${FEW_FILES}; then ${restart}`,
  ];
}

/** The pid in sshd's PidFile, if that process is an sshd. */
function listenerPid(): number | undefined {
  const file = setting(effectiveConfig('root'), 'pidfile');
  try {
    const pid = Number(fs.readFileSync(file, 'latin1'));
    return pid > 1 && fs.readFileSync(`/proc/${String(pid)}/comm`, 'latin1') === 'sshd\n' ? pid : undefined;
  } catch {
    // No file or no process: sshd does not run, or systemd starts it for each connection with the configuration of that time.
    return undefined;
  }
}

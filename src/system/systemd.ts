/** Calls systemd(1): for the users' sockets, a reload, and a command that runs later. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { messageOf, NotpError } from '../error.ts';
import type { Config } from './config.ts';
import { first, showUnits } from './units.ts';

/** sd_booted(3): systemd is the init of this host. */
const BOOTED = '/run/systemd/system';
const UNIT_FOLDERS = ['/etc/systemd/system', '/usr/local/lib/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'];
/** Where `systemctl enable` puts the link of a unit that is WantedBy=sockets.target. */
const ENABLED_SOCKETS = '/etc/systemd/system/sockets.target.wants';
const SYSTEMCTL = '/usr/bin/systemctl';
const SYSTEMD_RUN = '/usr/bin/systemd-run';
const SYSTEMD_CREDS = '/usr/bin/systemd-creds';
const TIMEOUT_MS = 60_000;
const STOP_TRIES = 5;
/** Before a failed command of runLater() is tried again. */
const AGAIN_SECONDS = 10;
/** Makes systemctl print only errors. */
const ERRORS_ALONE = { SYSTEMD_LOG_LEVEL: 'err' };
/** The most words of a command that a message shows. */
const MANY_WORDS = 8;

export function isBooted(): boolean {
  return existsSync(BOOTED);
}

/** Whether this host has the service: systemd runs, and notp's units are installed. */
export function hasService(): boolean {
  return isBooted() && UNIT_FOLDERS.some((folder) => existsSync(`${folder}/notp@.socket`));
}

/** Whether the service or the socket of `uid` has a unit or a drop-in of its own; a unit that is masked has one. */
export function hasOwnUnit(kind: 'service' | 'socket', uid: number): boolean {
  const unit = `notp@${String(uid)}.${kind}`;
  return ['/run/systemd/system', ...UNIT_FOLDERS].some((folder) => [unit, `${unit}.d`].some((name) => existsSync(`${folder}/${name}`)));
}

export const JUDGE_SOCKET = 'notp-judge.socket';

/** Whether only the judge decides at the PAM door: if systemd is the init of the host, or if the judge's socket exists. */
export function hasJudge({ judge }: Pick<Config, 'judge'>): boolean {
  return isBooted() || existsSync(judge);
}

/** Makes the judge of the PAM door listen, now and at every boot. Throws `failed` where systemd fails. */
export function enableJudge(): void {
  systemctl(['enable', '--now', JUDGE_SOCKET]);
}

/**
 * Makes the sockets of `uids` listen, now and at every boot, without a reload of all units, which takes seconds where there are a thousand.
 * Throws `failed` where systemd fails.
 */
export function enableSockets(uids: readonly number[]): void {
  if (uids.length === 0) return;
  systemctl(['enable', '--no-reload', ...uids.map(socketUnit)]);
  systemctl(['start', ...uids.map(socketUnit)]);
}

/** Whether the socket of `uid` will listen after a boot. */
export function isSocketEnabled(uid: number): boolean {
  return existsSync(`${ENABLED_SOCKETS}/${socketUnit(uid)}`);
}

/** Ends the socket of `uid` and the service behind it for good. Throws `failed` where systemd fails. */
export function disableSocket(uid: number): void {
  systemctl(['disable', '--no-reload', socketUnit(uid)]);
  systemctl(['stop', socketUnit(uid), `notp@${String(uid)}.service`]);
}

/** The content of the encrypted credential in `file`, for root; undefined where systemd-creds(1) cannot decrypt it. */
export function openCredential(file: string, name: string): Uint8Array | undefined {
  const { status, stdout } = spawnSync(SYSTEMD_CREDS, ['decrypt', `--name=${name}`, file, '-'], { timeout: TIMEOUT_MS, env: {} });
  return status === 0 ? new Uint8Array(stdout) : undefined;
}

/** Stops the running services; their sockets start them again. Throws `failed` where systemd fails. */
export function stopServices(): void {
  if (!hasService()) return;
  for (let left = STOP_TRIES; left > 0; left--) {
    try {
      systemctl(['stop', 'notp@*.service']);
      return;
    } catch (error) {
      // A login at that moment starts the service again, which cancels the stop.
      if (left === 1) throw error;
    }
  }
}

/** Reloads the service `name` where it runs; gives false where it does not. Throws `failed` where systemd fails. */
export function reloadUnit(name: string): boolean {
  if (spawnSync(SYSTEMCTL, ['is-active', '--quiet', `${name}.service`], { timeout: TIMEOUT_MS, env: {} }).status !== 0) return false;
  systemctl(['reload', `${name}.service`]);
  return true;
}

/**
 * How many files the service `name` may open at most (LimitNOFILE in systemd.exec(5), the hard one); undefined where systemd knows no such
 * service. Throws `failed` where it cannot be asked.
 */
export function fileLimitOf(name: string): number | undefined {
  const [unit = new Map<string, string[]>()] = showUnits([`${name}.service`], ['LoadState', 'LimitNOFILE']);
  const limit = first(unit, 'LimitNOFILE');
  if (limit === '' || first(unit, 'LoadState') !== 'loaded') return undefined;
  return limit === 'infinity' ? Infinity : Number(limit);
}

/** Makes systemd run `command` after some seconds, and again where it fails, in its own unit `name` (systemd-run(1)). Throws `failed`. */
export function runLater(name: string, seconds: number, command: readonly string[]): void {
  const words = [
    '--quiet',
    '--collect',
    `--unit=${name}`,
    `--on-active=${String(seconds)}s`,
    '--timer-property=AccuracySec=1s',
    '--property=Restart=on-failure',
    `--property=RestartSec=${String(AGAIN_SECONDS)}s`,
    '--',
    ...command,
  ];
  const { status, stderr, error } = spawnSync(SYSTEMD_RUN, words, { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} });
  if (status !== 0) throw new NotpError('failed', `systemd-run failed: ${error === undefined ? stderr.trim() : messageOf(error)}`);
}

/** Cancels a command of runLater() that has not started. */
export function cancelLater(name: string): void {
  spawnSync(SYSTEMCTL, ['stop', '--quiet', `${name}.timer`], { timeout: TIMEOUT_MS, env: {} });
}

function socketUnit(uid: number): string {
  return `notp@${String(uid)}.socket`;
}

function systemctl(words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(SYSTEMCTL, words, { encoding: 'utf8', timeout: TIMEOUT_MS, env: ERRORS_ALONE });
  if (status === 0) return;
  const why = error === undefined ? (stderr.trim().split('\n')[0] ?? '') : messageOf(error);
  const shown = words.length > MANY_WORDS ? [...words.slice(0, MANY_WORDS), '...'] : words;
  throw new NotpError('failed', `systemctl ${shown.join(' ')} failed: ${why}`, 'fix the cause, and run that command again');
}

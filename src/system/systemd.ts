/** The user's socket, as systemd(1) holds it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { NotpError } from '../error.ts';

/** sd_booted(3): systemd is the init of this host. */
const BOOTED = '/run/systemd/system';
const UNIT_FOLDERS = ['/etc/systemd/system', '/usr/local/lib/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'];
const SYSTEMCTL = '/usr/bin/systemctl';
const TIMEOUT_MS = 60_000;

/** Whether this host has the service: systemd runs, and notp's units are installed. */
export function hasService(): boolean {
  return existsSync(BOOTED) && UNIT_FOLDERS.some((folder) => existsSync(`${folder}/notp@.socket`));
}

/** Makes the socket of `uid` listen, now and at every boot. Throws `failed` where systemd does not do it. */
export function enableSocket(uid: number): void {
  systemctl(['enable', '--now', '--quiet', `notp@${String(uid)}.socket`]);
}

/** Ends the socket of `uid` and the service behind it, and does not start them again. Throws `failed` where systemd does not do it. */
export function disableSocket(uid: number): void {
  systemctl(['disable', '--now', '--quiet', `notp@${String(uid)}.socket`]);
  systemctl(['stop', '--quiet', `notp@${String(uid)}.service`]);
}

function systemctl(words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(SYSTEMCTL, words, { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} });
  if (status === 0) return;
  const why = error?.message ?? stderr.trim().split('\n')[0] ?? '';
  throw new NotpError('failed', `systemctl ${words.join(' ')} failed: ${why}`, 'mend what it says, and run that command again');
}

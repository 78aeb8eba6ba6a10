/** The files whose change starts doctor, by systemd/notp-doctor.path: what it reads that seldom changes and decides who gets in. */
import * as fs from 'node:fs';
import * as path from 'node:path';

/**
 * Of a folder all files in it, but not in folders below. Not /etc/passwd and /etc/shadow, which users change with chfn(1) and passwd(1); only
 * the administrators of a group, of whom root makes few, change /etc/group. sshd writes its pid file when it has read its configuration again.
 */
export const WATCHED = [
  ...['/etc/pam.d', '/etc/ssh', '/etc/ssh/sshd_config.d', '/etc/notp', '/etc/sudoers', '/etc/sudoers.d', '/etc/security'],
  ...['/etc/systemd/system', '/etc/group', '/etc/nsswitch.conf', '/run/sshd.pid'],
];

/** A text that differs after any change to these files. */
export function watchedNow(): string {
  return WATCHED.flatMap((place) => [place, ...entriesOf(place)].map(stampOf)).join('\n');
}

function entriesOf(place: string): string[] {
  try {
    return fs.readdirSync(place).map((name) => path.join(place, name));
  } catch {
    // A file, or nothing.
    return [];
  }
}

function stampOf(file: string): string {
  const stats = fs.lstatSync(file, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? `${file} -` : `${file} ${String(stats.ino)} ${String(stats.ctimeNs)}`;
}

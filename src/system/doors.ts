/** Sees at a glance whether this host may ask for codes. `notp doctor` finds out what sshd and PAM really do. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { errnoOf } from '../error.ts';

/** What sshd and PAM read below /etc. */
const READ = ['ssh/sshd_config', 'ssh/sshd_config.d', 'pam.d'];
const MAX_FILE_BYTES = 256 * 1024;
/** A line in force that runs a door. */
const DOOR = /^[^#\n]*\bnotp["']?[ \t]+(?:gate|pam)\b/m;

/** Whether a file of sshd or PAM below `etc` runs notp, or may do so, since this user cannot read it. */
export function mayHaveDoor(etc = '/etc'): boolean {
  return READ.some((name) => mayRunNotp(path.join(etc, name)));
}

/** `place`: a file, or a folder of files. */
function mayRunNotp(place: string): boolean {
  try {
    const stats = fs.statSync(place);
    if (stats.isDirectory()) return fs.readdirSync(place).some((name) => mayRunNotp(path.join(place, name)));
    return stats.isFile() && (stats.size > MAX_FILE_BYTES || DOOR.test(fs.readFileSync(place, 'utf8')));
  } catch (error) {
    return errnoOf(error) !== 'ENOENT';
  }
}

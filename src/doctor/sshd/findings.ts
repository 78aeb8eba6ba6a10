/** What there is to say about an sshd itself, before and beside the rules. */
import * as fs from 'node:fs';
import { errnoOf, messageOf } from '../../error.ts';
import { quoted } from '../../otp/escape.ts';
import { isRoot } from '../../system/users.ts';
import { setting, type Effective } from './effective.ts';
import { ok, UNSEEN, type Finding } from '../finding.ts';
import type { SshdFiles } from './files.ts';
import type { Server } from './servers.ts';

/** A configuration that was changed after sshd read it: sshd writes its pid file at each start and reload. */
export function notLoaded({ pid }: Server, effective: Effective | undefined, { files }: SshdFiles, where: string): Finding[] {
  const pidFile = effective === undefined ? '' : setting(effective, 'pidfile');
  if (pid === undefined || !pidFile.startsWith('/')) return [];
  const loaded = fs.statSync(pidFile, { throwIfNoEntry: false });
  if (loaded === undefined || fs.readFileSync(pidFile, 'utf8').trim() !== String(pid)) return [];
  const newer = files.filter((file) => fs.statSync(file).mtimeMs > loaded.mtimeMs);
  if (newer.length === 0) return [ok('sshd-reload', 'sshd has read the configuration as it is now', where)];
  const detail = `${where}: ${newer.join(', ')} changed since`;
  return [
    {
      id: 'sshd-reload',
      severity: 'warn',
      title: 'sshd has not read its configuration since it was changed',
      detail,
      fix: 'systemctl reload ssh',
    },
  ];
}

export function noDoor(where: string): Finding {
  return {
    id: 'no-gate',
    severity: 'fail',
    title: 'Nothing asks for a code at sshd',
    detail: `${where}: no ForceCommand is notp gate, and no PAM stack calls notp pam`,
    fix: 'notp setup gate, or notp setup pam',
  };
}

export function refused(where: string, why: string): Finding {
  return {
    id: 'sshd-config',
    severity: 'fail',
    title: 'sshd does not accept its configuration',
    detail: `${where}: ${why}`,
    fix: 'mend what it says, and check with sshd -t',
  };
}

/** `finding`: what fails for its user where sshd is asked for the same account as `spelling`. */
export function spelledOtherwise(spelling: string, { id, detail, user }: Finding): Finding {
  return {
    id: 'spelling',
    severity: 'fail',
    title: 'Another name of an account leads past what sshd has for that user',
    detail: `${quoted(spelling)} is the same account, and Match goes by the name that was typed, and by its groups: ${id}: ${detail}`,
    fix: 'Match Group in place of Match User, with each name of the account in the group: gpasswd -a NAME GROUP',
    ...(user === undefined ? {} : { user }),
  };
}

export function unaskable(where: string, user: string): Finding {
  return {
    id: UNSEEN,
    severity: 'warn',
    title: 'sshd cannot be asked about a user name with a comma in it, so nothing is known about this login',
    detail: where,
    fix: 'give the user a name without a comma: usermod --login NAME',
    user,
  };
}

export function unseen(where: string, error: unknown): Finding {
  const fix = isRoot() || errnoOf(error) !== 'EACCES' ? 'name another file with --sshd-config' : 'run notp doctor as root';
  return {
    id: UNSEEN,
    severity: 'warn',
    title: "sshd's configuration cannot be read, so nothing is known about the gate",
    detail: `${where}: ${messageOf(error)}`,
    fix,
  };
}

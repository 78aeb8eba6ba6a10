/** What there is to say about an sshd itself, before and beside the rules. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { errnoOf, messageOf } from '../../error.ts';
import { quoted } from '../../otp/escape.ts';
import { isRoot } from '../../system/users.ts';
import { setting, type Effective } from './effective.ts';
import { ok, UNSEEN, type Finding } from '../finding.ts';
import type { SshdFiles } from './files.ts';
import type { Server } from './servers.ts';

/**
 * A configuration that was changed after sshd read it: sshd writes its pid file at each start and reload. Looked at is when a file was put
 * where it is too (ctime), which no copy can take along, and when an entry of a folder of drop-ins came or went.
 */
export function notLoaded(
  { pid }: Server,
  effective: Effective | undefined,
  { files, folders }: Pick<SshdFiles, 'files' | 'folders'>,
  where: string,
): Finding[] {
  if (pid === undefined || effective === undefined) return [];
  const pidFile = setting(effective, 'pidfile');
  const loadedMs = loadedAt(pidFile, pid);
  if (loadedMs === undefined) return [untoldLoad(where, pidFile)];
  const newer = [
    ...files.filter((file) => changedMs(file) > loadedMs),
    ...folders.filter((folder) => changedMs(folder) > loadedMs).map((folder) => `${folder} (a file in it came, went or has another name)`),
    ...new Set([...files, ...folders].flatMap((file) => turnedSince(file, loadedMs))),
  ];
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

/** When the sshd `pid` read its configuration, in Unix time; undefined where its pid file does not tell. */
function loadedAt(pidFile: string, pid: number): number | undefined {
  const written = pidFile.startsWith('/') ? fs.statSync(pidFile, { throwIfNoEntry: false }) : undefined;
  return written !== undefined && fs.readFileSync(pidFile, 'utf8').trim() === String(pid) ? written.mtimeMs : undefined;
}

/** When what the path leads to last changed. */
function changedMs(file: string): number {
  const { mtimeMs, ctimeMs } = fs.statSync(file);
  return Math.max(mtimeMs, ctimeMs);
}

/** As many symlinks as Linux follows, path_resolution(7). */
const MAX_LINKS = 40;

/**
 * What the path goes through on its way, walked as the kernel walks it, and may lead elsewhere since: symlinks that are newer, and folders
 * that were put where they are (that sets ctime alone; an entry that comes or goes sets both times).
 */
function turnedSince(file: string, loadedMs: number): string[] {
  const turned: string[] = [];
  const left = file.split('/');
  let way = '/';
  let links = 0;
  for (let step = left.shift(); step !== undefined; step = left.shift()) {
    const each = step === '..' ? path.dirname(way) : path.join(way, step);
    const stats = fs.lstatSync(each, { throwIfNoEntry: false });
    if (stats === undefined) return turned;
    const { ctimeMs, mtimeMs } = stats;
    if (stats.isSymbolicLink() && ctimeMs > loadedMs) turned.push(`${each} (a link that may have led elsewhere)`);
    if (stats.isDirectory() && ctimeMs > loadedMs && ctimeMs !== mtimeMs) turned.push(`${each} (a folder that may have been another)`);
    if (!stats.isSymbolicLink()) way = each;
    else if (++links > MAX_LINKS) return turned;
    else {
      const target = fs.readlinkSync(each);
      if (target.startsWith('/')) way = '/';
      left.unshift(...target.split('/'));
    }
  }
  return turned;
}

function untoldLoad(where: string, pidFile: string): Finding {
  return {
    id: 'sshd-reload',
    severity: 'info',
    title: 'It cannot be told whether sshd has read its configuration since it was changed',
    detail: `${where}: ${pidFile.startsWith('/') ? `${pidFile} is not the pid file of that process` : 'it has no pid file'}`,
    fix: 'systemctl reload ssh after each change; with a PidFile of its own, doctor can tell',
  };
}

/** An sshd that was upgraded while it runs: what the new program says holds after a restart. */
export function replaced({ isReplaced = false, program }: Server, where: string): Finding[] {
  if (!isReplaced) return [];
  return [
    {
      id: 'sshd-replaced',
      severity: 'warn',
      title: 'sshd was not restarted since its program was replaced',
      detail: `${where}: it runs a file that is gone, and ${program}, which was asked, is another version`,
      fix: 'systemctl restart ssh',
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

export function withoutOptions({ pid, program, unit }: Server): Finding {
  return {
    id: UNSEEN,
    severity: 'warn',
    title: 'It cannot be told which configuration an sshd was started with, so nothing is known about its gate',
    detail:
      unit === undefined
        ? `${program} (pid ${String(pid)}): it was started in an environment that leaves its title no room for its options`
        : `${unit}: its service starts sshd through another program, or with variables`,
    fix: 'name its configuration with --sshd-config; a variable of 100 letters in its environment makes room for its title',
  };
}

/** `why`: what speaks against running its program. */
export function notRun(where: string, why: string): Finding {
  return {
    id: UNSEEN,
    severity: 'warn',
    title: 'A process that calls itself sshd, or a program of that name, is not run to ask it, so nothing is known about its gate',
    detail: `${where}: ${why}`,
    fix: "look whose it is; where it is yours, make its program root's alone and name its configuration with --sshd-config",
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

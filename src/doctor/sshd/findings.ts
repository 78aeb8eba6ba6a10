/** Findings about an sshd itself, apart from the rules. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { errnoOf, messageOf } from '../../error.ts';
import { quoted } from '../../otp/escape.ts';
import { ifThere, textIfThere } from '../../system/if-there.ts';
import { isRoot } from '../../system/users.ts';
import { setting, type Effective } from './effective.ts';
import { changing, ok, UNSEEN, type Finding } from '../finding.ts';
import type { SshdFiles } from './files.ts';
import type { Server } from './servers.ts';
import { namesUpTo } from '../../lists.ts';

/**
 * Finds a configuration that was changed after sshd read it; sshd writes its pid file at each start and reload. The time at which a file
 * was put in its place counts too (ctime, which a copy cannot preserve), and the time at which a folder of drop-ins got or lost an entry.
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
  if (loadedMs === undefined) return [unknownLoad(where, pidFile)];
  const newer = [
    ...files.filter((file) => changedMs(file) > loadedMs),
    ...folders.filter((folder) => changedMs(folder) > loadedMs).map((folder) => `${folder} (a file in it was added, removed or renamed)`),
    ...new Set([...files, ...folders].flatMap((file) => redirectedSince(file, loadedMs))),
  ];
  if (newer.length === 0) return [ok('sshd-reload', 'sshd has read the present configuration', where)];
  const detail = `${where}: ${newer.join(', ')} changed since`;
  return [
    {
      id: 'sshd-reload',
      severity: 'fail',
      title: 'sshd has not read its configuration since it was changed, so nothing is known about what it does now',
      detail,
      fix: 'systemctl reload ssh',
    },
  ];
}

/** When the sshd `pid` read its configuration, in milliseconds of Unix time; undefined if the pid file is missing or another process's. */
function loadedAt(pidFile: string, pid: number): number | undefined {
  const written = pidFile.startsWith('/') ? fs.statSync(pidFile, { throwIfNoEntry: false }) : undefined;
  return written !== undefined && textIfThere(pidFile)?.trim() === String(pid) ? written.mtimeMs : undefined;
}

/** The time of the last change of the file, or of the target of a symlink; Infinity if it has gone since it was read. */
function changedMs(file: string): number {
  const stats = fs.statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? Infinity : Math.max(stats.mtimeMs, stats.ctimeMs);
}

/** Linux follows this many symlinks, see path_resolution(7). */
const MAX_LINKS = 40;

/**
 * The parts of the path that may have led to another file before: newer symlinks, and folders that were moved into place (moving sets only
 * ctime, a new or removed entry sets both times). Follows the path as the kernel does.
 */
function redirectedSince(file: string, loadedMs: number): string[] {
  const redirected: string[] = [];
  const left = file.split('/');
  let way = '/';
  let links = 0;
  for (let step = left.shift(); step !== undefined; step = left.shift()) {
    const each = step === '..' ? path.dirname(way) : path.join(way, step);
    const stats = fs.lstatSync(each, { throwIfNoEntry: false });
    if (stats === undefined) return redirected;
    const { ctimeMs, mtimeMs } = stats;
    if (stats.isSymbolicLink() && ctimeMs > loadedMs) redirected.push(`${each} (a symlink that may have led elsewhere)`);
    if (stats.isDirectory() && ctimeMs > loadedMs && ctimeMs !== mtimeMs) redirected.push(`${each} (a folder that may have been replaced)`);
    if (!stats.isSymbolicLink()) way = each;
    else if (++links > MAX_LINKS) return redirected;
    else {
      const target = ifThere(() => fs.readlinkSync(each));
      if (target === undefined) return redirected;
      if (target.startsWith('/')) way = '/';
      left.unshift(...target.split('/'));
    }
  }
  return redirected;
}

function unknownLoad(where: string, pidFile: string): Finding {
  return {
    id: 'sshd-reload',
    severity: 'info',
    title: 'It is not known whether sshd has read its configuration since it was changed',
    detail: `${where}: ${pidFile.startsWith('/') ? `${pidFile} is not the pid file of that process` : 'it has no pid file'}`,
    fix: 'systemctl reload ssh after each change; with a PidFile of its own, doctor can check this',
  };
}

/** An sshd that was upgraded while it runs: the answers of the new program hold only after a restart. */
export function replaced({ isReplaced = false, program }: Server, where: string): Finding[] {
  if (!isReplaced) return [];
  return [
    {
      id: 'sshd-replaced',
      severity: 'warn',
      title: 'sshd was not restarted since its program was replaced',
      detail: `${where}: it runs a deleted file, and the answers come from its replacement ${program}`,
      fix: 'systemctl restart ssh',
    },
  ];
}

const NAMED = 3;

export function noDoor(where: string): Finding {
  return {
    id: 'no-gate',
    severity: 'fail',
    title: 'Nothing asks for a code at sshd',
    detail: `${where}: no ForceCommand runs notp gate, and no PAM stack runs notp pam`,
    fix: 'notp setup gate, or notp setup pam',
  };
}

export const BOTH_DOORS = 'both-doors';

/** `names`: the users who meet both doors. */
export function askedTwice(where: string, names: readonly string[]): Finding {
  return {
    id: BOTH_DOORS,
    severity: 'warn',
    title: 'Both doors ask for a code, so each login needs two different ones and waits for the second',
    detail: `${where}: ${String(names.length)} of those checked: ${namesUpTo(NAMED, names)}`,
    fix: 'notp setup undo takes back the door that was opened last',
  };
}

export function refused(where: string, why: string): Finding {
  return {
    id: 'sshd-config',
    severity: 'fail',
    title: 'sshd does not accept its configuration',
    detail: `${where}: ${why}`,
    fix: 'correct the reported line, and check with sshd -t',
  };
}

/** The given finding is about the same account under its other name `spelling`. */
export function spelledOtherwise(spelling: string, { id, detail, user }: Finding): Finding {
  return {
    id: 'spelling',
    severity: 'fail',
    title: 'Another name of an account avoids the rules that sshd has for that user',
    detail: `${quoted(spelling)} is the same account, but Match uses the typed name and its groups: ${id}: ${detail}`,
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
    title: 'It is not known which configuration an sshd was started with, so nothing is known about its gate',
    detail:
      unit === undefined
        ? `${program} (pid ${changing(pid ?? 0)}): its title has no room for its options, because its environment was too small when it started`
        : `${unit}: its service starts sshd through another program or with variables`,
    fix: 'name its configuration with --sshd-config, or give sshd a variable of 100 letters in its environment, which makes room for the title',
  };
}

/** `why`: the reason for not running its program. */
export function notRun(where: string, why: string): Finding {
  return {
    id: UNSEEN,
    severity: 'warn',
    title: 'A process or program called sshd is not trusted, so it was not asked and nothing is known about its gate',
    detail: `${where}: ${why}`,
    fix: 'find out whose it is; if it is yours, let only root write its program, and name its configuration with --sshd-config',
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

/**
 * The one door to trusted files. Reading follows no symlink and waits for no FIFO. Owner, mode, links, size and kind are checked on
 * the open descriptor. Writing replaces a file as a whole or not at all.
 */
import * as fs from 'node:fs';
import { randomBytes } from 'node:crypto';
import * as path from 'node:path';
import { causeOf, errnoOf, NotpError } from '../error.ts';
import { quoted, shellCommand } from '../otp/escape.ts';
import { restUpTo } from './bytes.ts';
import { realUid } from './users.ts';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_DIRECTORY } = fs.constants;
/** Group and other bits of a mode. */
const SHARED = 0o077;
/** Write bits of group and other. */
const SHARED_WRITE = 0o022;
const STICKY = 0o1000;

export interface Trust {
  /** The uid that may own the file, besides root. */
  readonly owner: number;
  readonly maxBytes: number;
  /** Mode bits that must not be set. */
  readonly forbidden?: number;
}

/** The bytes of a trusted file, or undefined where it does not exist. Throws `bad_secret_file` with the path and the fault. */
export function readTrusted(file: string, { owner, maxBytes, forbidden = SHARED }: Trust): Uint8Array | undefined {
  const fd = openToRead(file);
  if (fd === undefined) return undefined;
  try {
    const stats = fs.fstatSync(fd);
    const wrong = wrongWith(stats, owner, forbidden) ?? (stats.size > maxBytes ? `is over ${String(maxBytes)} bytes` : undefined);
    if (wrong !== undefined) throw untrusted(file, wrong);
    const bytes = restUpTo(fd, maxBytes);
    // It may have grown since it was measured.
    if (bytes.length > maxBytes) throw untrusted(file, `is over ${String(maxBytes)} bytes`);
    return new Uint8Array(bytes);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Checks every folder from `top` down to `folder`: it must be a real folder, owned by `owner` or root, and writable by nobody else.
 * `top` itself may be a symlink (a home often is). Gives false where one does not exist.
 */
export function checkFolders(top: string, folder: string, owner: number): boolean {
  const steps = path
    .relative(top, folder)
    .split('/')
    .filter((step) => step !== '');
  const folders = steps.reduce<string[]>((paths, step) => [...paths, path.join(paths.at(-1) ?? top, step)], [top]);
  for (const [i, each] of folders.entries()) {
    const stats = folderStats(each, { followed: i === 0 });
    if (stats === undefined) return false;
    if (stats.isSymbolicLink()) throw untrusted(each, 'is a symlink');
    refuseFolder(each, stats, owner);
  }
  return true;
}

function refuseFolder(folder: string, stats: fs.Stats, owner: number): void {
  if (!stats.isDirectory()) throw untrusted(folder, 'is no folder');
  if (stats.uid !== owner && stats.uid !== 0) throw untrusted(folder, 'belongs to somebody else');
  const shared = (stats.mode & SHARED_WRITE) !== 0 && !((stats.mode & STICKY) !== 0 && stats.uid === 0);
  if (shared) throw untrusted(folder, 'can be written by others', howToClose(folder, stats.uid, owner));
}

/** A command only for the caller's own folder: users can replace folders inside theirs before root runs a command on them. */
function howToClose(folder: string, uid: number, owner: number): string {
  const isOwn = uid === realUid() && uid === owner;
  return isOwn ? shellCommand`chmod go-w ${folder}` : 'only its owner and root may have write access';
}

/** As many symlinks as Linux follows, path_resolution(7). */
const MAX_LINKS = 40;

/**
 * The real path of `folder`, walked as the kernel walks it. Each folder and each symlink on the way must belong to `owner` or root,
 * and be writable by nobody else:
 * then nobody else can change where it leads. Undefined where one does not exist. Throws `bad_secret_file` with the folder at
 * fault.
 */
export function realWay(folder: string, owner: number): string | undefined {
  const left = `${folder.startsWith('/') ? '' : `${process.cwd()}/`}${folder}`.split('/');
  let way = '/';
  let links = 0;
  for (let step = left.shift(); step !== undefined; step = left.shift()) {
    if (step === '..') way = path.dirname(way);
    const each = path.join(way, step === '..' ? '' : step);
    const stats = folderStats(each, { followed: false });
    if (stats === undefined) return undefined;
    if (!stats.isSymbolicLink()) {
      refuseFolder(each, stats, owner);
      way = each;
      continue;
    }
    if (stats.uid !== owner && stats.uid !== 0) throw untrusted(each, 'is a symlink of somebody else');
    if (++links > MAX_LINKS) throw untrusted(each, 'leads through too many symlinks');
    const target = fs.readlinkSync(each);
    if (target.startsWith('/')) way = '/';
    left.unshift(...target.split('/'));
  }
  return way;
}

/**
 * The path of `file` with all folders above it resolved as realWay() does, whether or not it exists. Throws also where a folder is
 * missing.
 */
export function realPath(file: string, owner: number): string {
  const above = path.dirname(file);
  const real = realWay(above, owner);
  if (real === undefined) throw new NotpError('failed', `${above}: there is no such folder`);
  return path.join(real, path.basename(file));
}

/** A new file beside its target, complete and on the disk, until `put` or `drop` is called. */
export interface Draft {
  /** Its path until then. */
  readonly temporary: string;
  /** Renames it to its target. Throws where that failed; gives false where it may not survive a power failure. */
  put(): boolean;
  drop(): void;
}

/** A draft of this age was left by a crash, and the next draft removes it. */
const ABANDONED_MS = 3_600_000;

/** The owner and mode of a new file. */
export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Writes `bytes` under a random name in the folder of `file` and fsyncs it, with mode 0600 and the caller's ids unless `attributes`
 * say otherwise. On failure nothing is left.
 */
export function draft(file: string, bytes: Uint8Array, attributes?: Attributes): Draft {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(8).toString('hex')}.tmp`);
  try {
    removeDrafts(file, ABANDONED_MS);
    writeNew(temporary, bytes, attributes);
  } catch (error) {
    throw new NotpError('failed', `${file}: ${causeOf(error)}`, 'nothing was changed; free some space or fix the folder', {
      cause: error,
    });
  }
  return {
    temporary,
    put: () => {
      fs.renameSync(temporary, file);
      try {
        syncFolder(path.dirname(file));
        return true;
      } catch {
        return false;
      }
    },
    drop: () => {
      fs.rmSync(temporary, { force: true });
    },
  };
}

/** Removes the drafts of `file` that are older than `ageMs`, which a crash left; `but` stays. */
export function removeDrafts(file: string, ageMs: number, but?: string): void {
  const [folder, name] = [path.dirname(file), path.basename(file)];
  const isDraft = (entry: string): boolean => entry.startsWith(`.${name}.`) && /^[0-9a-f]{16}\.tmp$/.test(entry.slice(name.length + 2));
  for (const draftFile of fs
    .readdirSync(folder)
    .filter(isDraft)
    .map((entry) => path.join(folder, entry))) {
    const stats = fs.lstatSync(draftFile, { throwIfNoEntry: false });
    if (draftFile !== but && stats !== undefined && stats.mtimeMs <= Date.now() - ageMs) fs.rmSync(draftFile, { force: true });
  }
}

/**
 * Writes a file that must not exist yet and fsyncs it, with mode 0600 and the caller's ids unless `attributes` say otherwise. On
 * failure nothing is left of it.
 */
export function writeNew(file: string, bytes: Uint8Array, attributes?: Attributes): void {
  const fd = fs.openSync(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeTo(fd, bytes, attributes);
  } catch (error) {
    fs.rmSync(file, { force: true });
    throw error;
  }
}

/** Writes to `fd`, and always closes it: close(2) may report an error, too. */
function writeTo(fd: number, bytes: Uint8Array, attributes: Attributes | undefined): void {
  try {
    for (let written = 0; written < bytes.length;) written += fs.writeSync(fd, bytes, written);
    if (attributes !== undefined) {
      fs.fchownSync(fd, attributes.uid, attributes.gid);
      fs.fchmodSync(fd, attributes.mode);
    }
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** fsync(2) of a folder: a rename in it becomes durable. */
export function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, O_RDONLY | O_DIRECTORY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** The error for a file that cannot be trusted. */
export function untrusted(file: string, wrong: string, hint?: string): NotpError {
  return new NotpError('bad_secret_file', `${quoted(file).slice(1, -1)} ${wrong}`, hint);
}

function openToRead(file: string): number | undefined {
  try {
    return fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    switch (errnoOf(error)) {
      case 'ENOENT':
        return undefined;
      case 'ELOOP':
        throw untrusted(file, 'is a symlink');
      case 'ENXIO':
        throw untrusted(file, 'is a socket');
      default:
        throw untrusted(file, `cannot be opened: ${causeOf(error)}`);
    }
  }
}

function folderStats(folder: string, { followed }: { followed: boolean }): fs.Stats | undefined {
  try {
    return (followed ? fs.statSync : fs.lstatSync)(folder, { throwIfNoEntry: false });
  } catch (error) {
    throw untrusted(folder, `cannot be looked at: ${causeOf(error)}`);
  }
}

function wrongWith(stats: fs.Stats, owner: number, forbidden: number): string | undefined {
  if (!stats.isFile()) return 'is no regular file';
  if (stats.nlink !== 1) return 'has more than one name (hard links)';
  if (stats.uid !== owner && stats.uid !== 0) return 'belongs to somebody else';
  if ((stats.mode & forbidden) !== 0) return `has mode ${(stats.mode & 0o7777).toString(8).padStart(4, '0')}, which lets others in`;
  return undefined;
}

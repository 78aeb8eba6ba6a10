/**
 * Checks of owners and modes. Every file that a login depends on must belong to root or the service, with all its folders, and nobody else
 * may write it.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { shellCommand } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import { realUid, type User } from '../../system/users.ts';
import { ok, type Finding } from '../finding.ts';

const SHARED_WRITE = 0o022;
/** Debian and Ubuntu let a system group write /var/log. The chain shows whatever that group does to the log there. */
export const WRITE_OF_ALL = 0o002;
const STICKY = 0o1000;
const MAX_LINKS = 16;

interface Relied {
  /** The uid that may own any part of the path, besides root. */
  readonly owner?: number;
  /** Write bits that no part of the path may have. */
  readonly shared?: number;
  readonly links?: number;
}

/** Why root cannot trust `file`: somebody else can change it, a folder above it, or the target of a symlink. Undefined if nobody can. */
export function whyUntrusted(file: string, relied: Relied = {}): string | undefined {
  const { part, why } = untrustedPart(file, relied) ?? {};
  return part === undefined ? undefined : `${part} ${why ?? ''}`;
}

/** The same, for what need not be there. */
export function whyUnsafe(file: string): string | undefined {
  const { part, why, isMissing = false } = untrustedPart(file) ?? {};
  return part === undefined || isMissing ? undefined : `${part} ${why ?? ''}`;
}

interface Untrusted {
  readonly part: string;
  readonly why: string;
  readonly isMissing?: boolean;
}

/** The first part of the way to `file` that root cannot trust, and why; see whyUntrusted(). */
export function untrustedPart(file: string, { owner = 0, shared = SHARED_WRITE, links = 0 }: Relied = {}): Untrusted | undefined {
  if (links > MAX_LINKS) return { part: file, why: 'is a symlink that leads nowhere' };
  const parts = path.resolve(file).split('/').slice(1);
  for (const [i] of parts.entries()) {
    const each = `/${parts.slice(0, i + 1).join('/')}`;
    const stats = statsOf(each);
    if (stats === undefined) return { part: each, why: 'is not there, or cannot be looked at', isMissing: true };
    if (stats.uid !== 0 && stats.uid !== owner) return { part: each, why: 'does not belong to root' };
    if (stats.isSymbolicLink()) {
      const target = path.resolve(path.dirname(each), targetOf(each), ...parts.slice(i + 1));
      return untrustedPart(target, { owner, shared, links: links + 1 });
    }
    const sticky = stats.isDirectory() && (stats.mode & STICKY) !== 0;
    if ((stats.mode & shared) !== 0 && !sticky) return { part: each, why: 'can be written by others' };
  }
  return undefined;
}

type Owner = Pick<User, 'name' | 'uid'>;

/**
 * The command that sets the mode of `file`, which belongs to `owner`; `mode` is in the syntax of chmod(1). It runs as the owner: as root it
 * would follow a symlink that the owner may put in its place.
 */
export function chmodAs({ name, uid }: Owner, mode: string, file: string): string {
  return uid === realUid() ? shellCommand`chmod ${mode} ${file}` : shellCommand`runuser -u ${name} -- chmod ${mode} ${file}`;
}

/**
 * The fix that gives `file` to `owner` with the mode `mode`: a command, or the step that must come first to make a command safe.
 * `shared`: as for whyUntrusted(), for the folders above.
 */
export function permissionFix(file: string, owner: Owner, { mode, shared = SHARED_WRITE }: { mode: string; shared?: number }): string {
  const stats = statsOf(file);
  if (stats?.isFile() !== true && stats?.isDirectory() !== true) return 'find out who put it there, and remove it';
  const isOwners = stats.uid === owner.uid;
  if (isOwners && owner.uid !== 0) return chmodAs(owner, mode, file);
  const other = whyUntrusted(folderToTrust(path.dirname(file), owner), { shared });
  if (other !== undefined) return `first give it to root and let nobody else write it: ${other}`;
  const chmod = chmodAs(owner, mode, file);
  return isOwners ? chmod : `${shellCommand`chown -h ${owner.name} ${file}`} && ${chmod}`;
}

/** In their own folder an owner can replace a file at any time, but chown -h follows no symlink there. So the folder above must be safe. */
function folderToTrust(folder: string, { uid }: Owner): string {
  const stats = statsOf(folder);
  const isOwners = stats?.isDirectory() === true && stats.uid === uid && (stats.mode & SHARED_WRITE) === 0;
  return isOwners ? path.dirname(folder) : folder;
}

/** The target of a symlink; one that cannot be read leads to itself, and so nowhere. */
function targetOf(link: string): string {
  try {
    return fs.readlinkSync(link);
  } catch {
    return link;
  }
}

/** Undefined if it does not exist or cannot be reached. */
export function statsOf(file: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(file);
  } catch {
    return undefined;
  }
}

/** The files of a program of notp: the program itself and, if it is the script of a source tree, the files that the script runs. */
function partsOf(program: string): string[] {
  const real = realPathOf(program);
  if (real === undefined) return [program];
  const top = path.dirname(path.dirname(real));
  const beside = [path.join(top, 'dist/notp.cjs'), path.join(top, 'node_modules/.bin/node')].filter((file) => fs.existsSync(file));
  return [program, ...beside];
}

/** The path without symlinks; undefined if the file does not exist, or disappears meanwhile. */
function realPathOf(program: string): string | undefined {
  try {
    return fs.realpathSync(program);
  } catch {
    return undefined;
  }
}

/** Rule FC1 for the program that sshd forces, and P8 for the one that PAM calls. */
export function examineProgram(id: 'FC1' | 'P8', program: string): Finding {
  const untrusted = partsOf(program)
    .map((part) => untrustedPart(part))
    .find((each) => each !== undefined);
  if (untrusted === undefined) return ok(id, 'The program belongs to root alone', program);
  const wrong = `${untrusted.part} ${untrusted.why}`;
  if (untrusted.isMissing === true || !fs.existsSync(program))
    return { id, severity: 'fail', title: 'The program that asks for the code does not exist', detail: wrong, fix: 'install notp' };
  const title = 'The program that asks for the code can be changed by users other than root';
  const fix = 'let only root write it, and install notp again: it may have been changed';
  return { id, severity: 'fail', title, detail: wrong, fix };
}

interface Place {
  readonly id: string;
  readonly what: string;
  readonly path: string;
  /** The owner that is accepted besides root. */
  readonly owner: User;
  /** Mode bits that must not be set. */
  readonly forbidden: number;
  readonly mode: string;
  /** For a folder: write bits that no folder above it may have. */
  readonly above?: number;
  /** Whether notp creates it on demand. */
  readonly optional: boolean;
}

/** The folders and files of the service: state, log, and the folder of the sockets. */
export function examinePlaces(config: Config, service: User, root: User): Finding[] {
  const places: readonly Place[] = [
    ...placesOfStore(config, service),
    {
      id: 'log-folder',
      what: 'The folder of the audit log',
      path: path.dirname(config.audit.file),
      owner: service,
      forbidden: 0o022,
      mode: '700',
      above: WRITE_OF_ALL,
      optional: false,
    },
    { id: 'log-file', what: 'The audit log', path: config.audit.file, owner: service, forbidden: 0o077, mode: '600', optional: true },
    {
      id: 'socket-folder',
      what: 'The folder of the sockets',
      path: path.dirname(config.socket),
      owner: root,
      forbidden: 0o022,
      mode: '755',
      above: SHARED_WRITE,
      optional: true,
    },
  ];
  return places.flatMap(examinePlace);
}

function placesOfStore({ store }: Config, service: User): Place[] {
  if (store.kind === 'user') return [];
  if (store.kind === 'postgres') {
    const password = { id: 'store-password', what: 'The password of the store', path: store.passwordFile };
    return [{ ...password, owner: service, forbidden: 0o077, mode: '400', optional: true }];
  }
  return [
    {
      id: 'state-folder',
      what: 'The folder of the state',
      path: path.dirname(store.path),
      owner: service,
      forbidden: 0o077,
      mode: '700',
      above: SHARED_WRITE,
      optional: false,
    },
    { id: 'state-file', what: 'The state', path: store.path, owner: service, forbidden: 0o077, mode: '600', optional: true },
  ];
}

function examinePlace(place: Place): Finding[] {
  const { id, what, path: name, owner, mode, above, optional } = place;
  const stats = fs.lstatSync(name, { throwIfNoEntry: false });
  if (stats === undefined)
    return optional
      ? []
      : [{ id, severity: 'fail', title: `${what} is missing`, detail: `${name} is not there`, fix: 'notp host-key init' }];
  const wrong = wrongWith(stats, place);
  if (wrong !== undefined) {
    const fix = permissionFix(name, owner, { mode, ...(above === undefined ? {} : { shared: above }) });
    return [{ id, severity: 'fail', title: `${what} has the wrong owner or mode`, detail: `${name} ${wrong}`, fix }];
  }
  const other = above === undefined ? undefined : whyUntrusted(path.dirname(name), { owner: owner.uid, shared: above });
  if (other === undefined) return [ok(id, `${what} belongs to the service alone`, name)];
  const title = `${what} can be replaced by anyone who can write a folder above it`;
  return [{ id, severity: 'fail', title, detail: other, fix: 'give that folder to root, and let nobody else write it' }];
}

function wrongWith(stats: fs.Stats, { owner, forbidden }: Place): string | undefined {
  if (stats.isSymbolicLink()) return 'is a symlink';
  if (stats.uid !== owner.uid && stats.uid !== 0) return `belongs to uid ${String(stats.uid)}`;
  return (stats.mode & forbidden) === 0 ? undefined : `has mode ${(stats.mode & 0o7777).toString(8)}`;
}

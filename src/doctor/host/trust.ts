/** The family of trust: whatever decides must belong to root or to the service, with all its folders, and nobody else may write it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { shellCommand } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import { realUid, type User } from '../../system/users.ts';
import { ok, type Finding } from '../finding.ts';

const SHARED_WRITE = 0o022;
/** Debian and Ubuntu let a group of theirs write /var/log. What it can do to the log there, the chain shows. */
export const WRITE_OF_ALL = 0o002;
const STICKY = 0o1000;
const MAX_LINKS = 16;

interface Relied {
  /** Who may own any of it, besides root: a uid. */
  readonly owner?: number;
  /** Write bits that none of it may have. */
  readonly shared?: number;
  readonly links?: number;
}

/** Why root cannot rely on `file`: who else can change it, a folder above it, or what it is a link to. Undefined where nobody can. */
export function whyUntrusted(file: string, { owner = 0, shared = SHARED_WRITE, links = 0 }: Relied = {}): string | undefined {
  if (links > MAX_LINKS) return `${file} is a link that leads nowhere`;
  const parts = path.resolve(file).split('/').slice(1);
  for (const [i] of parts.entries()) {
    const each = `/${parts.slice(0, i + 1).join('/')}`;
    const stats = fs.lstatSync(each, { throwIfNoEntry: false });
    if (stats === undefined) return `${each} is not there`;
    if (stats.uid !== 0 && stats.uid !== owner) return `${each} does not belong to root`;
    if (stats.isSymbolicLink()) {
      const target = path.resolve(path.dirname(each), fs.readlinkSync(each), ...parts.slice(i + 1));
      return whyUntrusted(target, { owner, shared, links: links + 1 });
    }
    const sticky = stats.isDirectory() && (stats.mode & STICKY) !== 0;
    if ((stats.mode & shared) !== 0 && !sticky) return `${each} can be written by others`;
  }
  return undefined;
}

type Owner = Pick<User, 'name' | 'uid'>;

/** The command that gives `file`, which is `owner`'s, the mode `mode` as chmod(1) takes it: with the rights of `owner`, for root's would follow what a user puts in its place. */
export function chmodAs({ name, uid }: Owner, mode: string, file: string): string {
  return uid === realUid() ? shellCommand`chmod ${mode} ${file}` : shellCommand`runuser -u ${name} -- chmod ${mode} ${file}`;
}

/** How `file` is made `owner`'s, with the mode `mode`: a command, or what must be done before there is a safe one. `shared`: as for whyUntrusted(), of the folders above. */
export function permissionFix(file: string, owner: Owner, { mode, shared = SHARED_WRITE }: { mode: string; shared?: number }): string {
  const stats = look(file);
  if (stats?.isFile() !== true && stats?.isDirectory() !== true) return 'look who put it there, and take it away';
  const isOwners = stats.uid === owner.uid;
  if (isOwners && owner.uid !== 0) return chmodAs(owner, mode, file);
  const other = whyUntrusted(folderToTrust(path.dirname(file), owner), { shared });
  if (other !== undefined) return `make that root's first, and writable by nobody else: ${other}`;
  const chmod = chmodAs(owner, mode, file);
  return isOwners ? chmod : `${shellCommand`chown -h ${owner.name} ${file}`} && ${chmod}`;
}

/** In a folder of their own, `owner` can put something else in the place of a file, but chown -h follows no link there. */
function folderToTrust(folder: string, { uid }: Owner): string {
  const stats = look(folder);
  const isOwners = stats?.isDirectory() === true && stats.uid === uid && (stats.mode & SHARED_WRITE) === 0;
  return isOwners ? path.dirname(folder) : folder;
}

/** Undefined where it is not there, or those above it cannot be entered. */
function look(file: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(file);
  } catch {
    return undefined;
  }
}

/** What a program of notp is made of: itself, and where it is the script of a source tree, what that runs. */
function partsOf(program: string): string[] {
  const real = realOf(program);
  if (real === undefined) return [program];
  const top = path.dirname(path.dirname(real));
  const beside = [path.join(top, 'dist/notp.cjs'), path.join(top, 'node_modules/.bin/node')].filter((file) => fs.existsSync(file));
  return [program, ...beside];
}

/** Without symlinks; undefined where it is not there, or goes while we look. */
function realOf(program: string): string | undefined {
  try {
    return fs.realpathSync(program);
  } catch {
    return undefined;
  }
}

/** Rules FC1 and P8 for the program that sshd forces or that PAM calls. */
export function examineProgram(id: 'FC1' | 'P8', program: string): Finding {
  const wrong = partsOf(program)
    .map((part) => whyUntrusted(part))
    .find((each) => each !== undefined);
  if (wrong === undefined) return ok(id, 'The program belongs to root alone', program);
  if (!fs.existsSync(program))
    return { id, severity: 'fail', title: 'The program that asks for the code is not there', detail: wrong, fix: 'install notp' };
  const title = 'The program that asks for the code can be changed by somebody else than root';
  const fix = "make that root's alone, and install notp again: whoever could write it may have changed it";
  return { id, severity: 'fail', title, detail: wrong, fix };
}

interface Place {
  readonly id: string;
  readonly what: string;
  readonly path: string;
  /** Who may own it, besides root. */
  readonly owner: User;
  /** Mode bits that must not be set. */
  readonly forbidden: number;
  readonly mode: string;
  /** Of a folder: write bits that none of those above it may have. */
  readonly above?: number;
  /** Whether notp makes it when it needs it. */
  readonly optional: boolean;
}

/** Folders and files of the service: state, log, and the folder of the sockets. */
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
    return [{ id, severity: 'fail', title: `${what} is not as it must be`, detail: `${name} ${wrong}`, fix }];
  }
  const other = above === undefined ? undefined : whyUntrusted(path.dirname(name), { owner: owner.uid, shared: above });
  if (other === undefined) return [ok(id, `${what} is the service's alone`, name)];
  const title = `${what} can be exchanged by whoever can write a folder above it`;
  return [{ id, severity: 'fail', title, detail: other, fix: "make that folder root's, and writable by nobody else" }];
}

function wrongWith(stats: fs.Stats, { owner, forbidden }: Place): string | undefined {
  if (stats.isSymbolicLink()) return 'is a symlink';
  if (stats.uid !== owner.uid && stats.uid !== 0) return `belongs to uid ${String(stats.uid)}`;
  return (stats.mode & forbidden) === 0 ? undefined : `has mode ${(stats.mode & 0o7777).toString(8)}`;
}

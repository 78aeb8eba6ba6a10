/**
 * Chooses the state that judges a login: the service's, for root and the service itself, or the user's own, for anybody else. Checks
 * the files of its store, and copies and upgrades it.
 */
import * as path from 'node:path';
import * as fs from 'node:fs';
import { isMember, type Config, type StoreSetting } from '../system/config.ts';
import { secretsFolder, checkedFrom } from '../system/secrets.ts';
import { isRoot, SERVICE_USER, userByName, type User } from '../system/users.ts';
import { hostname } from 'node:os';
import { causeOf, NotpError } from '../error.ts';
import { shellCommand } from '../otp/escape.ts';
import type { CopyOptions } from '../store/copy.ts';
import { copyStores, migrateStore, postgresName, type StorePlace } from '../store/open.ts';
import type { RowSeal } from '../store/row-seal.ts';
import { checkFolders, readTrusted, realWay, type Trust } from '../system/trusted.ts';
import { logPlace } from './log-id.ts';

export interface StatePlace {
  readonly kind: 'service' | 'user';
  /** The user who owns the state, and as whom notp works on it. */
  readonly owner: User;
  /** The place of the database. */
  readonly store: Exclude<StoreSetting, { kind: 'user' }>;
  readonly auditFile: string;
  readonly journal: boolean;
  /** Empty where the state has no host key. */
  readonly hostKeyFiles: readonly string[];
  /** Mode bits that the host keys must not have, where they differ from those of other trusted files. */
  readonly hostKeyForbidden?: number;
  /** Set on a member of a fleet, which has no state. */
  readonly judges?: Config['judges'];
  /** The content of the first host key file, where that is encrypted on the disk and root has decrypted it. */
  readonly openedKey?: Uint8Array;
}

/** The place of the state of `user`, for the user who runs this. Throws `store_unavailable` where this process may use none. */
export function statePlace(config: Config, user: User): StatePlace {
  const service = config.store.kind === 'user' ? undefined : serviceUser();
  if (service !== undefined && config.store.kind !== 'user') {
    return {
      kind: 'service',
      owner: service,
      store: config.store,
      auditFile: config.audit.file,
      journal: config.audit.journal,
      hostKeyFiles: config.hostKeys,
      ...(isMember(config) ? { judges: config.judges } : {}),
    };
  }
  return ownPlace(config, user);
}

/** The user's own state, which also keeps the counters of the HOTP codes that they read. */
export function ownPlace(config: Config, user: User): StatePlace {
  const folder = secretsFolder(config, user);
  const store = { kind: 'sqlite', path: path.join(folder, '.state.db') } as const;
  const auditFile = path.join(folder, '.audit.log');
  return { kind: 'user', owner: user, store, auditFile, journal: config.audit.journal, hostKeyFiles: [] };
}

/** The service's user, where this process runs as that user or may become it. */
function serviceUser(): User | undefined {
  const user = userByName(SERVICE_USER);
  return user !== undefined && (isRoot() || process.geteuid?.() === user.uid) ? user : undefined;
}

/** The store in messages: its file or its address. */
export function storeName({ store }: StatePlace): string {
  if (store.kind === 'sqlite') return store.path;
  return postgresName(store);
}

/** Upgrades the tables of a fleet's store; see migrateStore(). The caller acts as `place.owner`. Throws `store_unavailable`. */
export async function migrateStoreOf(place: StatePlace): ReturnType<typeof migrateStore> {
  return await migrateStore(storePlaceOf(place));
}

/**
 * Copies the store of one place into the store of another; see copyStores(). The caller acts as their owner. Throws
 * `store_unavailable`, `refused` or `failed`.
 */
export async function copyStoreOf(
  from: StatePlace,
  to: StatePlace,
  options: CopyOptions & { readonly rows: RowSeal },
): ReturnType<typeof copyStores> {
  if (from.store.kind === 'sqlite' && !isThere(from.store.path, from.owner, false))
    throw new NotpError('store_unavailable', `${from.store.path}: there is no such file`);
  const isNew = to.store.kind === 'sqlite' && isThere(to.store.path, to.owner, true) && !fs.existsSync(to.store.path);
  return await copyStores(storePlaceOf(from), isNew && options.dryRun ? undefined : storePlaceOf(to), options);
}

/** The store with the contents of its files: password and certificates. */
export function storePlaceOf({ store, owner, auditFile }: StatePlace): StorePlace {
  if (store.kind === 'sqlite') return store;
  const { kind, servers, database, user, tls, passwordFile, authoritiesFile, host } = store;
  const authorities =
    authoritiesFile === undefined ? undefined : textOf(authoritiesFile, { owner: owner.uid, maxBytes: MAX_PEM_BYTES, forbidden: 0o022 });
  const log = logPlace(auditFile, owner);
  return {
    ...{ kind, servers, database, user, tls },
    // Read each time: it may have been replaced.
    password: () => textOf(passwordFile, { owner: owner.uid, maxBytes: MAX_PASSWORD_BYTES, forbidden: 0o037 })?.trimEnd(),
    authorities,
    thisHost: host === '' ? hostname() : host,
    log: { ...log, id: () => asStore(log.id) },
  };
}

const MAX_PASSWORD_BYTES = 1024;
const MAX_PEM_BYTES = 1024 * 1024;

function textOf(file: string, trust: Trust): string | undefined {
  const bytes = asStore(() => readTrusted(file, trust));
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

/**
 * Whether the database exists, or can be made. Throws `store_unavailable` where its owner, mode or kind is wrong, or its folder is
 * missing.
 */
export function isThere(database: string, owner: User, create: boolean): boolean {
  const folder = path.dirname(database);
  const there = asStore(() => checkFolders(checkedFrom(folder, owner), folder, owner.uid) && isOurDatabase(database, owner));
  if (there || !create) return there;
  if (fs.existsSync(folder)) return true;
  throw new NotpError('store_unavailable', `${folder}: there is no such folder`, 'run notp host-key init once on this host');
}

/** What SQLite opens beside a database, before it opens that. */
const BESIDE = ['-journal', '-wal', '-shm'];

/** Whether the database exists. A symlink, a FIFO, a hard link or a file of another user throws, and anything but a file beside it. */
function isOurDatabase(database: string, owner: User): boolean {
  const stats = look(database, owner);
  for (const name of BESIDE) {
    const file = `${database}${name}`;
    // SQLite would wait for ever for a FIFO.
    if (look(file, owner)?.isFile() === false) throw new NotpError('store_unavailable', `${file} is not a regular file`, FIND_OUT);
  }
  if (stats === undefined) return false;
  if (stats.isFile() && stats.uid === owner.uid && stats.nlink === 1 && (stats.mode & 0o077) === 0) return true;
  throw new NotpError('store_unavailable', `${database} is not a private file of ${owner.name}`, FIND_OUT);
}

const FIND_OUT = 'find out who put it there';

function look(file: string, owner: User): fs.Stats | undefined {
  try {
    return fs.lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    const what = `${owner.name} cannot look at ${file}: ${causeOf(error)}`;
    throw new NotpError('store_unavailable', what, howToEnter(path.dirname(file), owner));
  }
}

/** Only where nobody but root can replace the folder does the hint tell root to change the owner. */
function howToEnter(folder: string, { name }: User): string {
  try {
    if (realWay(path.dirname(folder), 0) !== undefined) return shellCommand`as root: chown -h ${`${name}:`} ${folder}`;
  } catch {
    // Another user can replace the folder.
  }
  return `${name} must own ${folder}, and be able to enter it`;
}

/** The result of `action`; its NotpError is thrown as `store_unavailable`. */
export function asStore<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof NotpError) throw new NotpError('store_unavailable', error.message, error.hint);
    throw error;
  }
}

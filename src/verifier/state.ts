/**
 * Whose state a login is judged on: the service's, for root and the service itself, or the user's own, for
 * somebody who is only a user on this machine.
 */
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import * as path from 'node:path';
import { fileSink, journalSinks } from '../audit/sinks.ts';
import type { AuditLog } from '../audit/audit.ts';
import { errnoOf, messageOf, NotpError } from '../error.ts';
import { auditKey, hostKeyId, KEY_BYTES } from '../seal/keys.ts';
import { copyStores, migrateStore, openStore, postgresName, type StorePlace } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import type { Config, StoreSetting } from '../system/config.ts';
import { checkedFrom, secretsFolder } from '../system/secrets.ts';
import { checkFolders, readTrusted, type Trust } from '../system/trusted.ts';
import { isRoot, SERVICE_USER, userByName, type User } from '../system/users.ts';

export interface StatePlace {
  readonly kind: 'service' | 'user';
  /** Who owns the state, and acts on it. */
  readonly owner: User;
  /** Where its changing part is. */
  readonly store: Exclude<StoreSetting, { kind: 'user' }>;
  readonly auditFile: string;
  readonly journal: boolean;
  /** None where it has none. */
  readonly hostKeyFiles: readonly string[];
  /** Mode bits that the host keys must not have, where they are not those of every trusted file. */
  readonly hostKeyForbidden?: number;
}

export interface State {
  readonly store: Store;
  readonly log: AuditLog;
  readonly hostKey: HostKey | undefined;
}

export interface HostKey {
  /** KEY_BYTES raw bytes. */
  readonly key: Uint8Array;
  readonly id: string;
  /** The keys before it, the newest first: they still open what was sealed with them. */
  readonly former: readonly Omit<HostKey, 'former'>[];
}

/** Where the state of `user` is for whoever runs this. Throws `store_unavailable` where there is none that we may use. */
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
    };
  }
  return ownPlace(config, user);
}

/** The user's own state, which also counts the HOTP codes that they read. */
export function ownPlace(config: Config, user: User): StatePlace {
  const folder = secretsFolder(config, user);
  const store = { kind: 'sqlite', path: path.join(folder, '.state.db') } as const;
  const auditFile = path.join(folder, '.audit.log');
  return { kind: 'user', owner: user, store, auditFile, journal: config.audit.journal, hostKeyFiles: [] };
}

/** The audit log of `place`, without the chain's key. */
export function auditLog(place: StatePlace, now: () => number): AuditLog {
  return { sinks: [fileSink(place.auditFile), ...(place.journal ? journalSinks() : [])], key: undefined, now };
}

/**
 * Opens the state; the caller acts as `place.owner`. With `create`, makes what is missing in a folder that is
 * there. Gives undefined where the database is not there and is not to be made. Throws `store_unavailable`.
 */
export function openState(place: StatePlace, now: () => number, options: { create: true }): State;
export function openState(place: StatePlace, now: () => number, options: { create: boolean }): State | undefined;
export function openState(place: StatePlace, now: () => number, { create }: { create: boolean }): State | undefined {
  if (place.store.kind === 'sqlite' && !isThere(place.store.path, place.owner, create)) return undefined;
  const hostKey = readHostKeys(place);
  const store = openStore(placeOf(place), { create });
  return { store, hostKey, log: { ...auditLog(place, now), key: hostKey === undefined ? undefined : auditKey(hostKey.key) } };
}

/** The state, made where there is none, for what seals with `sealKind`. The caller acts as `place.owner`. Throws `failed` where the host's key is needed and there is none, else as openState. */
export function openToSeal({ hostKey }: Config, place: StatePlace, sealKind: 'host' | 'passphrase', now: () => number): State {
  const state = openState(place, now, { create: true });
  if (sealKind === 'passphrase' || state.hostKey !== undefined) return state;
  state.store.close();
  throw new NotpError('failed', `there is no host key at ${hostKey}`, 'run notp host-key init once on this host');
}

/** Brings the tables of a fleet up to date; see migrateStore(). The caller acts as `place.owner`. Throws `store_unavailable`. */
export async function migrated(place: StatePlace): ReturnType<typeof migrateStore> {
  return await migrateStore(placeOf(place));
}

/** Copies the store of one place into that of another; see copyStores(). The caller acts as their owner. Throws `store_unavailable`, `refused` or `failed`. */
export async function copied(from: StatePlace, to: StatePlace, options: Parameters<typeof copyStores>[2]): ReturnType<typeof copyStores> {
  if (from.store.kind === 'sqlite' && !isThere(from.store.path, from.owner, false))
    throw new NotpError('store_unavailable', `${from.store.path}: there is no such file`);
  const isNew = to.store.kind === 'sqlite' && isThere(to.store.path, to.owner, true) && !fs.existsSync(to.store.path);
  return await copyStores(placeOf(from), isNew && options.dryRun ? undefined : placeOf(to), options);
}

/** Whether the host key lies on the disk only encrypted, as `<host_key>.cred` for LoadCredentialEncrypted= in systemd.exec(5). */
export function hasEncryptedKey({ hostKey }: Config): boolean {
  return !fs.existsSync(hostKey) && fs.existsSync(`${hostKey}.cred`);
}

/** Runs `work` on the state, undefined where there is none, and closes it afterwards. The caller acts as `place.owner`. Throws as openState does. */
export async function withState<T>(place: StatePlace, now: () => number, work: (state: State | undefined) => Promise<T>): Promise<T> {
  const state = openState(place, now, { create: false });
  try {
    return await work(state);
  } finally {
    state?.store.close();
  }
}

/** The same where there must be a state. Throws `store_unavailable` where there is none. */
export async function withPresentState<T>(place: StatePlace, now: () => number, work: (state: State) => Promise<T>): Promise<T> {
  return await withState(place, now, async (state) => {
    if (state === undefined) throw new NotpError('store_unavailable', `${storeName(place)}: there is no such file`);
    return await work(state);
  });
}

/** The same, made where there is none. */
export async function withNewState<T>(place: StatePlace, now: () => number, work: (state: State) => Promise<T>): Promise<T> {
  const state = openState(place, now, { create: true });
  try {
    return await work(state);
  } finally {
    state.store.close();
  }
}

/** The keys of all files: that of the first one seals, and all of them open. */
function readHostKeys({ hostKeyFiles, owner, hostKeyForbidden }: StatePlace): HostKey | undefined {
  const [present, ...others] = hostKeyFiles.map((file) => readHostKey(file, owner, hostKeyForbidden));
  if (present === undefined) return undefined;
  return { ...present, former: [...present.former, ...others.flatMap((other) => (other === undefined ? [] : [other, ...other.former]))] };
}

/** The keys that records of the chain may have been made with: those of `state`, and `former`, which the store keeps. */
export function chainKeys({ log, hostKey }: State, former: readonly Uint8Array[]): readonly (Uint8Array | undefined)[] {
  return [log.key, ...(hostKey?.former ?? []).map(({ key }) => auditKey(key)), ...former];
}

/** The host key in `file`, or undefined where there is none. Throws `store_unavailable` where it is not as it must be. `forbidden`: mode bits, as readTrusted takes them. */
export function readHostKey(file: string, owner: User, forbidden?: number): HostKey | undefined {
  const mode = forbidden === undefined ? {} : { forbidden };
  const bytes = asStore(() => readTrusted(file, { owner: owner.uid, maxBytes: KEY_BYTES * MAX_HOST_KEYS, ...mode }));
  if (bytes === undefined) return undefined;
  const [present, ...former] = Array.from({ length: Math.ceil(bytes.length / KEY_BYTES) }, (_, i) => {
    const key = bytes.slice(i * KEY_BYTES, (i + 1) * KEY_BYTES);
    return { key, id: hostKeyId(key) };
  });
  if (present !== undefined && bytes.length % KEY_BYTES === 0) return { ...present, former };
  throw new NotpError('store_unavailable', `${file} is no host key: it must be ${String(KEY_BYTES)} bytes`, 'restore it from a backup');
}

/** The host key and those before it, of which some enrolment may still need one: one file, so that there is one moment at which the key changes. */
export const MAX_HOST_KEYS = 8;

/** The service's user, where we are it or may become it. */
function serviceUser(): User | undefined {
  const user = userByName(SERVICE_USER);
  return user !== undefined && (isRoot() || process.geteuid?.() === user.uid) ? user : undefined;
}

/** What messages call the store: its file, or its address. */
export function storeName({ store }: StatePlace): string {
  if (store.kind === 'sqlite') return store.path;
  return postgresName(store);
}

/** The store with what its files hold. */
function placeOf({ store, owner }: StatePlace): StorePlace {
  if (store.kind === 'sqlite') return store;
  const { kind, servers, database, user, tls, passwordFile, authoritiesFile, host } = store;
  const authorities =
    authoritiesFile === undefined ? undefined : textOf(authoritiesFile, { owner: owner.uid, maxBytes: MAX_PEM_BYTES, forbidden: 0o022 });
  return {
    ...{ kind, servers, database, user, tls },
    // Read anew each time: it may have been replaced.
    password: () => textOf(passwordFile, { owner: owner.uid, maxBytes: MAX_PASSWORD_BYTES, forbidden: 0o037 })?.trimEnd(),
    authorities,
    thisHost: host === '' ? hostname() : host,
  };
}

const MAX_PASSWORD_BYTES = 1024;
const MAX_PEM_BYTES = 1024 * 1024;

function textOf(file: string, trust: Trust): string | undefined {
  const bytes = asStore(() => readTrusted(file, trust));
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

/** Whether the database is there, or can be made. Throws `store_unavailable` where it is not as it must be, or has no folder to be made in. */
function isThere(database: string, owner: User, create: boolean): boolean {
  const folder = path.dirname(database);
  const there = asStore(() => checkFolders(checkedFrom(folder, owner), folder, owner.uid) && isOurDatabase(database, owner));
  if (there || !create) return there;
  if (fs.existsSync(folder)) return true;
  throw new NotpError('store_unavailable', `${folder}: there is no such folder`, 'run notp host-key init once on this host');
}

/** A symlink, a FIFO or a file of somebody else is none. */
function isOurDatabase(database: string, owner: User): boolean {
  const stats = look(database, owner);
  if (stats === undefined) return false;
  if (stats.isFile() && stats.uid === owner.uid && stats.nlink === 1 && (stats.mode & 0o077) === 0) return true;
  throw new NotpError('store_unavailable', `${database} is not a private file of ${owner.name}`, 'look who put it there');
}

function look(file: string, owner: User): fs.Stats | undefined {
  try {
    return fs.lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    const hint = `as root: chown ${owner.name}: ${path.dirname(file)}`;
    throw new NotpError('store_unavailable', `${owner.name} cannot look at ${file}: ${errnoOf(error) ?? messageOf(error)}`, hint);
  }
}

function asStore<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof NotpError) throw new NotpError('store_unavailable', error.message, error.hint);
    throw error;
  }
}

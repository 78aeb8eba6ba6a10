/** Opens the state that a login is judged on: the store, the log and the host key together. */
import { existsSync, mkdirSync } from 'node:fs';
import * as path from 'node:path';
import { logFile } from '../audit/log-file.ts';
import { journalSinks } from '../audit/sinks.ts';
import type { AuditLog } from '../audit/audit.ts';
import { NotpError } from '../error.ts';
import { auditKey } from '../seal/keys.ts';
import { realUid } from '../system/users.ts';
import { openStore } from '../store/open.ts';
import type { Store, StoreOptions } from '../store/store.ts';
import type { Config } from '../system/config.ts';
import { hasEncryptedKey, hostKeysOf, rowSealOf, type HostKey } from './host-keys.ts';
import { isThere, storePlaceOf, storeName, type StatePlace } from './place.ts';

export interface State {
  readonly place: StatePlace;
  readonly store: Store;
  readonly log: AuditLog;
  readonly hostKey: HostKey | undefined;
}

/** Makes the folder of the log: a user who was never enrolled has none yet. The caller acts as `place.owner`. */
export function makeLogFolder({ kind, auditFile }: StatePlace): void {
  const folder = path.dirname(auditFile);
  if (kind === 'user' && !existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
}

/** The audit log of `place`, without the chain's key. */
export function auditLog(place: StatePlace, now: () => number): AuditLog {
  const log = { file: logFile(place.auditFile), copies: place.journal ? journalSinks() : [], key: undefined, now };
  if (place.kind === 'user') return log;
  return { ...log, sharing: realUid() === 0 ? 'all but commands' : 'everybody' };
}

type Opening = Pick<StoreOptions, 'create' | 'untilMs'>;

/**
 * Opens the state; the caller acts as `place.owner`. With `create`, makes missing files in an existing folder. Gives undefined
 * where there is no database and `create` is not set. Throws `store_unavailable`.
 */
export function openState(place: StatePlace, now: () => number, options: Opening & { readonly create: true }): State;
export function openState(place: StatePlace, now: () => number, options: Opening): State | undefined;
export function openState(place: StatePlace, now: () => number, { create, untilMs }: Opening): State | undefined {
  if (place.judges !== undefined) throw heldByJudges({ judges: place.judges });
  if (place.store.kind === 'sqlite' && !isThere(place.store.path, place.owner, create)) return undefined;
  const hostKey = hostKeysOf(place);
  const store = openStore(storePlaceOf(place), { create, untilMs, rows: rowSealOf(place.kind, hostKey) });
  const log = auditLog(place, now);
  if (hostKey === undefined) return { place, store, hostKey, log: place.kind === 'user' ? log : { ...log, isUnlinked: true } };
  return { place, store, hostKey, log: { ...log, key: auditKey(hostKey.key), formerKeys: hostKey.former.map(({ key }) => auditKey(key)) } };
}

/** The error on a member of a fleet, which holds no state. */
export function heldByJudges({ judges }: Pick<Config, 'judges'>): NotpError {
  const where = [...new Set(judges.servers.map(({ host }) => host))].join(' or ');
  return new NotpError(
    'refused',
    'this host is a member of a fleet, and holds nothing: its judges do',
    `an administrator does this on ${where}`,
  );
}

/**
 * Opens the state, made where there is none, to seal with `sealKind`. The caller acts as `place.owner`. Throws `failed` where the
 * host key is needed and missing, else as openState.
 */
export function openToSeal(config: Config, place: StatePlace, sealKind: 'host' | 'passphrase', now: () => number): State {
  const state = openState(place, now, { create: true });
  if (sealKind === 'passphrase' || state.hostKey !== undefined) return state;
  state.store.close();
  const { hostKey } = config;
  if (hasEncryptedKey(config))
    throw new NotpError('failed', `systemd does not open ${hostKey}.cred`, 'run systemd-creds decrypt to see why');
  throw new NotpError('failed', `there is no host key at ${hostKey}`, MAKE_KEY);
}

/** The way out where a host key is needed. A lost one takes with it what it sealed. */
export const MAKE_KEY = 'run notp host-key init once on this host; if it had a key, bring that back from its copy instead';

/**
 * Runs `work` on the state, undefined where there is none, and closes it afterwards. The caller acts as `place.owner`. Throws as
 * openState does.
 */
export async function withState<T>(place: StatePlace, now: () => number, work: (state: State | undefined) => Promise<T>): Promise<T> {
  const state = openState(place, now, { create: false });
  try {
    return await work(state);
  } finally {
    state?.store.close();
  }
}

/** Whether the state has records or enrolments, which a host key has signed. The caller acts as `place.owner`. Throws as openState does. */
export async function isInUse(place: StatePlace, now: () => number): Promise<boolean> {
  return await withState(place, now, async (state) => {
    if (state === undefined) return false;
    return await state.store.exclusively(async (found) => (await found.head()).seq > 0 || (await found.enrolments()).length > 0);
  });
}

/** The error where there is no state. */
export function noState(place: StatePlace, hint?: string): NotpError {
  return new NotpError('store_unavailable', `${storeName(place)}: there is no such file`, hint);
}

/** As withState(), where there must be a state. Throws `store_unavailable` where there is none. */
export async function withPresentState<T>(place: StatePlace, now: () => number, work: (state: State) => Promise<T>): Promise<T> {
  return await withState(place, now, async (state) => {
    if (state === undefined) throw noState(place);
    return await work(state);
  });
}

/** The same, with a state made where there is none. */
export async function withNewState<T>(place: StatePlace, now: () => number, work: (state: State) => Promise<T>): Promise<T> {
  const state = openState(place, now, { create: true });
  try {
    return await work(state);
  } finally {
    state.store.close();
  }
}

/** The keys that may have made records of the chain: those of `state`, and `former`, which the store keeps. */
export function chainKeys({ log, hostKey }: State, former: readonly Uint8Array[]): readonly (Uint8Array | undefined)[] {
  return [log.key, ...(hostKey?.former ?? []).map(({ key }) => auditKey(key)), ...former];
}

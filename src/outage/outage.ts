/**
 * Logins while no server of the store can be reached. With `outage = "local"`, this host's copy of the store decides for users whom
 * an administrator has approved, and never by a single code. These decisions are kept for the store; see report.ts.
 */
import * as path from 'node:path';
import type { AuditLog } from '../audit/audit.ts';
import type { Enrolment } from '../store/store.ts';
import type { Policy } from '../verdict/decide.ts';
import { isUnreached } from '../store/unreached.ts';
import { dropReported, keepOut, noteUsed, pendingIn, sendReports } from './report.ts';
import { openState, type State } from '../state/state.ts';
import type { StatePlace } from '../state/place.ts';

/** The longest age of a copy. An older one lets nobody in. */
const MAX_COPY_AGE_MS = 24 * 3_600_000;
/** How long a server that was not reached is not asked again. */
const PAUSE_MS = 30_000;

/** The place of the copy and of the log of outages; undefined where the configuration wants none. */
export function outagePlace(place: StatePlace): StatePlace | undefined {
  const { store, auditFile } = place;
  if (store.kind !== 'postgres' || store.outage !== 'local') return undefined;
  const { dir, name, ext } = path.parse(auditFile);
  return { ...place, store: { kind: 'sqlite', path: store.outageFile }, auditFile: path.join(dir, `${name}-outage${ext}`) };
}

/**
 * Opens the copy; the caller acts as `place.owner`. Undefined where there is no copy and `create` is not set. Throws
 * `store_unavailable`.
 */
export function openCopy(place: StatePlace, now: () => number, options: { create: boolean }): State | undefined {
  const where = outagePlace(place);
  const state = where === undefined ? undefined : openState(where, now, options);
  return state === undefined ? undefined : { ...state, log: { ...state.log, keep } };
}

const keep: NonNullable<AuditLog['keep']> = async (transaction, record, { seq, hash }) => {
  await transaction.keepOutageRecord({ id: hash, seq, text: JSON.stringify(record) });
};

/** Whether a copy is young enough to be used. A time in the future does not count: the clock was set back. */
export function isFresh(asOfMs: number, nowMs: number): boolean {
  return nowMs >= asOfMs && nowMs - asOfMs <= MAX_COPY_AGE_MS;
}

/** When the server of each copy was last found unreachable, by the file of the copy. */
const unreachedMs = new Map<string, number>();

/** The user whose login is judged, and the rules. */
interface Asking {
  readonly place: StatePlace;
  readonly user: string;
  readonly policy: Policy;
  readonly now: () => number;
  /** Whether the copy may decide. Otherwise it only records which codes are used. */
  readonly mayFallBack: boolean;
}

/** What a decision is based on. */
export interface Basis {
  readonly state: State;
  /** Whether that is the copy. Then a single code is never judged, nothing is remembered, and the used codes are recorded. */
  readonly inOutage: boolean;
  /**
   * Notes in the copy what an accepted code uses of an enrolment, before that counts. Gives whether this host has meanwhile
   * accepted the code by the copy: then it is already used.
   */
  readonly used?: (before: Enrolment, after: Enrolment) => Promise<boolean>;
}

type Work<T> = (basis: Basis) => Promise<T>;

/** Runs `work` on `state`. Where its server cannot be reached, and nothing was judged yet, runs it on the copy for approved users. */
export async function throughOutages<T>(asking: Asking, state: State, work: Work<T>): Promise<T> {
  const copy = await ofCopy(() => openCopy(asking.place, asking.now, { create: false }));
  if (copy === undefined) return await work({ state, inOutage: false });
  try {
    return await onEither(asking, state, copy, work);
  } finally {
    copy.store.close();
  }
}

/**
 * The result of `work`, or undefined where it fails. A broken copy keeps nobody out while the server is there, and lets nobody in
 * while it is not. `notp doctor` reports it.
 */
async function ofCopy<T>(work: () => T): Promise<Awaited<T> | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}

async function onEither<T>({ place, user, policy, now, mayFallBack }: Asking, state: State, copy: State, work: Work<T>): Promise<T> {
  const file = place.store.kind === 'postgres' ? place.store.outageFile : '';
  const approved = (await ofCopy(() => copy.store.exclusively((transaction) => transaction.approved()))) ?? [];
  const isApproved = mayFallBack && approved.some((each) => each.user === user && isFresh(each.asOfMs, now()));
  const locally = (): Promise<T> => work({ state: copy, inOutage: true });
  if (isApproved && isPaused(file, now())) return await locally();
  // Noted in the copy before it counts in the store: if the server then goes away, the next login finds it.
  const used = async (before: Enrolment, after: Enrolment): Promise<boolean> =>
    (await ofCopy(() => noteUsed(copy, before, after))) ?? false;
  try {
    await reportBefore({ policy, user }, state, copy);
    return await work({ state, inOutage: false, used });
  } catch (error) {
    if (!isApproved || !isUnreached(error)) throw error;
    unreachedMs.set(file, now());
    return await locally();
  }
}

/** Reports the codes used on the copy before the store decides again. If the log takes no more of a user, only that user is kept out. */
async function reportBefore({ policy, user }: Pick<Asking, 'policy' | 'user'>, state: State, copy: State): Promise<void> {
  const pending = await ofCopy(() => pendingIn(copy));
  if (pending === undefined || pending.records.length === 0) return;
  // If the copy does not note that they were reported, they are reported again, and the store recognises them.
  const left = await sendReports(state, pending, policy, {
    reported: (some) => ofCopy(() => dropReported(copy, some)),
    waits: (other) => ofCopy(() => keepOut(copy, other)),
  });
  const own = left.get(user);
  if (own !== undefined) throw own;
}

function isPaused(file: string, nowMs: number): boolean {
  const since = nowMs - (unreachedMs.get(file) ?? -Infinity);
  return since >= 0 && since < PAUSE_MS;
}

/**
 * Logins while no server of the store can be reached: with `outage = "local"` for users whom an administrator has approved, by a copy that
 * this host keeps of what the store knows of them, and never with a single code. What is decided so is kept for the store, see outage-report.ts.
 */
import * as path from 'node:path';
import type { AuditLog } from '../audit/audit.ts';
import type { Enrolment } from '../store/store.ts';
import type { Policy } from '../verdict/decide.ts';
import { isUnreached } from '../store/unreached.ts';
import { dropTold, noteUsed, pendingIn, tellStore } from './report.ts';
import { openState, type State } from '../state/state.ts';
import type { StatePlace } from '../state/place.ts';

/** An older copy lets nobody in. */
const MAX_COPY_AGE_MS = 24 * 3_600_000;
/** For so long a server that was not reached is not waited for again. */
const PAUSE_MS = 30_000;

/** Where the copy and the log of outages are; undefined where there shall be none. */
export function outagePlace(place: StatePlace): StatePlace | undefined {
  const { store, auditFile } = place;
  if (store.kind !== 'postgres' || store.outage !== 'local') return undefined;
  const { dir, name, ext } = path.parse(auditFile);
  return { ...place, store: { kind: 'sqlite', path: store.outageFile }, auditFile: path.join(dir, `${name}-outage${ext}`) };
}

/** Opens the copy; the caller acts as `place.owner`. Undefined where there is none and none is to be made. Throws `store_unavailable`. */
export function openCopy(place: StatePlace, now: () => number, options: { create: boolean }): State | undefined {
  const where = outagePlace(place);
  const state = where === undefined ? undefined : openState(where, now, options);
  return state === undefined ? undefined : { ...state, log: { ...state.log, keep } };
}

const keep: NonNullable<AuditLog['keep']> = async (transaction, record, { seq, hash }) => {
  await transaction.keepOutageRecord({ id: hash, seq, text: JSON.stringify(record) });
};

/** Whether a copy may still be used. A time in the future is no time: the clock was set back. */
export function isFresh(asOfMs: number, nowMs: number): boolean {
  return nowMs >= asOfMs && nowMs - asOfMs <= MAX_COPY_AGE_MS;
}

/** When the server of each copy was not reached last, by the file of the copy. */
const unreachedMs = new Map<string, number>();

/** Whose login is judged, and by what. */
interface Asking {
  readonly place: StatePlace;
  readonly user: string;
  readonly policy: Policy;
  readonly now: () => number;
  /** Else the copy decides nothing, and only hears what is used. */
  readonly mayFallBack: boolean;
}

/** What a login is judged on. */
export interface Bench {
  readonly state: State;
  /** Whether that is the copy: then a single code is never judged, nothing is remembered, and what was used up is recorded. */
  readonly inOutage: boolean;
  /**
   * Is told what an accepted code uses up of an enrolment, before that counts. Gives whether this host has taken it by the copy meanwhile: then
   * it was used already.
   */
  readonly used?: (before: Enrolment, after: Enrolment) => Promise<boolean>;
}

type Work<T> = (bench: Bench) => Promise<T>;

/** Runs `work` on `state`, or where its server cannot be reached, and nothing was judged yet, on the copy, for whom that is approved. */
export async function throughOutages<T>(asking: Asking, state: State, work: Work<T>): Promise<T> {
  const copy = await ofCopy(() => openCopy(asking.place, asking.now, { create: false }));
  if (copy === undefined) return await work({ state, inOutage: false });
  try {
    return await onEither(asking, state, copy, work);
  } finally {
    copy.store.close();
  }
}

/** What fails in the copy keeps nobody out while the server is there, and lets nobody in while it is not; `notp doctor` tells of it. */
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
  // Noted here before it counts there: whoever comes when the server has just gone must find it.
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

/** What was used here must be known there before it decides again. Where the log takes no more, that keeps out nobody but whom it is about. */
async function reportBefore({ policy, user }: Pick<Asking, 'policy' | 'user'>, state: State, copy: State): Promise<void> {
  const pending = await ofCopy(() => pendingIn(copy));
  if (pending === undefined || pending.records.length === 0) return;
  // Where the copy does not note that, they are told again, and known then.
  const left = await tellStore(state, pending, policy, (told) => ofCopy(() => dropTold(copy, told)));
  const own = left.get(user);
  if (own !== undefined) throw own;
}

function isPaused(file: string, nowMs: number): boolean {
  const since = nowMs - (unreachedMs.get(file) ?? -Infinity);
  return since >= 0 && since < PAUSE_MS;
}

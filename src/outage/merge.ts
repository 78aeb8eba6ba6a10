/** Computes what a login uses on the copy of a host, and how copy and store become one again. Pure. */
import type { AuditRecord } from '../audit/record.ts';
import type { Enrolment } from '../store/store.ts';
import { isSameSecret, hasSameRecoveryCodes } from '../seal/id.ts';
import { emptiest, refilled } from '../verdict/budget.ts';
import { withoutFutureSteps, type LoginState, type Policy } from '../verdict/decide.ts';
import { completed, withBudget } from '../store/enrolment.ts';

/** The step and the recovery codes that an acceptance used. */
export type Used = Pick<AuditRecord, 'step' | 'recovery_codes'>;

export function usedBy(before: LoginState, after: LoginState): Used {
  const codes = Array.from(after.spent).flatMap((digit, i) => (digit === before.spent[i] ? [] : [i]));
  return {
    ...(after.lastStep === before.lastStep ? {} : { step: after.lastStep }),
    ...(codes.length === 0 ? {} : { recovery_codes: codes }),
  };
}

/**
 * The enrolment of the store, with the steps and recovery codes that the copy knows as used. Only those of the same secret count,
 * and of the same list of recovery codes: either side may have re-sealed them. A forged copy changes nothing. `inStore`: whether
 * the store keeps the sealed file.
 */
export function usedOnEither(store: Enrolment, copy: Enrolment, inStore = false): Enrolment {
  if (copy.doubt !== undefined) return store;
  const known = asCopied(store, copy, inStore);
  if (!isSameSecret(known.id, copy.id)) return store;
  const lastStep = Math.max(known.state.lastStep, copy.state.lastStep);
  const spentThere = hasSameRecoveryCodes(known.id, copy.id) ? copy.state.spent : '';
  const spent = Array.from(known.state.spent, (digit, i) => (spentThere[i] === '1' ? '1' : digit)).join('');
  const lastAcceptedMs = Math.max(known.lastAcceptedMs, copy.lastAcceptedMs);
  return { ...known, state: { ...copy.state, ...known.state, lastStep, spent }, lastAcceptedMs };
}

/**
 * A copy whose row cannot be checked here, as after a change of the host key, with what its unreported `records` used: nothing else of it
 * is believed. Its id only says which secret they are about, and whoever could forge that could delete the records. `store` is the
 * store's enrolment of the same name.
 */
export function asRecorded(copy: Enrolment, store: Enrolment | undefined, records: readonly Used[]): Enrolment {
  const { doubt: _, ...rest } = copy;
  const lastStep = Math.max(-1, ...records.map(({ step = -1 }) => step));
  const codes = new Set(records.flatMap(({ recovery_codes: each = [] }) => each));
  const spent = Array.from({ length: Math.max(-1, ...codes) + 1 }, (_digit, i) => (codes.has(i) ? '1' : '0')).join('');
  const known = store === undefined ? [] : [store, completed(store)];
  // The state of another secret is no measure: its steps may have another length.
  const { state } = known.find(({ id }) => isSameSecret(id, copy.id)) ?? copy;
  return { ...rest, state: { ...state, lastStep, spent }, pendingState: {} };
}

/** The time, Unix time in milliseconds: by the clock that counts (store/clock.ts) and by the host's own. */
export interface Clocks {
  readonly nowMs: number;
  readonly hostMs: number;
}

/** The later one of both, by which a step is not a future one. */
export function latestMs({ nowMs, hostMs }: Clocks): number {
  return Math.max(nowMs, hostMs);
}

/**
 * The same, and with the emptier of both budgets, at `nowMs`. A copy whose host had a clock that was ahead gives no guesses back,
 * and leaves no future step as the last one. Steps that the host's own clock explains stay used, even where the store's clock is
 * behind.
 */
export function merged(store: Enrolment, copy: Enrolment, policy: Policy, { nowMs, hostMs }: Clocks, inStore = false): Enrolment {
  const known = usedOnEither(store, { ...copy, state: withoutFutureSteps(copy.state, latestMs({ nowMs, hostMs }), policy) }, inStore);
  if (copy.doubt !== undefined || !isSameSecret(known.id, copy.id)) return known;
  const buckets = [known.state.bucket, copy.state.bucket];
  const atMs = Math.min(nowMs, Math.max(...buckets.map(({ asOfMs }) => asOfMs)));
  return withBudget(known, emptiest(buckets.map((each) => refilled(each, policy, atMs))));
}

/**
 * Whether the copy already used a step or a recovery code that the store is about to use. The store's enrolment was `before`, and
 * becomes `after`.
 */
export function isTaken(copy: Enrolment, before: Enrolment, after: Enrolment): boolean {
  if (copy.doubt !== undefined || !isSameSecret(copy.id, after.id)) return false;
  const { step, recovery_codes: codes = [] } = usedBy(before.state, after.state);
  if (hasSameRecoveryCodes(copy.id, after.id) && codes.some((code) => copy.state.spent[code] === '1')) return true;
  return step !== undefined && step <= copy.state.lastStep;
}

/** The conflict where the store already knows a code of this unreported acceptance as used; undefined where there is none. */
export function conflictOf(record: AuditRecord, store: Enrolment, copy: Enrolment, inStore = false): string | undefined {
  const { id, state } = asCopied(store, copy, inStore);
  if (record.event !== 'login.accepted' || !isSameSecret(id, copy.id)) return undefined;
  const { step, recovery_codes: codes = [] } = record;
  if (hasSameRecoveryCodes(id, copy.id) && codes.some((code) => state.spent[code] === '1'))
    return 'a recovery code was accepted on two hosts';
  // An acceptance in an outage takes this code and the one before.
  if (step === undefined || step > state.lastStep + 1) return undefined;
  return `a code may have been accepted on two hosts: this host took those of steps ${String(step - 1)} and ${String(step)}, and another one that of ${String(state.lastStep)}`;
}

/** A pending file may be in place by now. A file that the store keeps is in place only once it is the registered one. */
function asCopied(store: Enrolment, copy: Enrolment, inStore: boolean): Enrolment {
  return !inStore && copy.id !== store.id && copy.id === store.pendingId ? completed(store) : store;
}

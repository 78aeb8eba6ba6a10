/** Makes grants and ends them, each with its record. */
import type { Done } from '../audit/record-change.ts';
import { newRef } from '../audit/audit.ts';
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import type { State } from '../state/state.ts';
import { timeOf } from '../store/clock.ts';
import type { KeptGrant, Transaction } from '../store/store.ts';
import { nameOfGrant, whoseGrant, type Grant } from '../verdict/grants.ts';
import { change } from './change.ts';

/** A grant to be made. */
export interface WantedGrant extends Pick<Grant, 'from' | 'key' | 'service' | 'reason'> {
  readonly forMs: number;
}

/** The most grants of one user: each login reads them. */
const MAX_GRANTS = 16;

/**
 * Lets the user of `origin` in without a code. It begins and ends by the clock of the store. Throws `refused` where the user has too many
 * grants, and as change() does.
 */
export async function give(state: State, origin: Omit<Origin, 'context'>, { forMs, ...wanted }: WantedGrant): Promise<Grant> {
  return await change(state, origin, async (transaction) => {
    const madeMs = await timeOf(transaction, state.log.now);
    await dropPast(transaction, madeMs);
    const { user } = origin;
    if ((await transaction.grantsOf(user)).filter(({ doubt }) => doubt === undefined).length >= MAX_GRANTS)
      throw new NotpError('refused', `${user} has ${String(MAX_GRANTS)} grants already`, 'end some of them: notp grants');
    const grant = { ...wanted, user, id: newRef(), madeMs, untilMs: madeMs + forMs };
    await transaction.keepGrant(grant);
    return { done: [{ context: '', event: 'grant', detail: detailOf(grant) }], given: grant };
  });
}

/** Grants, and the time that counts, by the store's clock where it has one: nothing is decided by it. */
export interface ShownGrants {
  /** Those that are not over, and those that were changed outside notp, which may say any time. */
  readonly grants: readonly KeptGrant[];
  readonly nowMs: number;
}

/** The grants of `user`, or of everybody. */
export async function shownGrants({ store, log }: State, user?: string): Promise<ShownGrants> {
  return await store.exclusively(async (transaction) => {
    const nowMs = (await transaction.clockMs()) ?? log.now();
    const all = await (user === undefined ? transaction.grants() : transaction.grantsOf(user));
    return { nowMs, grants: all.filter(({ untilMs, doubt }) => doubt === 'forged' || nowMs < untilMs) };
  });
}

/** Ends the grant `id`, also one that counts for nothing. Throws `refused` where there is none. */
export async function endGrant(state: State, id: string): Promise<Grant> {
  const all = await state.store.exclusively((transaction) => transaction.grants());
  const known = all.find((each) => each.id === id);
  if (known === undefined) throw new NotpError('refused', `there is no grant ${id}`, 'notp grants lists all');
  return await change(state, { user: known.user, door: 'cli' }, async (transaction) => {
    await transaction.dropGrant(id);
    return { done: [ended(known)], given: known };
  });
}

/** Ends all grants of `user`, for the record of what ends them. */
export async function endGrantsOf(transaction: Transaction, user: string): Promise<readonly Done[]> {
  const all = await transaction.grantsOf(user);
  for (const { id } of all) await transaction.dropGrant(id);
  return all.map(ended);
}

function ended(grant: KeptGrant): Done {
  return { context: '', event: 'grant.ended', detail: nameOfGrant(grant) };
}

/** Deletes the grants that are over. Nobody needs them: each of their uses is in the log. */
async function dropPast(transaction: Transaction, nowMs: number): Promise<void> {
  for (const { id, untilMs, doubt } of await transaction.grants())
    if (doubt === undefined && untilMs <= nowMs) await transaction.dropGrant(id);
}

function detailOf(grant: Grant): string {
  return `${nameOfGrant(grant)} until ${new Date(grant.untilMs).toISOString()}: ${whoseGrant(grant)}`;
}

/** Makes grants and ends them, each with its record. */
import type { Done } from '../audit/record-change.ts';
import { newRef } from '../audit/audit.ts';
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import { plural } from '../lists.ts';
import type { State } from '../state/state.ts';
import { timeOf } from '../store/clock.ts';
import type { KeptGrant, Transaction } from '../store/store.ts';
import { isFor, nameOfGrant, whoseGrant, type Grant } from '../verdict/grants.ts';
import { usersByName } from '../system/users.ts';
import { change } from './change.ts';

/** A grant to be made. */
export interface WantedGrant extends Pick<Grant, 'from' | 'key' | 'service' | 'reason'> {
  readonly forMs: number;
}

/** Of an account that exists here: a grant is bound to its uid. */
type Grantee = Omit<Origin, 'context'> & { readonly uid: number };

/** The most grants of one user: each login reads them. */
const MAX_GRANTS = 16;

/**
 * Lets the user of `origin` in without a code. It begins and ends by the clock of the store. Throws `refused` where the user has too many
 * grants, and as change() does.
 */
export async function give(state: State, origin: Grantee, { forMs, ...wanted }: WantedGrant): Promise<Grant> {
  return await change(state, origin, async (transaction) => {
    const madeMs = await timeOf(transaction, state.log.now);
    await dropPast(transaction, madeMs);
    const { user, uid } = origin;
    if ((await transaction.grantsOf(user)).filter(({ doubt }) => doubt === undefined).length >= MAX_GRANTS)
      throw new NotpError('refused', `${user} has ${String(MAX_GRANTS)} grants already`, 'end some of them: notp grants');
    const grant = { ...wanted, user, uid, id: newRef(), madeMs, untilMs: madeMs + forMs };
    await transaction.keepGrant(grant);
    return { done: [{ context: '', event: 'grant', detail: detailOf(grant) }], given: grant };
  });
}

/** Grants, and the time that counts, by the store's clock where it has one: nothing is decided by it. */
export interface ShownGrants {
  /** Those that are not over, and those that were changed outside notp, which may say any time. */
  readonly grants: readonly ShownGrant[];
  readonly nowMs: number;
}

export interface ShownGrant extends KeptGrant {
  /** Why a genuine one lets nobody in on this host. */
  readonly stray?: string;
}

/** The grants of `user`, or of everybody. */
export async function shownGrants({ store, log }: State, user?: string): Promise<ShownGrants> {
  const { nowMs, all } = await store.exclusively(async (transaction) => ({
    nowMs: (await transaction.clockMs()) ?? log.now(),
    all: await (user === undefined ? transaction.grants() : transaction.grantsOf(user)),
  }));
  return { nowMs, grants: withStray(all.filter(({ untilMs, doubt }) => doubt === 'forged' || nowMs < untilMs)) };
}

/** Whose account is gone, or gave its name to another one. Where the users cannot be read, it is not known of any. */
function withStray(all: readonly KeptGrant[]): readonly ShownGrant[] {
  const names = all.filter(({ doubt }) => doubt === undefined).map(({ user }) => user);
  const users = readable(() => usersByName(names));
  if (users === undefined) return all;
  return all.map((grant): ShownGrant => {
    const present = users.get(grant.user);
    if (grant.doubt !== undefined || (present !== undefined && isFor(grant, present))) return grant;
    return { ...grant, stray: present === undefined ? 'there is no such account here' : 'another account has the name now' };
  });
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Ends the grant `id`, also one that counts for nothing. Throws `refused` where there is none. */
export async function endGrant(state: State, id: string): Promise<KeptGrant> {
  const all = await state.store.exclusively((transaction) => transaction.grants());
  const known = all.find((each) => each.id === id);
  if (known === undefined) throw new NotpError('refused', `there is no grant ${id}`, 'notp grants lists all');
  return await change(state, { user: known.user, door: 'cli' }, async (transaction) => {
    await transaction.dropGrant(id);
    return { done: [ended(known)], given: known };
  });
}

/**
 * Ends all grants of `user`, for the records of what ends them. These are few, however many rows somebody has put there: an interrupted
 * transaction may leave no more in the log than `notp audit verify` expects.
 */
export async function endGrantsOf(
  transaction: Transaction,
  user: string,
): Promise<{ readonly grants: number; readonly done: readonly Done[] }> {
  const all = await transaction.grantsOf(user);
  if (all.length === 0) return { grants: 0, done: [] };
  await transaction.dropGrantsOf(user);
  const genuine = all.filter(({ doubt }) => doubt === undefined);
  const [named, more, doubtful] = [genuine.slice(0, MAX_GRANTS), genuine.length - MAX_GRANTS, all.length - genuine.length];
  const done = [
    ...named.map(ended),
    ...(more > 0 ? [endedAs(`${plural(more, 'grant')} more`)] : []),
    ...(doubtful > 0 ? [endedAs(`${plural(doubtful, 'grant')} ${CHANGED}`)] : []),
  ];
  return { grants: all.length, done };
}

function ended(grant: KeptGrant): Done {
  return endedAs(nameOfKept(grant));
}

function endedAs(detail: string): Done {
  return { context: '', event: 'grant.ended', detail };
}

const CHANGED = 'changed outside notp, or under a host key that is not here';

/** As nameOfGrant(). What a row says that cannot be checked is not repeated: the log is signed. */
export function nameOfKept(grant: KeptGrant): string {
  return grant.doubt === undefined ? nameOfGrant(grant) : `grant ${grant.id}, ${CHANGED}`;
}

/** Deletes the grants that are over. Nobody needs them: each of their uses is in the log. */
async function dropPast(transaction: Transaction, nowMs: number): Promise<void> {
  for (const { id, untilMs, doubt } of await transaction.grants())
    if (doubt === undefined && untilMs <= nowMs) await transaction.dropGrant(id);
}

/** The reason comes last: a long detail is cut. */
function detailOf(grant: Grant): string {
  return `grant ${grant.id} until ${new Date(grant.untilMs).toISOString()}: ${whoseGrant(grant)} (${grant.reason})`;
}

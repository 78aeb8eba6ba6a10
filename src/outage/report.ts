/** Between the store of a fleet and the copy of a host: what was decided in an outage goes there, and what the host may need in the next comes here. */
import { append, appendSums, newRef, type AuditLog } from '../audit/audit.ts';
import { isInChain } from '../audit/in-chain.ts';
import type { AuditRecord } from '../audit/record.ts';
import { MAX_CUT_OFF } from '../audit/walk.ts';
import { NotpError } from '../error.ts';
import { parseJson } from '../json.ts';
import type { ChainHead, Enrolment, OutageRecord, Transaction } from '../store/store.ts';
import { withoutFutureSteps, type Policy } from '../verdict/decide.ts';
import { withBudget } from '../store/enrolment.ts';
import { timeOf } from '../store/clock.ts';
import { conflictOf, isTaken, merged, usedOnEither } from './merge.ts';
import { chainKeys, type State } from '../state/state.ts';

/** What the store may be told of one: the sums of two floods before it, the record, and a conflict. */
const LINES_OF_ONE = 4;
/** So many are reported in one transaction, all of whose records a crash may cut off. */
const CHUNK = MAX_CUT_OFF / LINES_OF_ONE;
const ALL = Number.MAX_SAFE_INTEGER;

/** What the store was not told yet. */
export interface Pending {
  readonly records: readonly OutageRecord[];
  /** Those that the copy has of the users whom they are about, by user. */
  readonly enrolments: readonly Enrolment[];
}

/**
 * Tells the store what was decided on the copy, which then holds nothing of it; gives how many records. Throws as Store.exclusively does, and
 * `audit_unavailable` where the log takes no more of a user.
 */
export async function reportOutage(state: State, copy: State, policy: Policy): Promise<number> {
  const pending = await pendingIn(copy);
  const [left] = (await tellStore(state, pending, policy, (told) => dropTold(copy, told))).values();
  if (left !== undefined) throw left;
  return pending.records.length;
}

/** What the copy has to report, with what it only counted so far. */
export async function pendingIn({ store, log }: State): Promise<Pending> {
  const { counted, isNothing } = await store.exclusively(async (transaction) => {
    const users = await transaction.counted();
    return { counted: users, isNothing: users.length === 0 && (await transaction.outageRecords(1)).length === 0 };
  });
  if (isNothing) return { records: [], enrolments: [] };
  // What was only counted is told now, in a transaction for each: a crash cuts off all records of one.
  for (const user of counted) await store.exclusively((transaction) => appendSums(log, transaction, user));
  return await store.exclusively(async (transaction) => {
    const enrolments = await transaction.enrolments();
    const records = await transaction.outageRecords(ALL);
    const users = new Set(records.map((record) => recordIn(record).user));
    return { records, enrolments: enrolments.filter(({ user }) => users.has(user)) };
  });
}

/**
 * Each record becomes one of the chain of the store, and with the last one of a user what they have used up is used up there. `told` hears which are
 * known there, as soon as they are. Nothing is told twice, though this end before it is through, or the copy be put back to what it was. Gives of whom
 * the log took no more, and why: that keeps nobody else's from being told. Throws as Store.exclusively and `told` do.
 */
export async function tellStore(
  state: State,
  { records, enrolments }: Pending,
  policy: Policy,
  told: (records: readonly OutageRecord[]) => Promise<unknown>,
): Promise<ReadonlyMap<string, NotpError>> {
  const left = new Map<string, NotpError>();
  for (const [user, all] of Map.groupBy(records, (record) => recordIn(record).user)) {
    const copies = enrolments.filter((each) => each.user === user);
    try {
      for (let start = 0; start < all.length; start += CHUNK) {
        const some = all.slice(start, start + CHUNK);
        await tellSome(state, some, { user, copies, policy, isLast: start + CHUNK >= all.length });
        await told(some);
      }
    } catch (error) {
      if (!(error instanceof NotpError) || error.code !== 'audit_unavailable') throw error;
      left.set(user, error);
    }
  }
  return left;
}

interface Telling {
  /** Whom all of them are about. */
  readonly user: string;
  /** What the copy has of that user. */
  readonly copies: readonly Enrolment[];
  readonly policy: Policy;
  /** Whether none of the user are left; until then each is compared with what the others know. */
  readonly isLast: boolean;
}

async function tellSome(state: State, some: readonly OutageRecord[], { user, copies, policy, isLast }: Telling): Promise<void> {
  await state.store.exclusively(async (transaction) => {
    const present = await presentOf(transaction, user);
    const report = newRef();
    for (const record of some) {
      const before = await transaction.outageTold(record.id);
      if (before !== undefined && (await isTold(state, transaction, before))) continue;
      const { seq, hash } = await tell(state.log, transaction, { ...recordIn(record), report }, { present, copies });
      if (before === undefined) await transaction.keepOutageRecord({ id: record.id, seq, text: hash });
    }
    if (isLast) await merge(transaction, { present, copies, policy, now: state.log.now });
  });
}

/** The decisions about `user` on the copy that the store was not told of. */
export async function unreportedOf(copy: Transaction, user: string): Promise<readonly AuditRecord[]> {
  return (await copy.outageRecords(ALL)).map(recordIn).filter((record) => record.user === user);
}

/**
 * Whether the chain of this host has the record that the store says it was told as: whoever administers that sees the rows of a transaction
 * before they undo it, and can put one in again without the record.
 */
async function isTold(state: State, transaction: Transaction, told: ChainHead | 'forged'): Promise<boolean> {
  if (told === 'forged') return false;
  const keys = chainKeys(state, await transaction.formerChainKeys());
  return await isInChain(state.log.file.name, { head: await transaction.head(), backlog: await transaction.backlog(), keys }, told);
}

export async function dropTold({ store }: State, records: readonly OutageRecord[]): Promise<void> {
  await store.exclusively(async (transaction) => {
    for (const { id } of records) await transaction.dropOutageRecord(id);
  });
}

/** What the store has of `user`. */
async function presentOf(transaction: Transaction, user: string): Promise<Present> {
  const enrolments = await transaction.enrolmentsOf(user);
  const kept = [];
  for (const each of enrolments) if ((await transaction.sealed(user, each.context)) !== undefined) kept.push(each);
  return { enrolments, kept };
}

interface Present {
  readonly enrolments: readonly Enrolment[];
  /** Those of which the store keeps the sealed file. */
  readonly kept: readonly Enrolment[];
}

/** Gives the head after the record. */
async function tell(
  log: AuditLog,
  transaction: Transaction,
  record: AuditRecord & { readonly report: string },
  { present, copies }: { readonly present: Present; readonly copies: readonly Enrolment[] },
): Promise<ChainHead> {
  await append(log, transaction, record);
  const head = await transaction.head();
  const [store, copy] = [present.enrolments, copies].map((all) => all.find((each) => isSame(each, record)));
  const detail = store === undefined || copy === undefined ? undefined : conflictOf(record, store, copy, present.kept.includes(store));
  if (detail === undefined) return head;
  const { user, context, door, ref, report } = record;
  const uid = record.uid === undefined ? {} : { uid: record.uid };
  await append(log, transaction, { user, ...uid, context, door, event: 'outage.conflict', result: 'failed', detail, ref, report });
  return head;
}

interface Merging {
  readonly present: Present;
  readonly copies: readonly Enrolment[];
  readonly policy: Policy;
  readonly now: () => number;
}

async function merge(transaction: Transaction, { present, copies, policy, now }: Merging): Promise<void> {
  const hostMs = now();
  const clocks = { hostMs, nowMs: await timeOf(transaction, () => hostMs) };
  for (const copy of copies) {
    const store = present.enrolments.find((each) => isSame(each, copy));
    if (store !== undefined) await transaction.save(merged(store, copy, policy, clocks, present.kept.includes(store)));
  }
}

function recordIn({ text }: OutageRecord): AuditRecord {
  return parseJson(text) as AuditRecord;
}

function isSame(one: Pick<Enrolment, 'user' | 'context'>, other: Pick<Enrolment, 'user' | 'context'>): boolean {
  return one.user === other.user && one.context === other.context;
}

/** What the copy needs of one user. */
interface Needed {
  readonly user: string;
  readonly enrolments: readonly Enrolment[];
  /** In the same order; undefined where the store does not keep it. */
  readonly files: readonly (string | undefined)[];
}

/**
 * Brings the copy up to date, as of `nowMs` (Unix time in milliseconds), and gives whom it holds. It is written while nobody else of this host
 * decides by the store, so that what is older never comes after what is newer. A step of a time to come, which a clock that was ahead has left
 * on the copy, goes. Throws as Store.exclusively does.
 */
export async function copyApproved(state: State, copy: State, policy: Policy, nowMs: number): Promise<readonly string[]> {
  return await state.store.exclusively(async (store) => {
    const needed: Needed[] = [];
    for (const { user } of await store.approved()) needed.push(await neededOf(store, user));
    const former = await store.formerChainKeys();
    await copy.store.exclusively(async (transaction) => {
      // The log of outages is made with the keys of this host, too.
      for (const key of former) await transaction.keepChainKey(key);
      await forgetOthers(transaction, needed);
      for (const each of needed) await put(transaction, each, policy, nowMs);
    });
    return needed.map(({ user }) => user);
  });
}

/**
 * Notes in the copy what the store is taking of an enrolment, which is `after` then and was `before`, where the copy holds that. Gives whether
 * the copy has taken it meanwhile, in a process of this host that did not reach the server, and has not reported it yet.
 */
export async function noteUsed({ store }: State, before: Enrolment, after: Enrolment): Promise<boolean> {
  return await store.exclusively(async (transaction) => {
    const { user, context } = after;
    const known = await transaction.enrolment(user, context);
    if (known === undefined) return false;
    await transaction.save(usedOnEither(known, after));
    // Seldom is it, so the records are seldom read.
    return isTaken(known, before, after) && (await unreportedOf(transaction, user)).some((each) => isSame(each, after));
  });
}

async function neededOf(store: Transaction, user: string): Promise<Needed> {
  const enrolments = await store.enrolmentsOf(user);
  const files = [];
  for (const { context } of enrolments) files.push(await store.sealed(user, context));
  return { user, enrolments, files };
}

/** What was not reported yet keeps what it is about. */
async function forgetOthers(copy: Transaction, needed: readonly Needed[]): Promise<void> {
  const mayForget = (await copy.outageRecords(1)).length === 0;
  const users = new Set([...(await copy.approved()), ...(await copy.enrolments())].map(({ user }) => user));
  for (const user of users) {
    if (needed.some((each) => each.user === user)) continue;
    await copy.disapprove(user);
    if (mayForget) await copy.forget(user);
  }
}

async function put(copy: Transaction, { user, enrolments, files }: Needed, policy: Policy, nowMs: number): Promise<void> {
  const known = await copy.enrolmentsOf(user);
  const isOther = known.some((old) => !enrolments.some((each) => isSame(each, old)));
  if (isOther) await copy.forget(user);
  for (const [i, enrolment] of enrolments.entries()) {
    const old = isOther ? undefined : known.find((each) => isSame(each, enrolment));
    const file = files[i];
    // What was used here since the store was asked stays used.
    if (old === undefined) await copy.insert(enrolment);
    else {
      const used = { ...old, state: withoutFutureSteps(old.state, nowMs, policy) };
      await copy.save(withBudget(usedOnEither(enrolment, used, file !== undefined), enrolment.state.bucket));
    }
    if (file === undefined) await copy.dropSealed(user, enrolment.context);
    else await copy.putSealed(user, enrolment.context, file);
  }
  await copy.approve({ user, asOfMs: nowMs });
}

/** Lets hosts take `user` in an outage, or no more; gives false where that was so already. Throws `refused` for who is not enrolled. */
export async function setApproval(
  { store, log }: State,
  origin: Pick<AuditRecord, 'user' | 'uid'>,
  isApproved: boolean,
  nowMs: number,
): Promise<boolean> {
  return await store.exclusively(async (transaction) => {
    const { user } = origin;
    if ((await transaction.approved()).some((each) => each.user === user) === isApproved) return false;
    if (isApproved && (await transaction.enrolmentsOf(user)).length === 0)
      throw new NotpError('refused', `${user} is not enrolled`, 'enrol them first: notp-enroll');
    await (isApproved ? transaction.approve({ user, asOfMs: nowMs }) : transaction.disapprove(user));
    const event = isApproved ? 'outage.approved' : 'outage.withdrawn';
    await append(log, transaction, { ...origin, context: '', door: 'cli', event, result: 'done', ref: newRef() });
    return true;
  });
}

/**
 * Exchanges data between the store of a fleet and the copy of a host. Decisions of an outage go to the store, and all that the host
 * may need in the next one goes to the copy.
 */
import { append, appendSummaries, newRef, type AuditLog } from '../audit/audit.ts';
import { isInChain } from '../audit/in-chain.ts';
import type { AuditRecord } from '../audit/record.ts';
import { MAX_CUT_OFF } from '../audit/walk.ts';
import { NotpError, type ErrorCode } from '../error.ts';
import { parseJson } from '../json.ts';
import type { ChainHead, Enrolment, OutageRecord, Transaction } from '../store/store.ts';
import { withoutFutureSteps, type Policy } from '../verdict/decide.ts';
import { refuseForged, withBudget } from '../store/enrolment.ts';
import { importedToo } from '../store/imported.ts';
import { codesOf, isSameSecret, secretOf } from '../seal/id.ts';
import { timeOf } from '../store/clock.ts';
import { asRecorded, conflictOf, isTaken, latestMs, merged, usedOnEither } from './merge.ts';
import { chainKeys, type State } from '../state/state.ts';

/** The most records that the store gets for one decision: the sums of two floods before it, the record, and a conflict. */
const LINES_OF_ONE = 4;
/** The most decisions reported in one transaction: a crash may cut off all their records. */
const CHUNK = MAX_CUT_OFF / LINES_OF_ONE;
const ALL = Number.MAX_SAFE_INTEGER;

/** The decisions that were not reported yet. */
export interface Pending {
  readonly records: readonly OutageRecord[];
  /** The copy's enrolments of the users in `records`. */
  readonly enrolments: readonly Enrolment[];
}

/** What became of the decisions on the copy. */
export interface Reported {
  /** The number of records that the store has now. */
  readonly reported: number;
  /** The users whose records wait on the copy, with the reason; see sendReports. */
  readonly left: ReadonlyMap<string, NotpError>;
}

/** Reports the decisions on the copy to the store, and deletes them from the copy. Throws as Store.exclusively does. */
export async function reportOutage(state: State, copy: State, policy: Policy): Promise<Reported> {
  let reported = 0;
  const left = await sendReports(state, await pendingIn(copy), policy, {
    reported: async (some) => {
      await dropReported(copy, some);
      reported += some.length;
    },
    waits: (user) => keepOut(copy, user),
  });
  return { reported, left };
}

/** The unreported decisions of the copy, including those that it only counted so far. */
export async function pendingIn({ store, log }: State): Promise<Pending> {
  const { counted, isNothing } = await store.exclusively(async (transaction) => {
    const users = await transaction.counted();
    return { counted: users, isNothing: users.length === 0 && (await transaction.outageRecords(1)).length === 0 };
  });
  if (isNothing) return { records: [], enrolments: [] };
  // Records the counted decisions now, with one transaction for each user: a crash cuts off all records of one transaction.
  // Where that fails, as with a head that was changed, they wait, and what was accepted is reported all the same.
  for (const user of counted) await store.exclusively((transaction) => appendSummaries(log, transaction, user)).catch(() => undefined);
  return await store.exclusively(async (transaction) => {
    const enrolments = await transaction.enrolments();
    const records = await transaction.outageRecords(ALL);
    const users = usersIn(records);
    return { records, enrolments: enrolments.filter(({ user }) => users.includes(user)) };
  });
}

/**
 * Appends each record to the chain of the store. With the last one of a user the used codes are also marked as used there.
 * `reported` gets each chunk as soon as the store has it, and `waits` each user whose records have to wait.
 * Nothing is reported twice, even if this stops half-way or the copy is restored from a backup. Gives the users of whom the log
 * took no more, and those with an enrolment in the store that cannot be checked here, with the error: all other users are still reported.
 * Throws as Store.exclusively, `reported` and `waits` do.
 */
export async function sendReports(
  state: State,
  { records, enrolments }: Pending,
  policy: Policy,
  { reported, waits }: Noting,
): Promise<ReadonlyMap<string, NotpError>> {
  const left = new Map<string, NotpError>();
  for (const [user, all] of Map.groupBy(records, (record) => recordIn(record).user)) {
    const copies = enrolments.filter((each) => each.user === user);
    try {
      for (let start = 0; start < all.length; start += CHUNK) {
        const some = all.slice(start, start + CHUNK);
        await reportSome(state, some, { user, copies, policy, isLast: start + CHUNK >= all.length });
        await reported(some);
      }
    } catch (error) {
      if (!(error instanceof NotpError) || !OF_ONE_USER.includes(error.code)) throw error;
      left.set(user, error);
      await waits(user);
    }
  }
  return left;
}

/** What the copy notes of a report. */
interface Noting {
  readonly reported: (records: readonly OutageRecord[]) => Promise<unknown>;
  readonly waits: (user: string) => Promise<unknown>;
}

/** Errors that keep back what is said of one user: the log takes no more of them, or their enrolment cannot be checked here. */
const OF_ONE_USER: readonly ErrorCode[] = ['audit_unavailable', 'refused'];

interface Reporting {
  /** The user of all the records. */
  readonly user: string;
  /** The copy's enrolments of that user. */
  readonly copies: readonly Enrolment[];
  readonly policy: Policy;
  /** Whether these are the user's last records. Until then each is checked against codes that other hosts used. */
  readonly isLast: boolean;
}

async function reportSome(state: State, some: readonly OutageRecord[], { user, copies, policy, isLast }: Reporting): Promise<void> {
  await state.store.exclusively(async (transaction) => {
    const present = await presentOf(transaction, user);
    // What was used could not be noted in such a row. It waits: the row may be genuine by a key that is not here.
    for (const each of present.enrolments) if (each.status !== 'revoked') refuseForged(each);
    const report = newRef();
    for (const record of some) {
      const before = await transaction.reportedAs(record.id);
      if (before !== undefined && (await isReported(state, transaction, before))) continue;
      const { seq, hash } = await appendReport(state.log, transaction, { ...recordIn(record), report }, { present, copies });
      if (before === undefined) await transaction.keepOutageRecord({ id: record.id, seq, text: hash });
    }
    // A copy that cannot be checked has nothing but these records, which are gone after this.
    const told = copies.map((each) => (each.doubt === undefined ? each : recorded(each, { present, copies, some })));
    const due = isLast ? told : told.filter((_, i) => copies[i]?.doubt !== undefined);
    await merge(transaction, { present, copies: due, policy, now: state.log.now });
  });
}

/** `copy`, whose row cannot be checked, as those of the records say that are about its secret. */
function recorded(
  copy: Enrolment,
  { present, copies, some }: { readonly present: Present; readonly copies: readonly Enrolment[]; readonly some: readonly OutageRecord[] },
): Enrolment {
  const contexts = new Set(copies.filter(({ id }) => isSameSecret(id, copy.id)).map(({ context }) => context));
  const store = present.enrolments.find((each) => isSame(each, copy));
  return asRecorded(
    copy,
    store,
    some.map(recordIn).filter(({ context }) => contexts.has(context)),
  );
}

/** The users with unreported decisions on the copy. */
export async function waitingOn(copy: Transaction): Promise<readonly string[]> {
  return usersIn(await copy.outageRecords(ALL));
}

function usersIn(records: readonly OutageRecord[]): readonly string[] {
  return [...new Set(records.map((record) => recordIn(record).user))];
}

/** The unreported decisions about `user` on the copy. */
export async function unreportedOf(copy: Transaction, user: string): Promise<readonly AuditRecord[]> {
  return (await copy.outageRecords(ALL)).map(recordIn).filter((record) => record.user === user);
}

/**
 * Whether the chain of this host has the record that the store names for a report. The administrator of the database sees the rows
 * of a transaction before undoing it, and can insert such a row again without the record.
 */
async function isReported(state: State, transaction: Transaction, reported: ChainHead | 'forged'): Promise<boolean> {
  if (reported === 'forged') return false;
  const keys = chainKeys(state, await transaction.formerChainKeys());
  return await isInChain(state.log.file.name, { head: await transaction.head(), backlog: await transaction.backlog(), keys }, reported);
}

/** The copy lets `user` in no more, until it is told again who may log in by it: copyApproved. */
export async function keepOut({ store }: State, user: string): Promise<void> {
  await store.exclusively((transaction) => transaction.disapprove(user));
}

export async function dropReported({ store }: State, records: readonly OutageRecord[]): Promise<void> {
  await store.exclusively(async (transaction) => {
    for (const { id } of records) await transaction.dropOutageRecord(id);
  });
}

/** The enrolments of `user` in the store. */
async function presentOf(transaction: Transaction, user: string): Promise<Present> {
  const enrolments = await transaction.enrolmentsOf(user);
  const kept = [];
  for (const each of enrolments) if ((await transaction.sealed(user, each.context)) !== undefined) kept.push(each);
  return { enrolments, kept };
}

interface Present {
  readonly enrolments: readonly Enrolment[];
  /** The enrolments whose sealed file the store keeps. */
  readonly kept: readonly Enrolment[];
}

/** Appends the record, and a conflict where there is one. Gives the head after the record. */
async function appendReport(
  log: AuditLog,
  transaction: Transaction,
  record: AuditRecord & { readonly report: string },
  { present, copies }: { readonly present: Present; readonly copies: readonly Enrolment[] },
): Promise<ChainHead> {
  await append(log, transaction, record);
  const head = await transaction.head();
  const copy = copies.find((each) => isSame(each, record));
  const store = copy === undefined ? undefined : holderOf(copy, present);
  const detail = store === undefined || copy === undefined ? undefined : conflictOf(record, store, copy, present.kept.includes(store));
  if (detail === undefined) return head;
  const { user, context, door, ref, report } = record;
  const uid = record.uid === undefined ? {} : { uid: record.uid };
  await append(log, transaction, { user, ...uid, context, door, event: 'outage.conflict', result: 'failed', detail, ref, report });
  return head;
}

/** The store's enrolment with the secret of `copy`, perhaps for another context by now; else the one for the same context. */
function holderOf(copy: Enrolment, { enrolments }: Present): Enrolment | undefined {
  const own = enrolments.find((each) => isSame(each, copy));
  const isHolder = (each: Enrolment | undefined): boolean => each !== undefined && isSameSecret(each.id, copy.id);
  return isHolder(own) ? own : (enrolments.find(isHolder) ?? own);
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
    if (copy.doubt === undefined)
      await keepUsed(transaction, present, { ...copy, state: withoutFutureSteps(copy.state, latestMs(clocks), policy) });
    const store = present.enrolments.find((each) => isSame(each, copy));
    if (store !== undefined) await transaction.save(merged(store, copy, policy, clocks, present.kept.includes(store)));
  }
}

/**
 * Keeps what the copy used of an imported secret, which may be that of another context or name by now. The store may know it by the uid
 * of an enrolment of the user, or by one that the account no longer has: then it gets a row for the present uid.
 */
async function keepUsed(transaction: Transaction, { enrolments }: Present, copy: Enrolment): Promise<void> {
  const { id, uid, state } = copy;
  const mark = secretOf(id);
  const known = (await transaction.imports(uid, [mark])).filter((each) => each.mark === mark && each.doubt === undefined);
  const own = known.filter((each) => each.uid === uid || enrolments.some((enrolment) => enrolment.uid === each.uid));
  const moved = known.slice(0, 1).map((each) => ({ ...each, uid, lastStep: -1, codes: codesOf(id), spent: state.spent }));
  for (const each of own.length > 0 ? own : moved) await transaction.keepImport(importedToo(each, copy));
}

function recordIn({ text }: OutageRecord): AuditRecord {
  return parseJson(text) as AuditRecord;
}

function isSame(one: Pick<Enrolment, 'user' | 'context'>, other: Pick<Enrolment, 'user' | 'context'>): boolean {
  return one.user === other.user && one.context === other.context;
}

/** The data of one user that the copy needs. */
interface Needed {
  readonly user: string;
  readonly enrolments: readonly Enrolment[];
  /** The sealed files in the same order; undefined where the store does not keep one. */
  readonly files: readonly (string | undefined)[];
}

/**
 * Brings the copy up to date as of `nowMs` (Unix time in milliseconds), and gives the users that may log in by it. A user whose records
 * wait there keeps the rows that they were decided by, and may not: the store may have revoked them, or have spent their codes.
 * No other process of this host decides on the store meanwhile, so older data never replaces newer data. A future step on the copy,
 * left by a clock that was ahead, is removed. Throws as Store.exclusively does.
 */
export async function copyApproved(state: State, copy: State, policy: Policy, nowMs: number): Promise<readonly string[]> {
  return await state.store.exclusively(async (store) => {
    const needed: Needed[] = [];
    for (const { user } of await store.approved()) needed.push(await neededOf(store, user));
    const former = await store.formerChainKeys();
    return await copy.store.exclusively(async (transaction) => {
      // The log of outages is also made with the keys of this host.
      for (const key of former) await transaction.keepChainKey(key);
      const waiting = new Set(await waitingOn(transaction));
      const ready = needed.filter(({ user }) => !waiting.has(user));
      await forgetOthers(transaction, ready, waiting);
      for (const each of ready) await put(transaction, each, policy, nowMs);
      return ready.map(({ user }) => user);
    });
  });
}

/**
 * Notes in the copy which codes the store is about to use of an enrolment: it was `before` and becomes `after`. Does so only where
 * the copy holds the enrolment. Gives whether the copy has already used them and not reported it yet: another process of this host
 * did not reach the server.
 */
export async function noteUsed({ store }: State, before: Enrolment, after: Enrolment): Promise<boolean> {
  return await store.exclusively(async (transaction) => {
    const { user, context } = after;
    const known = await transaction.enrolment(user, context);
    if (known === undefined || known.doubt !== undefined) return false;
    await transaction.save(usedOnEither(known, after));
    // Checked last, because it reads all records and is rarely needed.
    return isTaken(known, before, after) && (await unreportedOf(transaction, user)).some((each) => isSame(each, after));
  });
}

async function neededOf(store: Transaction, user: string): Promise<Needed> {
  // What cannot be checked here has no place in the copy.
  const enrolments = (await store.enrolmentsOf(user)).filter(({ doubt, status }) => doubt === undefined || status === 'revoked');
  const files = [];
  for (const { context } of enrolments) files.push(await store.sealed(user, context));
  return { user, enrolments, files };
}

/** Those who are `waiting` keep their enrolments for the report. */
async function forgetOthers(copy: Transaction, needed: readonly Needed[], waiting: ReadonlySet<string>): Promise<void> {
  const users = new Set([...(await copy.approved()), ...(await copy.enrolments())].map(({ user }) => user));
  for (const user of users) {
    if (needed.some((each) => each.user === user)) continue;
    await copy.disapprove(user);
    if (!waiting.has(user)) await copy.forget(user);
  }
}

async function put(copy: Transaction, { user, enrolments, files }: Needed, policy: Policy, nowMs: number): Promise<void> {
  const known = await copy.enrolmentsOf(user);
  const isOther = known.some((old) => !enrolments.some((each) => isSame(each, old)));
  if (isOther) await copy.forget(user);
  for (const [i, enrolment] of enrolments.entries()) {
    const old = isOther ? undefined : known.find((each) => isSame(each, enrolment));
    const file = files[i];
    // Codes used here since the store was read stay used.
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

const UNCHECKED = 'bring a missing host key back, or take the approval back first, with --remove';

/**
 * Lets hosts accept `user` in an outage, or stops that. Gives false where nothing changed. Throws `refused` for a user who is not
 * enrolled, and where the approval cannot be checked here.
 */
export async function setApproval(
  { store, log }: State,
  origin: Pick<AuditRecord, 'user' | 'uid'>,
  isApproved: boolean,
  nowMs: number,
): Promise<boolean> {
  return await store.exclusively(async (transaction) => {
    const { user } = origin;
    const has = await transaction.hasApproval(user);
    if (isApproved && has && !(await transaction.approved()).some((each) => each.user === user))
      throw new NotpError('refused', `the approval of ${user} was changed outside notp, or under a host key that is not here`, UNCHECKED);
    if (has === isApproved) return false;
    if (isApproved && (await transaction.enrolmentsOf(user)).length === 0)
      throw new NotpError('refused', `${user} is not enrolled`, 'enrol them first: notp-enroll');
    await (isApproved ? transaction.approve({ user, asOfMs: nowMs }) : transaction.disapprove(user));
    const event = isApproved ? 'outage.approved' : 'outage.withdrawn';
    await append(log, transaction, { ...origin, context: '', door: 'cli', event, result: 'done', ref: newRef() });
    return true;
  });
}

/** No decision without a record: appends records inside the transaction of the decision that they describe. */
import { randomInt } from 'node:crypto';
import { messageOf, NotpError } from '../error.ts';
import { parseJson } from '../json.ts';
import { slotsOf } from '../store/backlog.ts';
import { FLOODS, type ChainHead, type Flood, type KeptLine, type Transaction } from '../store/store.ts';
import { hashOf, headAfter, nextLink } from './chain.ts';
import { MAX_RECORD_BYTES, printRecord, type AuditRecord } from './record.ts';
import { afterOneMore, tallyWith, floodOf, summaryOf } from './floods.ts';
import type { LogFile } from './log-file.ts';
import type { Sink } from './sinks.ts';
import { isLost, lostHead } from './resume.ts';
import { linkOf } from './walk.ts';

export interface AuditLog {
  /** Gets every record. Records that cannot be written wait in the state, and are written before the next one. */
  readonly file: LogFile;
  /** Get a copy of each record, if they can be written. */
  readonly copies: readonly Sink[];
  /** The chain's key; undefined if there is no host key. */
  readonly key: Uint8Array | undefined;
  /** Set if the chain has a key that cannot be read here. Then the chain cannot be continued, and records are written without a link. */
  readonly isUnlinked?: true;
  /** The room for waiting records is shared by many users. Says whose share is limited: everybody's, or all but that of root's commands. */
  readonly sharing?: 'everybody' | 'all but commands';
  /** Earlier keys of the chain, with which waiting records may be hashed; undefined: none. */
  readonly formerKeys?: readonly Uint8Array[];
  readonly now: () => number;
  /** Only for the log of outages: keeps each record, with the head after it, for the store that could not be reached. */
  readonly keep?: (transaction: Transaction, record: AuditRecord, head: ChainHead) => Promise<void>;
}

/** 8 hex digits that identify one decision for the user and in the log. Never all 0, which means none. */
export function newRef(): string {
  return randomInt(1, 2 ** 32)
    .toString(16)
    .padStart(8, '0');
}

/**
 * Writes `record` as the next one of the chain and moves the head. First writes the summaries of counted logins of its user, if there is
 * room. Throws `audit_unavailable` if the file cannot be written and there is no room for another waiting record.
 */
export async function append(log: AuditLog, transaction: Transaction, record: AuditRecord): Promise<void> {
  if (log.isUnlinked) {
    await appendUnlinked(log, record, { required: true });
    return;
  }
  const complete = await withChangedCounts(transaction, record);
  // A summary takes room from the user's share. If that is used up, it stays in the counts and does not stop root's record.
  await writeSummaries(log, transaction, record.user);
  const lacking = await appendNext(log, transaction, complete);
  if (lacking !== undefined) throw unavailable(lacking);
}

/** Writes the summaries of the counted logins of `user`, if there are any. Without room for one, it stays in the counts. */
export async function appendSummaries(log: AuditLog, transaction: Transaction, user: string): Promise<void> {
  await writeSummaries(log, transaction, user, KEPT_FREE);
}

/**
 * Records a login as append() does. Only counts it if it is part of a flood, or if it is a login that costs an attacker nothing and there is
 * no room left. Returns the reference under which it is found.
 */
export async function appendLogin(log: AuditLog, transaction: Transaction, login: AuditRecord): Promise<string> {
  const flood = floodOf(login);
  if (flood === undefined) {
    await append(log, transaction, login);
    return login.ref;
  }
  if (log.isUnlinked) {
    await appendUnlinked(log, login, { required: login.result === 'accepted' });
    return login.ref;
  }
  const nowMs = log.now();
  const { isChanged: _, ...before } = await transaction.tally(flood, login.user);
  // The users without an enrolment share one count, so a sum would not say who got in.
  if (flood === 'acceptances' && before.user === '') {
    await append(log, transaction, login);
    return login.ref;
  }
  const { after, record } = afterOneMore(flood, before, login, nowMs);
  if (record !== undefined) {
    const complete = await withChangedCounts(transaction, record);
    const lacking =
      (await writeSummaries(log, transaction, record.user, KEPT_FREE)) ?? (await appendNext(log, transaction, complete, KEPT_FREE));
    if (lacking === undefined) {
      await transaction.saveTally(flood, { ...after, count: 0 });
      return after.ref;
    }
  }
  const tally = record === undefined ? after : tallyWith(flood, await transaction.tally(flood, login.user), login, nowMs);
  await transaction.saveTally(flood, tally);
  return tally.ref;
}

/** The record, with a note if the user's counts were changed outside notp. Those counts are then reset. */
async function withChangedCounts(transaction: Transaction, record: AuditRecord): Promise<AuditRecord> {
  const changed: Flood[] = [];
  for (const flood of FLOODS) {
    const { isChanged, ...fresh } = await transaction.tally(flood, record.user);
    if (!isChanged) continue;
    await transaction.saveTally(flood, fresh);
    changed.push(flood);
  }
  return changed.length === 0 ? record : withProblem(record, `counts of ${changed.join(' and ')} changed outside notp`);
}

/** Slots in the state that a flood of refusals may not take, so that acceptances and changes find room. */
const KEPT_FREE = 128;

/** Slots that users may not take, so that root can revoke enrolments while the file cannot be written. */
const KEPT_FOR_ROOT = 16;

/** How many slots `record`, with the line `line`, must leave free. Each of many users may only take as much as is left for the others. */
function keptFreeOf({ sharing }: AuditLog, { user, door }: AuditRecord, line: string, waiting: readonly KeptLine[]): number {
  if (sharing === undefined || (sharing === 'all but commands' && door === 'cli')) return 0;
  const own = waiting.filter((each) => userIn(each.line) === user).map((each) => slotsOf(each.line));
  return [...own, slotsOf(line)].reduce((sum, each) => sum + each, KEPT_FOR_ROOT);
}

function userIn(line: string): unknown {
  return (parseJson(line) as { user?: unknown }).user;
}

/** Writes the summaries of `user`. Returns the reason if there is no room beyond `keptFree`, else undefined. */
async function writeSummaries(log: AuditLog, transaction: Transaction, user: string, keptFree = 0): Promise<string | undefined> {
  for (const flood of FLOODS) {
    const tally = await transaction.tally(flood, user);
    const sum = summaryOf(flood, tally, log.now());
    if (sum === undefined) continue;
    const lacking = await appendNext(log, transaction, sum, keptFree);
    if (lacking !== undefined) return lacking;
    await transaction.saveTally(flood, { ...tally, count: 0 });
  }
  return undefined;
}

/** Writes the next record. Returns the reason if nothing was written because there is no room beyond `keptFree`, else undefined. */
async function appendNext(log: AuditLog, transaction: Transaction, record: AuditRecord, keptFree = 0): Promise<string | undefined> {
  const kept = await transaction.backlog();
  const before = await transaction.head();
  // A chain with a key must not go on if the state was lost but the log of the host was not.
  if (log.key !== undefined && isLost(log.file.name, before)) throw lostHead(log.file.name);
  const waiting = await waitingIn(log, transaction, before, kept);
  const link = nextLink(before);
  const nowMs = log.now();
  const formerNames = await transaction.nameLog();
  const formerly = `goes on after record ${String(before.seq)}, of this host as ${formerNames.join(' or ')}`;
  const named = formerNames.length === 0 ? record : withProblem(record, formerly);
  const whole = withDropped(named, kept.length - waiting.length);
  const complete = log.keep === undefined ? whole : { ...whole, outage: new Date(nowMs).toISOString() };
  const line = printRecord(complete, link, nowMs);
  const free = (): number => Math.max(keptFree, keptFreeOf(log, record, line, waiting));
  const lacking = await fileOrKeep(log.file, transaction, { waiting, next: { seq: link.seq, line }, free });
  if (typeof lacking === 'string') return lacking;
  await writeToEach(log.copies, line);
  const head = headAfter(link, line, log.key);
  await transaction.moveHead(head, lacking);
  await log.keep?.(transaction, complete, head);
  return undefined;
}

/**
 * Those of the waiting lines that lead to the last record of the state with a key of this host, which may be a retired one. Somebody who can
 * only write to the database cannot forge such a line. Throws `audit_unavailable` if the key to check them is not here.
 */
async function waitingIn(
  { key, formerKeys = [] }: AuditLog,
  transaction: Transaction,
  head: ChainHead,
  kept: readonly KeptLine[],
): Promise<readonly KeptLine[]> {
  const keys = [key, ...formerKeys];
  const genuine = genuineOf(keys, head, kept);
  if (genuine.length === kept.length) return genuine;
  if (key === undefined) throw unavailable('records that wait in the store were changed, or need the host key, which cannot be read here');
  return genuineOf([...keys, ...(await transaction.formerChainKeys())], head, kept);
}

/** The last lines of `kept` that lead to `head`, each hashed with one of `keys`. */
function genuineOf(keys: readonly AuditLog['key'][], head: ChainHead, kept: readonly KeptLine[]): readonly KeptLine[] {
  const genuine: KeptLine[] = [];
  let { seq, hash } = head;
  for (const each of kept.toReversed()) {
    const bytes = Buffer.from(each.line);
    const link = bytes.length > MAX_RECORD_BYTES ? undefined : linkOf(each.line);
    if (typeof link !== 'object' || each.seq !== seq || link.seq !== seq) break;
    if (!keys.some((by) => hashOf(bytes, by) === hash)) break;
    genuine.unshift(each);
    [seq, hash] = [seq - 1, link.prev];
  }
  return genuine;
}

function withDropped(record: AuditRecord, dropped: number): AuditRecord {
  if (dropped === 0) return record;
  return withProblem(record, `dropped ${String(dropped)} waiting records that were changed outside notp`);
}

function withProblem(record: AuditRecord, problem: string): AuditRecord {
  return { ...record, detail: record.detail === undefined ? problem : `${problem}; ${record.detail}` };
}

interface Bringing {
  readonly waiting: readonly KeptLine[];
  readonly next: KeptLine;
  /** The number of slots to leave free for others. */
  readonly free: () => number;
}

/** Writes the waiting lines and the next one, or lets that wait too. Returns how many records the file lacks, or why there is no room. */
async function fileOrKeep(file: LogFile, transaction: Transaction, { waiting, next, free }: Bringing): Promise<number | string> {
  try {
    await transaction.keepLogId();
    await file.bring(waiting, next.line);
    return 0;
  } catch (error) {
    if (await transaction.keepLine(next, free())) return waiting.length + 1;
    return `${String(waiting.length)} records wait for ${file.name}, and there is no room for more: ${messageOf(error)}`;
  }
}

/**
 * Writes a record without a link, as there is no store for it. If it is `required` (an acceptance), throws as append() does; a refusal holds
 * even if its record cannot be written. Returns the reference under which it is found, which is empty if nothing was written.
 */
export async function appendUnlinked(log: AuditLog, record: AuditRecord, { required }: { required: boolean }): Promise<string> {
  try {
    await writeToAny([log.file, ...log.copies], printRecord(record, undefined, log.now()));
    return record.ref;
  } catch (error) {
    if (required) throw error;
    return '';
  }
}

/** As appendUnlinked() for a process that may not write the log: writes only to `sinks`. Never throws. */
export async function writeToCopies(sinks: readonly Sink[], record: AuditRecord, nowMs: number): Promise<string> {
  const failures = await writeToEach(sinks, printRecord(record, undefined, nowMs));
  return failures.length === sinks.length ? '' : record.ref;
}

async function writeToAny(sinks: readonly Sink[], line: string): Promise<void> {
  const failures = await writeToEach(sinks, line);
  if (failures.length === sinks.length) throw unavailable(failures.join('; '));
}

/** Writes `line` to each sink, and returns the errors of those that failed. */
async function writeToEach(sinks: readonly Sink[], line: string): Promise<readonly string[]> {
  const failures: string[] = [];
  for (const sink of sinks) {
    try {
      await sink.write(line);
    } catch (error) {
      failures.push(`${sink.name}: ${messageOf(error)}`);
    }
  }
  return failures;
}

function unavailable(why: string): NotpError {
  return new NotpError('audit_unavailable', `no audit record could be written: ${why}`, 'free some space, or repair the audit log');
}

/** No decision without a record: what appends records, inside the transaction of the decision that they tell. */
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
import { headOf } from './host-name.ts';
import { isLost, lostHead } from './resume.ts';
import { linkOf } from './walk.ts';

export interface AuditLog {
  /** Has each record. What it does not take waits in the state, and is written before the next record that it takes. */
  readonly file: LogFile;
  /** Where each record goes besides, as well as can be. */
  readonly copies: readonly Sink[];
  /** The chain's key; undefined where there is no host key. */
  readonly key: Uint8Array | undefined;
  /** Set where the chain has a key, and that cannot be read here: nobody goes on with it, and records are lines outside of it. */
  readonly isUnlinked?: true;
  /** Who has a part of the room in the state alone, where it is the room of many: everybody, or whoever is not root at a command. */
  readonly sharing?: 'everybody' | 'all but commands';
  /** Set where many hosts share the store: this one may be in it under another name, too. */
  readonly isShared?: true;
  /** Those before it, by which a record may have been hashed that waits in the state; undefined: none. */
  readonly formerKeys?: readonly Uint8Array[];
  readonly now: () => number;
  /** Of the log of outages: keeps each record, after which the chain has this head, for the store that could not be reached. */
  readonly keep?: (transaction: Transaction, record: AuditRecord, head: ChainHead) => Promise<void>;
}

/** 8 hex digits that name one decision to the person and in the log: never all of them 0, which is none. */
export function newRef(): string {
  return randomInt(1, 2 ** 32)
    .toString(16)
    .padStart(8, '0');
}

/**
 * Writes `record` as the next of the chain and moves the head; before it, as far as there is room, the sums of what was only counted of its user.
 * Throws `audit_unavailable` where the file does not take it and no more can wait for it.
 */
export async function append(log: AuditLog, transaction: Transaction, record: AuditRecord): Promise<void> {
  if (log.isUnlinked) {
    await appendUnlinked(log, record, { required: true });
    return;
  }
  const told = await withChangedCounts(transaction, record);
  // The place of a sum is the user's: where there is none left it stays counted, and keeps root from nothing.
  await sumsUnlessFull(log, transaction, record.user);
  const lacking = await appendNext(log, transaction, told);
  if (lacking !== undefined) throw unavailable(lacking);
}

/** Records the sums of what was only counted of `user` so far, where there is something and room for it: what has none stays counted. */
export async function appendSums(log: AuditLog, transaction: Transaction, user: string): Promise<void> {
  await sumsUnlessFull(log, transaction, user, KEPT_FREE);
}

/**
 * Records a login as `append` does, or counts it where it is one of a flood, or one that costs nothing and finds no more room.
 * Gives the reference that finds it.
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
  const { after, record } = afterOneMore(flood, before, login, nowMs);
  if (record !== undefined) {
    const told = await withChangedCounts(transaction, record);
    const lacking =
      (await sumsUnlessFull(log, transaction, record.user, KEPT_FREE)) ?? (await appendNext(log, transaction, told, KEPT_FREE));
    if (lacking === undefined) {
      await transaction.saveTally(flood, { ...after, count: 0 });
      return after.ref;
    }
  }
  const tally = record === undefined ? after : tallyWith(flood, await transaction.tally(flood, login.user), login, nowMs);
  await transaction.saveTally(flood, tally);
  return tally.ref;
}

/** The record with what was changed of the counts of its user, which begin afresh. */
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

/** Of the room in the state: no flood of refusals takes it, so that acceptances and changes find it. */
const KEPT_FREE = 128;

/** Of the room, what no user takes: root ends enrolments while the file takes nothing. */
const KEPT_FOR_ROOT = 16;

/** How many slots stay free of `record`, whose line is `line`: of many users each takes no more than is left to the others. */
function keptFreeOf({ sharing }: AuditLog, { user, door }: AuditRecord, line: string, waiting: readonly KeptLine[]): number {
  if (sharing === undefined || (sharing === 'all but commands' && door === 'cli')) return 0;
  const own = waiting.filter((each) => userIn(each.line) === user).map((each) => slotsOf(each.line));
  return [...own, slotsOf(line)].reduce((sum, each) => sum + each, KEPT_FOR_ROOT);
}

function userIn(line: string): unknown {
  return (parseJson(line) as { user?: unknown }).user;
}

/** Records the sums of `user`. Gives why there is no room, where there is none beyond `keptFree`. */
async function sumsUnlessFull(log: AuditLog, transaction: Transaction, user: string, keptFree = 0): Promise<string | undefined> {
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

/** Gives why nothing was written, where there is no room beyond `keptFree`. */
async function appendNext(log: AuditLog, transaction: Transaction, record: AuditRecord, keptFree = 0): Promise<string | undefined> {
  const kept = await transaction.backlog();
  const { head: before, host: formerName } = await headNow(log, transaction);
  if (formerName !== undefined) {
    await transaction.moveHead(before);
    // The marks before it are of the other name: by this one the log up to here is found by the present name, too.
    await transaction.mark(before);
  }
  // In a chain that has a key the log of a host outlives no state.
  if (log.key !== undefined && isLost(log.file.name, before)) throw lostHead(log.file.name);
  const waiting = await waitingIn(log, transaction, before, kept);
  const link = nextLink(before);
  const nowMs = log.now();
  const named =
    formerName === undefined ? record : withProblem(record, `goes on after record ${String(before.seq)}, of this host as ${formerName}`);
  const whole = withDropped(named, kept.length - waiting.length);
  const told = log.keep === undefined ? whole : { ...whole, outage: new Date(nowMs).toISOString() };
  const line = printRecord(told, link, nowMs);
  const free = (): number => Math.max(keptFree, keptFreeOf(log, record, line, waiting));
  const lacking = await fileOrKeep(log.file, transaction, { waiting, next: { seq: link.seq, line }, free });
  if (typeof lacking === 'string') return lacking;
  await failuresOf(log.copies, line);
  const head = headAfter(link, line, log.key);
  await transaction.moveHead(head, lacking);
  await log.keep?.(transaction, told, head);
  return undefined;
}

/** See headOf(): a host may be called otherwise where many share the store, and is known by the chain that its key has made. */
async function headNow({ isShared, key, formerKeys = [], file }: AuditLog, transaction: Transaction): ReturnType<typeof headOf> {
  if (isShared === undefined || key === undefined) return { head: await transaction.head() };
  return await headOf(file.name, transaction, [key, ...formerKeys]);
}

/**
 * Of the lines that the state holds those that lead to its last record by keys of this host, also by one that it has given up since:
 * whoever can write to a database makes none. Throws `audit_unavailable` where the key to tell is not here.
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
  if (key === undefined) throw unavailable('records wait in the store that were changed, or need the host key, which cannot be read here');
  return genuineOf([...keys, ...(await transaction.formerChainKeys())], head, kept);
}

/** The last of `kept` that lead to `head`, each hashed by one of `keys`. */
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
  /** How much of the room is left to others. */
  readonly free: () => number;
}

/** Writes what waits and the line of the next record, or keeps that too. Gives how many records the file lacks then, or why there is no room. */
async function fileOrKeep(file: LogFile, transaction: Transaction, { waiting, next, free }: Bringing): Promise<number | string> {
  try {
    await file.bring(waiting, next.line);
    return 0;
  } catch (error) {
    if (await transaction.keepLine(next, free())) return waiting.length + 1;
    return `${String(waiting.length)} records wait for ${file.name}, and there is no room for more: ${messageOf(error)}`;
  }
}

/**
 * Writes a record that no store can link. Where it is `required` (an acceptance) it throws as `append` does; a
 * refusal stands whether or not its record succeeds. Gives the reference that finds it, which is empty where nothing took it.
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

/** The same to `sinks` alone, by who may not write the log. Never throws. */
export async function writeToCopies(sinks: readonly Sink[], record: AuditRecord, nowMs: number): Promise<string> {
  const failures = await failuresOf(sinks, printRecord(record, undefined, nowMs));
  return failures.length === sinks.length ? '' : record.ref;
}

async function writeToAny(sinks: readonly Sink[], line: string): Promise<void> {
  const failures = await failuresOf(sinks, line);
  if (failures.length === sinks.length) throw unavailable(failures.join('; '));
}

/** Writes `line` to each, and gives why some did not take it. */
async function failuresOf(sinks: readonly Sink[], line: string): Promise<readonly string[]> {
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
  return new NotpError('audit_unavailable', `no audit record could be written: ${why}`, 'free some space, or mend the audit log');
}

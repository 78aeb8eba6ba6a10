/** Converts enrolments, counts and heads to rows of the tables, and back. */
import type { Row, Values } from './row.ts';
import { NotpError } from '../error.ts';
import { quoted } from '../otp/escape.ts';
import type { LoginState } from '../verdict/decide.ts';
import { COUNTS, macOf, NO_MAC, type RowSeal, type SealedRow } from './row-seal.ts';
import {
  SHARED_BYTES,
  ChangedHead,
  type ChainHead,
  type Enrolment,
  type Imported,
  type KeptFile,
  type PendingState,
  type RefusedTries,
  type Status,
  type Tally,
} from './store.ts';

/** The tally of nobody: a bucket that is full by any policy, from long ago. */
const NO_TALLY = {
  ...{ records: { tokens: 1e6 + 0.5, asOfMs: 0 }, count: 0, sinceMs: 2 ** 40, untilMs: 2 ** 40 },
  ...{ ref: '', shared: '' },
} as const;
/** The reference in a row before the first record. No record has it. */
const NO_REF = '0'.repeat(8);
/** The same tally as SQL values, which take as much space as any real ones. */
export const NO_REFUSALS = `1e6 + 0.5, 0, 0, 1099511627776, '${NO_REF}', '${' '.repeat(SHARED_BYTES)}'`;
export const NO_FLOOD = `${NO_REFUSALS}, 1099511627776`;

/** The space of refused tries in a row: a count, a time and an address. */
const TRIES_BYTES = 72;
const MAX_TRIES = 999_999_999;
export const NO_TRIES = ' '.repeat(TRIES_BYTES);
const TRIES = /^(\d{1,9}) (\d{1,15}) ([0-9a-f:.]{0,45}) *$/i;

function textOfTries({ count, sinceMs, from }: RefusedTries): string {
  return `${String(Math.min(count, MAX_TRIES))} ${String(Math.max(0, sinceMs))} ${from}`.padEnd(TRIES_BYTES);
}

function triesOf(row: Row): Pick<Enrolment, 'tries'> {
  const [, count, sinceMs, from = ''] = TRIES.exec(String(row['tries'])) ?? [];
  return count === undefined ? {} : { tries: { count: Number(count), sinceMs: Number(sinceMs), from } };
}

/**
 * The row of an enrolment, with its MAC. It has no MAC where the enrolment is forged, and where no key is here to sign and none is
 * needed.
 */
export function rowOf(enrolment: Enrolment, seal: RowSeal): Record<string, string | number> {
  const row = columnsOf(enrolment);
  if (enrolment.doubt === 'forged') return { ...row, mac: NO_MAC };
  try {
    return { ...row, mac: macOf(seal, 'enrolment', row) };
  } catch (error) {
    // A revoked enrolment lets nobody in, so it needs no signature.
    if (enrolment.status === 'revoked' && enrolment.pendingId === '') return { ...row, mac: NO_MAC };
    throw error;
  }
}

function columnsOf(enrolment: Enrolment): Record<string, string | number> {
  const { user, context, id, digest, pendingId: pending_id, pendingDigest: pending_digest } = enrolment;
  const { status, state, pendingState, lastAcceptedMs: last_accepted_ms } = enrolment;
  const current = { last_step: state.lastStep, tokens: state.bucket.tokens, as_of_ms: state.bucket.asOfMs, spent: state.spent };
  const period_seconds = state.periodSeconds ?? 0;
  const { bucket, spent, lastStep: pending_last_step } = { ...state, ...pendingState };
  const pending = { pending_id, pending_digest, pending_tokens: bucket.tokens, pending_spent: spent, pending_last_step };
  const pending_period_seconds = pendingState.periodSeconds ?? 0;
  return {
    user,
    context,
    id,
    digest,
    status,
    ...current,
    period_seconds,
    ...pending,
    pending_period_seconds,
    pending_inherits: INHERITED[inheritanceOf(pendingState)],
    last_accepted_ms,
    uid: enrolment.uid,
    tries: enrolment.tries === undefined ? NO_TRIES : textOfTries(enrolment.tries),
  };
}

/** What a pending file inherits: nothing, everything, everything but the recovery codes, or the codes used by then. */
const INHERITED = { nothing: 0, all: 1, 'all but recovery codes': 2, 'used codes': 3 } as const;

function inheritanceOf(pendingState: PendingState): keyof typeof INHERITED {
  if (pendingState.lastStep !== undefined) return pendingState.goesOn === true ? 'used codes' : 'nothing';
  return pendingState.spent === undefined ? 'all' : 'all but recovery codes';
}

function pendingStateOf(row: Row, asOfMs: number): PendingState {
  if (row['pending_inherits'] === INHERITED.all) return {};
  const spent = String(row['pending_spent']);
  if (row['pending_inherits'] === INHERITED['all but recovery codes']) return { spent };
  const fresh = {
    ...{ lastStep: Number(row['pending_last_step']), bucket: { tokens: Number(row['pending_tokens']), asOfMs }, spent },
    ...periodIn(row, 'pending_period_seconds'),
  };
  return row['pending_inherits'] === INHERITED['used codes'] ? { ...fresh, goesOn: true } : fresh;
}

/** In column `name`, where 0 stands for none. */
function periodIn(row: Row, name: string): Pick<LoginState, 'periodSeconds'> {
  const periodSeconds = Number(row[name]);
  return periodSeconds === 0 ? {} : { periodSeconds };
}

const STATUSES: readonly Status[] = ['active', 'revoked', 'invited'];

/** The state of a forged row: nothing, so that nobody computes with its values. */
const NO_STATE = {
  state: { lastStep: -1, bucket: { tokens: 0, asOfMs: 0 }, spent: '' },
  pendingState: {},
  lastAcceptedMs: 0,
  tries: undefined,
} as const;

export function enrolmentOf({ row, doubt }: SealedRow): Enrolment {
  const asOfMs = Number(row['as_of_ms']);
  return {
    user: String(row['user']),
    context: String(row['context']),
    id: String(row['id']),
    digest: String(row['digest']),
    pendingId: String(row['pending_id']),
    pendingDigest: String(row['pending_digest']),
    // An unknown status, perhaps of a newer notp, must not let anybody in.
    status: STATUSES.find((status) => status === row['status']) ?? 'revoked',
    state: {
      ...{ lastStep: Number(row['last_step']), bucket: { tokens: Number(row['tokens']), asOfMs }, spent: String(row['spent']) },
      ...periodIn(row, 'period_seconds'),
    },
    pendingState: pendingStateOf(row, asOfMs),
    lastAcceptedMs: Number(row['last_accepted_ms']),
    uid: Number(row['uid']),
    ...triesOf(row),
    ...(doubt === undefined ? {} : { doubt }),
    ...(doubt === 'forged' ? NO_STATE : {}),
  };
}

/** The row of an imported secret, with its MAC. */
export function rowOfImported({ uid, mark, key, lastStep: last_step, codes, spent }: Imported, seal: RowSeal): Values {
  const row = { uid, mark, key, last_step, codes, spent };
  return { ...row, mac: macOf(seal, 'imported', row) };
}

export function importedOf({ row, doubt }: SealedRow): Imported {
  const texts = { mark: String(row['mark']), key: String(row['key']), codes: String(row['codes']), spent: String(row['spent']) };
  return { uid: Number(row['uid']), lastStep: Number(row['last_step']), ...texts, ...(doubt === undefined ? {} : { doubt }) };
}

/** The row of a tally, without its host. */
export function rowOfTally({ user, records, count, sinceMs, untilMs, ref, shared }: Tally): Record<string, string | number> {
  const times = { as_of_ms: records.asOfMs, since_ms: sinceMs, until_ms: untilMs };
  return { user, tokens: records.tokens, ...times, count, ref: ref === '' ? NO_REF : ref, shared: shared.padEnd(SHARED_BYTES) };
}

/** The columns of a tally in `row`, which have `prefix`; undefined where there is no tally. */
export function countsIn(row: Row, prefix = ''): Row | undefined {
  if (row[`${prefix}count`] === null) return undefined;
  return Object.fromEntries([...COUNTS, 'mac'].map((column) => [column, row[`${prefix}${column}`]]));
}

/** Whether the row only reserves space. It needs no signature, since it counts nothing. */
export function isFiller(row: Row): boolean {
  return row['mac'] === NO_MAC && Number(row['as_of_ms']) === 0 && Number(row['count']) === 0;
}

/** The tally of `user` in `row`; an empty one where there is no row. */
export function tallyOf(user: string, row: Row | undefined): Tally {
  if (row === undefined || isFiller(row)) return { user, ...NO_TALLY };
  const [tokens, asOfMs, count, sinceMs, ref, shared, untilMs] = COUNTS.map((column) => row[column]);
  const times = [asOfMs, sinceMs, untilMs].map(Number);
  if (!isCount(count) || !Number.isFinite(Number(tokens)) || !times.every((ms) => Math.abs(ms) <= MAX_TIME_MS) || !REF.test(String(ref)))
    throw new NotpError(
      'store_unavailable',
      `the store counts for ${user === '' ? 'names without an enrolment' : user} what notp never writes`,
    );
  return {
    user,
    records: { tokens: Number(tokens), asOfMs: Number(asOfMs) },
    count: Number(count),
    sinceMs: Number(sinceMs),
    untilMs: Number(untilMs),
    ref: ref === NO_REF ? '' : String(ref),
    shared: String(shared).trimEnd(),
  };
}

/** The latest time that a Date can hold. */
const MAX_TIME_MS = 8.64e15;
const REF = /^[0-9a-f]{8}$/;
const HASH = /^[0-9a-f]{64}$/;

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(Number(value)) && Number(value) >= 0;
}

/** The head of the chain in `row`, which becomes a part of the next record. Throws `store_unavailable` where it is missing or malformed. */
function headOf(row: Row | undefined): ChainHead {
  const head = possibleHead(presentHead(row));
  if (head === undefined) throw changedHead();
  return head;
}

/** The row of the head. Throws `store_unavailable` where it is missing. */
export function presentHead(row: Row | undefined): Row {
  if (row === undefined) throw new NotpError('store_unavailable', 'the store has lost the head of the audit chain');
  return row;
}

/** The error where the store does not know `log`, which is that of this host, called `host`. */
export function unknownLog(log: string, host: string): ChangedHead {
  return new ChangedHead(
    'store_unavailable',
    `the store does not know ${log}, or has another log under the name ${quoted(host)}: this host joined it with an existing log, or is new ` +
      `under the name of another, or the log was lost or replaced, with ${log}.id`,
    'if another host has that name, give this one its own (host in [store]); otherwise find out what became of the log, and run as root: notp audit verify --resume',
  );
}

export function changedHead(): ChangedHead {
  return new ChangedHead(
    'store_unavailable',
    'the head of the audit chain in the store was changed outside notp, or is of a host key that is not here, or the store is newer than the log',
    'find out who can write to the database, and where the key is; then run as root: notp audit verify --resume',
  );
}

/** The head of the chain in `row`; undefined where it is malformed. */
export function possibleHead(row: Row): ChainHead | undefined {
  const hash = String(row['hash']);
  return isCount(row['seq']) && HASH.test(hash) ? { seq: Number(row['seq']), hash } : undefined;
}

/** The head of the chain, and how many of its last records the log file lacks. */
export interface Chain {
  readonly head: ChainHead;
  readonly lacking: number;
}

/** The query for the head, without the condition for the host. */
export const CHAIN = 'SELECT seq, hash, lacking, mac FROM chain';

/** Throws as headOf does. */
export function chainOf(row: Row | undefined): Chain {
  const [head, lacking] = [headOf(row), Number(row?.['lacking'])];
  if (!isCount(lacking)) throw changedHead();
  return { head, lacking };
}

/** Whether it is the head of a host without any record. It needs no signature. */
export function isFirst({ head, lacking }: Chain): boolean {
  return head.seq === 0 && lacking === 0 && /^0+$/.test(head.hash);
}

export function keptFile({ user, context, text }: Row): KeptFile {
  return { user: String(user), context: String(context), text: String(text) };
}

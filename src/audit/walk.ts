/**
 * Walks along the chain of an audit log and checks that each record is unchanged and in its place.
 *
 * A line is checked by its bytes. Its link is read from the end of the line, where printRecord() writes it. In valid JSON `,"seq":` cannot be
 * part of a text, as quotes in texts are escaped. Invalid JSON was never written by notp, so the next record, or the head in the store, does
 * not fit it. A line with another end is parsed.
 *
 * A crash leaves records that the store does not know, all of one transaction, or a part of a line. The next record replaces the first of
 * them, that is, it has the same number: this shows what they are. A writer that was suspended for long may leave them after the records that
 * replaced them. If such records are of several transactions, their decisions were answered; then an earlier state of the store was restored.
 *
 * A record that does not fit is reported. The walk then continues after it or before it, whichever the next record follows, so that the rest
 * of the log is checked too.
 */
import { parseJson } from '../json.ts';
import type { ChainHead } from '../store/store.ts';
import { hashOf } from './chain.ts';
import type { Link } from './record.ts';

/** The chain's key; undefined if it has none, see audit/chain.ts. */
export type ChainKey = Uint8Array | undefined;

export interface Walk {
  /** The record that the walk has reached; undefined before the first, whose own link is accepted as it is. */
  readonly last: Step | undefined;
  /** That record, and those before it that a crash may have cut off together with it. */
  readonly trail: Trail;
  /** The walk before a record that replaced others or did not fit: the next record may follow there. */
  readonly before: Walk | undefined;
  /** The key with which the records up to here are hashed. */
  readonly key: ChainKey;
  /** Whether a record was hashed with the present key of the chain: from there on no earlier key is accepted. */
  readonly isPresent: boolean;
  readonly first: number;
  readonly records: number;
  /** How many of them were reported as problems. */
  readonly reported: number;
  /** Replaced records and partial lines: a crash cut them off, and their decisions were never answered. */
  readonly cutOff: number;
  /** Their places, the first MAX_PLACES. */
  readonly cutOffAt: readonly string[];
  /** The first MAX_PUT_BACK times that an earlier state of the store was restored; see withPutBack(). */
  readonly putBack: readonly Problem[];
  /** Records of refusals that had no state to link to, and so have no link. */
  readonly unlinked: number;
  /** The last record that the store knows, and whether the walk has reached it. */
  readonly known: ChainHead;
  readonly reached: boolean;
}

interface Step extends Link {
  /** The line with its newline. */
  readonly line: Buffer;
  /** Its hash under the key in use. */
  readonly hash: string;
  readonly key: ChainKey;
  readonly place: string;
}

/** The first `end` steps of `all`, the latest last. Walks that continue each other share the array, and each has its own part of it. */
interface Trail {
  readonly all: Step[];
  readonly end: number;
}

/** A problem with a line. Of each `kind` only some are reported. */
export interface Problem {
  readonly kind: string;
  readonly text: string;
}

export interface Stepped {
  readonly walk: Walk;
  readonly problem: Problem | undefined;
}

/** A line (bytes with its newline), and its place as text for people. */
interface Line {
  readonly line: Buffer;
  readonly place: string;
  readonly keys: readonly ChainKey[];
}

/** No transaction writes more records than this. */
export const MAX_CUT_OFF = 64;
const MAX_PLACES = 5;
const MAX_PUT_BACK = 20;

/** The maximal length of the link at the end of a line, see LINK. */
const LINK_BYTES = 110;
const LINK = /,"seq":([1-9]\d{0,14}),"prev":"([0-9a-f]{64})"\}\n$/;
const BEGINNING = '{"time":"';
const BRACE = 123;
const NEWLINE = 10;
/** The link of the very first record. */
const NOTHING = '0'.repeat(64);

/** The walk before the first record. `keys`: the present key of the chain first, then earlier ones. `known`: the head in the store. */
export function startOf(keys: readonly ChainKey[], known: ChainHead): Walk {
  return {
    ...{ last: undefined, trail: NO_TRAIL, before: undefined, key: keys[0], isPresent: false, first: 0, records: 0, reported: 0 },
    ...{ cutOff: 0, cutOffAt: [], putBack: [], unlinked: 0, known, reached: known.seq === 0 },
  };
}

/** The walk after `line`, and the problem with it, if any. `keys`: as for startOf(). */
export function step(walk: Walk, { line, place, keys }: Line): Stepped {
  const link = linkOfBytes(line);
  if (isPart(line, link)) return { walk: { ...walk, ...cutOff(walk, 1, [place]) }, problem: undefined };
  if (link === undefined) return { walk, problem: { kind: 'no record', text: 'is not a record' } };
  if (link === 'none') return { walk: { ...walk, unlinked: walk.unlinked + 1 }, problem: undefined };
  return walk.last === undefined ? firstStep(walk, link, { line, place, keys }) : follow(walk, link, { line, place, keys });
}

/**
 * The walk at the end of the log. If records follow the last one that the store knows, it ends at that one. `seq`: the number of the last
 * record that the store knows by now; undefined if it was not asked again.
 */
export function atEnd(walk: Walk, seq = Infinity): Walk {
  const found = [...branches(walk)].find(({ reached }) => reached) ?? walk;
  const lost = steps(found).filter((each) => each.seq > seq);
  const end = found === walk ? walk : withPutBack(backTo(found, walk), stepsSince(found, walk));
  return lost.length === 0 ? end : withPutBack({ ...end, ...cutOff(end, lost.length, lost.map(placeOf)) }, lost);
}

/** The record that the walk has reached, and those before it that may have been cut off. */
function steps({ trail: { all, end } }: Walk): readonly Step[] {
  return all.slice(Math.max(0, end - MAX_CUT_OFF), end);
}

const NO_TRAIL: Trail = { all: [], end: 0 };

/** The trail with one more step. Reuses the array if the trail covers all of it and it is not too long. */
function withStep({ all, end }: Trail, next: Step): Trail {
  const same = all.length === end && end > 0 && end < 2 * MAX_CUT_OFF ? all : all.slice(Math.max(0, end - MAX_CUT_OFF), end);
  return { all: same, end: same.push(next) };
}

/** The steps since `branch`, which are in no chain any more; empty if some of them were reported as problems. */
function stepsSince(branch: Walk, walk: Walk): readonly Step[] {
  const known = steps(branch);
  return walk.reported > branch.reported ? [] : steps(walk).filter((each) => !known.includes(each));
}

/** Adds a problem if the consecutive records `lost` are of several transactions: then an earlier state of the store was restored. */
function withPutBack(walk: Walk, lost: readonly Step[]): Walk {
  const transactions = new Set(lost.map(transactionOf).filter((each) => each !== undefined));
  if (transactions.size < 2 || walk.putBack.length === MAX_PUT_BACK) return walk;
  const numbers = `records ${String(lost[0]?.seq)} to ${String(lost.at(-1)?.seq)}`;
  const text = `${lost.at(-1)?.place ?? ''}: ${numbers} were written and answered, but the state does not know them: an earlier state was restored, without what was used, revoked or enrolled since`;
  return { ...walk, putBack: [...walk.putBack, { kind: 'put back', text }] };
}

/** What all records of a transaction share: the reference, or the report of an outage. Undefined for a summary, which may precede any. */
export function transactionOf({ line }: { readonly line: Buffer }): unknown {
  try {
    const { ref, report, count } = parseJson(line.toString('utf8')) as Record<string, unknown>;
    return report ?? (count === undefined ? ref : undefined);
  } catch {
    return undefined;
  }
}

/** Whether the record that the walk has reached has the number `seq` and, with any of the keys, the hash `hash`. */
export function isAt({ last }: Walk, { seq, hash }: { readonly seq: number; readonly hash: string }, keys: readonly ChainKey[]): boolean {
  return last?.seq === seq && (last.hash === hash || keys.some((key) => hashOf(last.line, key) === hash));
}

/** Whether the line is a part of a record that a crash left, perhaps with zeros in place of the rest. The next record begins a new line. */
function isPart(line: Buffer, link: Link | 'none' | undefined): boolean {
  if (line.at(-1) !== NEWLINE) return true;
  const text = line.toString('latin1').replace(/\0*\n$/, '');
  // It may end in any character that a record can have.
  return link === undefined && line.length > 1 && (text.startsWith(BEGINNING) || BEGINNING.startsWith(text)) && !isJson(text);
}

function firstStep(walk: Walk, link: Link, { line, place, keys }: Line): Stepped {
  const last = { ...link, line, place, hash: hashOf(line, walk.key), key: walk.key };
  const next = { ...walk, last, trail: withStep(NO_TRAIL, last), first: link.seq, records: 1 };
  return { walk: { ...next, reached: walk.reached || isAt(next, walk.known, keys) }, problem: wrongStart(walk, link) };
}

function wrongStart({ cutOff: before }: Walk, { seq, prev }: Link): Problem | undefined {
  // A partial line before the first remaining record might be a record that somebody has made unrecognisable.
  if (seq > 1 && before > 0) return { kind: 'start', text: 'follows a line that is not a record' };
  if (seq > 1 || prev === NOTHING) return undefined;
  return { kind: 'start', text: 'is the very first record but links to one before it: it was changed' };
}

function follow(walk: Walk, link: Link, line: Line): Stepped {
  for (const branch of branches(walk)) {
    const next = stepThatFits(backTo(branch, walk), link, line);
    if (next === 'twice') {
      const text = `is record ${String(link.seq)}, which is there twice`;
      return { walk: { ...walk, records: walk.records + 1, reported: walk.reported + 1 }, problem: { kind: 'twice', text } };
    }
    if (next !== undefined) return { walk: withLost(next, branch, walk), problem: undefined };
  }
  const last = { ...link, line: line.line, place: line.place, hash: hashOf(line.line, walk.key), key: walk.key };
  const next = {
    ...walk,
    last,
    trail: withStep(NO_TRAIL, last),
    before: recent(walk, walk.records),
    records: walk.records + 1,
    reported: walk.reported + 1,
  };
  const problem = wrongLink(link.seq, (walk.last?.seq ?? 0) + 1);
  return { walk: { ...next, reached: walk.reached || isAt(next, walk.known, line.keys) }, problem };
}

/** The walk after a record that follows `branch` although the walk had gone on from there: the steps since are in no chain any more. */
function withLost(next: Walk, branch: Walk, walk: Walk): Walk {
  const at = next.last?.seq ?? 0;
  if (branch === walk && at > (walk.last?.seq ?? 0)) return next;
  const replaced = steps(branch).filter(({ seq }) => seq >= at);
  return withPutBack(withPutBack(next, stepsSince(branch, walk)), replaced);
}

/** The walks after which the next record may follow: this one, and those before records that may not belong there, the latest first. */
function* branches(walk: Walk): Generator<Walk> {
  for (let each: Walk | undefined = walk; each !== undefined; each = each.before) yield each;
}

/** The walk as it was at `branch`. Records since then that were not reported as problems count as cut off. */
function backTo(branch: Walk, walk: Walk): Walk {
  if (branch === walk) return walk;
  const { records, reported, unlinked } = walk;
  const silent = records - branch.records - (reported - branch.reported);
  return {
    ...branch,
    records,
    reported,
    unlinked,
    ...(silent > 0 ? cutOff(branch, silent, steps(walk).slice(-silent).map(placeOf)) : {}),
  };
}

/** The walk without branches that are too old for a record to follow them. */
function recent(walk: Walk | undefined, records: number): Walk | undefined {
  if (walk === undefined || records - walk.records > MAX_CUT_OFF) return undefined;
  return { ...walk, before: recent(walk.before, records) };
}

function placeOf({ place }: Step): string {
  return place;
}

function cutOff(walk: Walk, lines: number, places: readonly string[]): Pick<Walk, 'cutOff' | 'cutOffAt'> {
  return { cutOff: walk.cutOff + lines, cutOffAt: [...walk.cutOffAt, ...places].slice(0, MAX_PLACES) };
}

/** The walk after the record, if it follows the last one or replaces some; `twice` if it equals one of these; undefined if it does not fit. */
function stepThatFits(walk: Walk, { seq, prev }: Link, { line, place, keys }: Line): Walk | 'twice' | undefined {
  const { last } = walk;
  if (last === undefined) return undefined;
  const { all, end } = walk.trail;
  // The numbers of the trail are consecutive.
  const again = end - 1 - (last.seq - seq);
  const present = again < end && again >= end - MAX_CUT_OFF ? all[again] : undefined;
  const replaced = present?.prev === prev ? present : undefined;
  const found = replaced ?? (seq === last.seq + 1 ? keyOf(last, prev, walk, keys) : undefined);
  if (found === undefined) return undefined;
  const { key } = found;
  const hash = hashOf(line, key);
  if (present?.hash === hash) return 'twice';
  const isPresent = walk.isPresent || (replaced === undefined && key === keys[0]);
  const here = { seq, prev, line, place, hash, key };
  const trail = withStep({ all, end: replaced === undefined ? end : again }, here);
  const at = { ...walk, last: here, trail, key, isPresent, records: walk.records + 1 };
  const isKnown = isAt(at, walk.known, keys);
  if (replaced === undefined) return { ...at, before: recentOf(walk), reached: walk.reached || isKnown };
  return {
    ...at,
    ...cutOff(walk, end - again, all.slice(again, end).map(placeOf)),
    ...{ before: recent(walk, walk.records), reached: isKnown || (walk.reached && seq > walk.known.seq) },
  };
}

/** The branch of a walk that continues, unless it is too old. */
function recentOf({ before, records }: Walk): Walk | undefined {
  return before === undefined || records - before.records > MAX_CUT_OFF ? undefined : before;
}

/** The key with which `last` has the hash `prev`: the one in use, or another. Once the present key was in use, no earlier one counts. */
function keyOf(
  last: Step,
  prev: string,
  { key: inUse, isPresent }: Walk,
  keys: readonly ChainKey[],
): { readonly key: ChainKey } | undefined {
  if (last.hash === prev) return { key: inUse };
  if (isPresent) return undefined;
  const index = keys.findIndex((key) => hashOf(last.line, key) === prev);
  return index === -1 ? undefined : { key: keys[index] };
}

function wrongLink(seq: number, expected: number): Problem {
  if (seq > expected) return { kind: 'missing', text: `is record ${String(seq)}, and ${String(seq - expected)} before it are missing` };
  if (seq < expected) return { kind: 'misplaced', text: `is record ${String(seq)}, which does not belong here` };
  return { kind: 'changed', text: 'does not follow from the record before it: one of the two was changed' };
}

function isJson(text: string): boolean {
  try {
    parseJson(text);
    return true;
  } catch {
    return false;
  }
}

/** As linkOf(), for a line given as bytes with its newline. */
export function linkOfBytes(line: Buffer): Link | 'none' | undefined {
  const [, seq, prev] = LINK.exec(line.toString('latin1', Math.max(0, line.length - LINK_BYTES))) ?? [];
  if (seq !== undefined && prev !== undefined && line[0] === BRACE) return { seq: Number(seq), prev };
  return linkOf(line.toString('utf8'));
}

/** The link of a record; `none` if it has none, undefined if the line is not a record. */
export function linkOf(line: string): Link | 'none' | undefined {
  try {
    const record = parseJson(line) as { seq?: unknown; prev?: unknown; event?: unknown } | null;
    if (typeof record?.event !== 'string') return undefined;
    if (record.seq === undefined && record.prev === undefined) return 'none';
    const { seq, prev } = record;
    return typeof seq === 'number' && Number.isSafeInteger(seq) && typeof prev === 'string' ? { seq, prev } : undefined;
  } catch {
    return undefined;
  }
}

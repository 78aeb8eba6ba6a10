/**
 * Walking along the chain of an audit log: whether each record stands where it was written, as it was written.
 *
 * A line is judged by its bytes. Its link stands at its end, where printRecord puts it, and is read from there: in
 * what is valid JSON `,"seq":` cannot be part of a text, whose quotes are escaped, and what is not valid JSON
 * was never written, so the record after it, or the head that the store holds, does not fit. A line that does not
 * end so is parsed.
 *
 * A crash leaves records that the store does not know, all those of one transaction, or a part of a line. The next record
 * takes the place of the first of them, so that it can be told what they are. A writer that stood still for too long leaves them behind
 * what has taken their place. Records of several transactions, one after the other, were told: then it is the store that was put back.
 *
 * What does not fit is told, and the walk goes on from there, or from before it, whichever the next record follows: so that what comes
 * later is looked at all the same.
 */
import { parseJson } from '../json.ts';
import type { ChainHead } from '../store/store.ts';
import { hashOf } from './chain.ts';
import type { Link } from './record.ts';

/** The chain's key, or undefined where there is none; see audit/chain.ts. */
export type ChainKey = Uint8Array | undefined;

export interface Walk {
  /** The record we stand at; undefined before the first, whose own link is taken as it is. */
  readonly last: Step | undefined;
  /** It, and those before it that a crash may have cut off together with it. */
  readonly trail: Trail;
  /** Where we stood when a record took the place of others or did not fit: the next may follow that. */
  readonly before: Walk | undefined;
  /** The key under which the records are hashed up to here. */
  readonly key: ChainKey;
  /** Whether a record has shown that the present key of the chain was in use: from there on no former one counts. */
  readonly isPresent: boolean;
  readonly first: number;
  readonly records: number;
  /** How many of them were told as problems. */
  readonly told: number;
  /** Lines whose place other records took, and parts of lines: a crash cut them off, and nobody was told of them. */
  readonly cutOff: number;
  /** Where they are, the first MAX_PLACES. */
  readonly cutOffAt: readonly string[];
  /** The first MAX_PUT_BACK times that the store was put back; see withPutBack(). */
  readonly putBack: readonly Problem[];
  /** Records of refusals that had no state to link to. */
  readonly unlinked: number;
  /** The last record that the store knows, and whether it is among these. */
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

/** The first `end` of `all`, the latest last: walks that go on from one another share the array, of which each has its part. */
interface Trail {
  readonly all: Step[];
  readonly end: number;
}

/** What is wrong with a line: `kind` is the same for all of which no more than some need to be told. */
export interface Problem {
  readonly kind: string;
  readonly text: string;
}

export interface Stepped {
  readonly walk: Walk;
  readonly problem: Problem | undefined;
}

/** A line (bytes, with its newline), and its place in words. */
interface Line {
  readonly line: Buffer;
  readonly place: string;
  readonly keys: readonly ChainKey[];
}

/** No transaction writes more records. */
export const MAX_CUT_OFF = 64;
const MAX_PLACES = 5;
const MAX_PUT_BACK = 20;

/** The most that the link and the end of a line take: see LINK. */
const LINK_BYTES = 110;
const LINK = /,"seq":([1-9]\d{0,14}),"prev":"([0-9a-f]{64})"\}\n$/;
const BEGINNING = '{"time":"';
const BRACE = 123;
const NEWLINE = 10;
/** What the first record of all links to. */
const NOTHING = '0'.repeat(64);

/** Before the first record. `keys`: the current key of the chain first, then former ones. `known`: what the store knows of the last record. */
export function startOf(keys: readonly ChainKey[], known: ChainHead): Walk {
  return {
    ...{ last: undefined, trail: NO_TRAIL, before: undefined, key: keys[0], isPresent: false, first: 0, records: 0, told: 0 },
    ...{ cutOff: 0, cutOffAt: [], putBack: [], unlinked: 0, known, reached: known.seq === 0 },
  };
}

/** The walk after `line`, and what is wrong there. `keys`: as startOf takes them. */
export function step(walk: Walk, { line, place, keys }: Line): Stepped {
  const link = linkOfBytes(line);
  if (isPart(line, link)) return { walk: { ...walk, ...cutOff(walk, 1, [place]) }, problem: undefined };
  if (link === undefined) return { walk, problem: { kind: 'no record', text: 'is no record' } };
  if (link === 'none') return { walk: { ...walk, unlinked: walk.unlinked + 1 }, problem: undefined };
  return walk.last === undefined ? begun(walk, link, { line, place, keys }) : follow(walk, link, { line, place, keys });
}

/**
 * The walk at its end: where a record has come after it that the store does not know, it ends at the one that the store does. `seq`: after
 * that number the store knows no record by now; undefined: nobody has asked it since.
 */
export function atEnd(walk: Walk, seq = Infinity): Walk {
  const found = [...branches(walk)].find(({ reached }) => reached) ?? walk;
  const lost = steps(found).filter((each) => each.seq > seq);
  const end = found === walk ? walk : withPutBack(backTo(found, walk), stepsSince(found, walk));
  return lost.length === 0 ? end : withPutBack({ ...end, ...cutOff(end, lost.length, lost.map(placeOf)) }, lost);
}

/** The record we stand at, and those before it that may have been cut off. */
function steps({ trail: { all, end } }: Walk): readonly Step[] {
  return all.slice(Math.max(0, end - MAX_CUT_OFF), end);
}

const NO_TRAIL: Trail = { all: [], end: 0 };

/** The trail with one more step, in the same array where it has all of that, and that is not too long. */
function withStep({ all, end }: Trail, next: Step): Trail {
  const same = all.length === end && end > 0 && end < 2 * MAX_CUT_OFF ? all : all.slice(Math.max(0, end - MAX_CUT_OFF), end);
  return { all: same, end: same.push(next) };
}

/** What has come by since `branch` and is in no chain any more; nothing where some of it was told to be wrong. */
function stepsSince(branch: Walk, walk: Walk): readonly Step[] {
  const known = steps(branch);
  return walk.told > branch.told ? [] : steps(walk).filter((each) => !known.includes(each));
}

/** The walk, and that the store was put back where it does not know `lost`, records one after the other, and they are not of one transaction. */
function withPutBack(walk: Walk, lost: readonly Step[]): Walk {
  const transactions = new Set(lost.map(transactionOf).filter((each) => each !== undefined));
  if (transactions.size < 2 || walk.putBack.length === MAX_PUT_BACK) return walk;
  const numbers = `records ${String(lost[0]?.seq)} to ${String(lost.at(-1)?.seq)}`;
  const text = `${lost.at(-1)?.place ?? ''}: ${numbers} were written and told, and the state does not know them: it was put back to an earlier one, and what was used, revoked or enrolled since is forgotten`;
  return { ...walk, putBack: [...walk.putBack, { kind: 'put back', text }] };
}

/** What all records of a transaction have in common: the reference, or that of the report of an outage. Undefined for the sum of a flood, which stands before any. */
export function transactionOf({ line }: { readonly line: Buffer }): unknown {
  try {
    const { ref, report, count } = parseJson(line.toString('utf8')) as Record<string, unknown>;
    return report ?? (count === undefined ? ref : undefined);
  } catch {
    return undefined;
  }
}

/** Whether the record we stand at is number `seq` with `hash`, under any of the keys: what the store holds of the last record. */
export function isAt({ last }: Walk, { seq, hash }: { readonly seq: number; readonly hash: string }, keys: readonly ChainKey[]): boolean {
  return last?.seq === seq && (last.hash === hash || keys.some((key) => hashOf(last.line, key) === hash));
}

/** Whether a crash left this part of a record, perhaps with zeros in place of the rest; what is written next begins a new line. */
function isPart(line: Buffer, link: Link | 'none' | undefined): boolean {
  if (line.at(-1) !== NEWLINE) return true;
  const text = line.toString('latin1').replace(/\0*\n$/, '');
  // It may end in any character that a record can have.
  return link === undefined && line.length > 1 && (text.startsWith(BEGINNING) || BEGINNING.startsWith(text)) && !isJson(text);
}

function begun(walk: Walk, link: Link, { line, place, keys }: Line): Stepped {
  const last = { ...link, line, place, hash: hashOf(line, walk.key), key: walk.key };
  const next = { ...walk, last, trail: withStep(NO_TRAIL, last), first: link.seq, records: 1 };
  return { walk: { ...next, reached: walk.reached || isAt(next, walk.known, keys) }, problem: wrongStart(walk, link) };
}

function wrongStart({ cutOff: before }: Walk, { seq, prev }: Link): Problem | undefined {
  // What stands before the first record that is left could be one that was made to look so.
  if (seq > 1 && before > 0) return { kind: 'start', text: 'follows what is no record' };
  if (seq > 1 || prev === NOTHING) return undefined;
  return { kind: 'start', text: 'is the first record of all and links to one before it: it was changed' };
}

function follow(walk: Walk, link: Link, line: Line): Stepped {
  for (const branch of branches(walk)) {
    const next = fitting(backTo(branch, walk), link, line);
    if (next === 'twice') {
      const text = `is record ${String(link.seq)}, which stands there twice`;
      return { walk: { ...walk, records: walk.records + 1, told: walk.told + 1 }, problem: { kind: 'twice', text } };
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
    told: walk.told + 1,
  };
  const problem = wrongLink(link.seq, (walk.last?.seq ?? 0) + 1);
  return { walk: { ...next, reached: walk.reached || isAt(next, walk.known, line.keys) }, problem };
}

/** The walk after a record that has followed `branch`, where `walk` stood elsewhere by then: what that had come by is in no chain any more. */
function withLost(next: Walk, branch: Walk, walk: Walk): Walk {
  const at = next.last?.seq ?? 0;
  if (branch === walk && at > (walk.last?.seq ?? 0)) return next;
  const replaced = steps(branch).filter(({ seq }) => seq >= at);
  return withPutBack(withPutBack(next, stepsSince(branch, walk)), replaced);
}

/** Where the next record may follow: the walk, and where it stood before something that may not belong there, the latest first. */
function* branches(walk: Walk): Generator<Walk> {
  for (let each: Walk | undefined = walk; each !== undefined; each = each.before) yield each;
}

/** The walk as it was at `branch`; what it has come by since without a word is cut off. */
function backTo(branch: Walk, walk: Walk): Walk {
  if (branch === walk) return walk;
  const { records, told, unlinked } = walk;
  const silent = records - branch.records - (told - branch.told);
  return {
    ...branch,
    records,
    told,
    unlinked,
    ...(silent > 0 ? cutOff(branch, silent, steps(walk).slice(-silent).map(placeOf)) : {}),
  };
}

/** Without the branches that are too long ago for anything to follow them. */
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

/** The walk at the record, where it follows the last or takes the place of some; `twice` where it is one of these, undefined where it does not fit. */
function fitting(walk: Walk, { seq, prev }: Link, { line, place, keys }: Line): Walk | 'twice' | undefined {
  const { last } = walk;
  if (last === undefined) return undefined;
  const { all, end } = walk.trail;
  // Their numbers follow one another.
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

/** The branches of a walk that goes on. */
function recentOf({ before, records }: Walk): Walk | undefined {
  return before === undefined || records - before.records > MAX_CUT_OFF ? undefined : before;
}

/** The key under which `last` has the hash `prev`: the one in use, or else another; after the present one was in use no earlier one is. */
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

/** As linkOf, of a line as bytes with its newline. */
export function linkOfBytes(line: Buffer): Link | 'none' | undefined {
  const [, seq, prev] = LINK.exec(line.toString('latin1', Math.max(0, line.length - LINK_BYTES))) ?? [];
  if (seq !== undefined && prev !== undefined && line[0] === BRACE) return { seq: Number(seq), prev };
  return linkOf(line.toString('utf8'));
}

/** The link of a record; `none` where it has none, undefined for what is no record. */
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

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
 * what has taken their place.
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
  /** Those before it that a crash may have cut off together with it, the latest last. */
  readonly earlier: readonly Step[];
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

/** More records than one transaction writes. */
const MAX_CUT_OFF = 16;
const MAX_PLACES = 5;

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
    ...{ last: undefined, earlier: [], before: undefined, key: keys[0], isPresent: false, first: 0, records: 0, told: 0 },
    ...{ cutOff: 0, cutOffAt: [], unlinked: 0, known, reached: known.seq === 0 },
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

/** The walk at its end: where a record has come after it that the store does not know, it ends at the one that the store does. */
export function ended(walk: Walk): Walk {
  const found = [...branches(walk)].find(({ reached }) => reached);
  return found === undefined ? walk : backTo(found, walk);
}

/** What is wrong where the walk has ended, and the store knows no record after number `seq` by now. */
export function unknownAtEnd(walk: Walk, seq: number): Problem | undefined {
  return putBack(steps(walk).filter((each) => each.seq > seq));
}

/** The record we stand at, and those before it that may have been cut off. */
function steps({ earlier, last }: Walk): readonly Step[] {
  return last === undefined ? [] : [...earlier, last];
}

/**
 * One transaction decides once, so a crash leaves one decision that the store does not know. Several, one after the other, were told: then
 * it is the store that was put back. `lost`: the records that it does not know, in their order.
 */
function putBack(lost: readonly Step[]): Problem | undefined {
  if (lost.filter(({ line }) => isDecision(line)).length < 2) return undefined;
  const numbers = `records ${String(lost[0]?.seq)} to ${String(lost.at(-1)?.seq)}`;
  const text = `${numbers} were written and told, and the state does not know them: it was put back to an earlier one, and what was used since may work again`;
  return { kind: 'put back', text };
}

function isDecision(line: Buffer): boolean {
  try {
    const { event, count } = parseJson(line.toString('utf8')) as { event?: unknown; count?: unknown };
    return (event === 'login.accepted' || event === 'login.refused') && count === undefined;
  } catch {
    return false;
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
  const next = { ...walk, last, first: link.seq, records: 1 };
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
    if (next !== undefined) return { walk: next, problem: putBack(steps(walk).filter((each) => each.seq >= link.seq)) };
  }
  const last = { ...link, line: line.line, place: line.place, hash: hashOf(line.line, walk.key), key: walk.key };
  const next = { ...walk, last, earlier: [], before: recent(walk, walk.records), records: walk.records + 1, told: walk.told + 1 };
  const problem = wrongLink(link.seq, (walk.last?.seq ?? 0) + 1);
  return { walk: { ...next, reached: walk.reached || isAt(next, walk.known, line.keys) }, problem };
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
  const known = [...walk.earlier, last];
  const again = known.findIndex((each) => each.seq === seq && each.prev === prev);
  const replaced = known[again];
  const found = replaced ?? (seq === last.seq + 1 ? keyOf(last, prev, walk, keys) : undefined);
  if (found === undefined) return undefined;
  const { key } = found;
  const hash = hashOf(line, key);
  if (known.some((each) => each.seq === seq && each.hash === hash)) return 'twice';
  const isPresent = walk.isPresent || (replaced === undefined && key === keys[0]);
  const at = { ...walk, last: { seq, prev, line, place, hash, key }, key, isPresent, records: walk.records + 1 };
  const isKnown = isAt(at, walk.known, keys);
  if (replaced === undefined)
    return { ...at, earlier: known.slice(1 - MAX_CUT_OFF), before: recentOf(walk), reached: walk.reached || isKnown };
  return {
    ...at,
    ...cutOff(walk, known.length - again, known.slice(again).map(placeOf)),
    ...{ earlier: known.slice(0, again), before: recent(walk, walk.records), reached: isKnown || (walk.reached && seq > walk.known.seq) },
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

/**
 * Walking along the chain of an audit log: whether each record stands where it was written, as it was written.
 *
 * A line is judged by its bytes. Its link stands at its end, where printRecord puts it, and is read from there: in
 * what is valid JSON `,"seq":` cannot be part of a text, whose quotes are escaped, and what is not valid JSON
 * was never written, so the record after it, or the head that the store holds, does not fit. A line that does not
 * end so is parsed.
 *
 * A crash leaves records that the store does not know, all those of one transaction, or a part of a line. The next record
 * takes the place of the first of them, so that it can be told what they are.
 */
import { parseJson } from '../json.ts';
import { hashOf } from './chain.ts';
import type { Link } from './record.ts';

/** The chain's key, or undefined where there is none; see audit/chain.ts. */
export type ChainKey = Uint8Array | undefined;

export interface Walk {
  /** The record we stand at; undefined before the first, whose own link is taken as it is. */
  readonly last: Step | undefined;
  /** Those before it that a crash may have cut off together with it, the latest last. */
  readonly earlier: readonly Step[];
  /** The key under which the records are hashed up to here. */
  readonly key: ChainKey;
  readonly first: number;
  readonly records: number;
  /** Lines whose place the next record took, and parts of lines: a crash cut them off, and nobody was told of them. */
  readonly cutOff: number;
  /** Records of refusals that had no state to link to. */
  readonly unlinked: number;
}

interface Step extends Link {
  /** The line with its newline. */
  readonly line: Buffer;
  /** Its hash under the key in use. */
  readonly hash: string;
  readonly key: ChainKey;
}

/** More records than one transaction writes. */
const MAX_CUT_OFF = 16;

/** The most that the link and the end of a line take: see LINK. */
const LINK_BYTES = 110;
const LINK = /,"seq":([1-9]\d{0,14}),"prev":"([0-9a-f]{64})"\}\n$/;
const BEGINNING = '{"time":"';
const BRACE = 123;
const NEWLINE = 10;
/** What the first record of all links to. */
const NOTHING = '0'.repeat(64);

/** Before the first record. `keys`: the current key of the chain first, then former ones. */
export function startOf(keys: readonly ChainKey[]): Walk {
  return { last: undefined, earlier: [], key: keys[0], first: 0, records: 0, cutOff: 0, unlinked: 0 };
}

/** The walk after `line` (bytes, with its newline), or a sentence on what is wrong there. `keys`: as startOf takes them. */
export function step(walk: Walk, line: Buffer, keys: readonly ChainKey[]): Walk | string {
  const link = linkOfBytes(line);
  if (isPart(line, link)) return { ...walk, cutOff: walk.cutOff + 1 };
  if (link === undefined) return 'is no record';
  if (link === 'none') return { ...walk, unlinked: walk.unlinked + 1 };
  return walk.last === undefined ? begun(walk, link, line) : follow(walk, walk.last, { link, line, keys });
}

/** Whether the record we stand at is number `seq` with `hash`, under any of the keys: what the store holds of the last record. */
export function isAt({ last }: Walk, { seq, hash }: { readonly seq: number; readonly hash: string }, keys: readonly ChainKey[]): boolean {
  return last?.seq === seq && (last.hash === hash || keys.some((key) => hashOf(last.line, key) === hash));
}

/** Whether a crash left this part of a record, perhaps with zeros in place of the rest; what is written next begins a new line. */
function isPart(line: Buffer, link: Link | 'none' | undefined): boolean {
  if (line.at(-1) !== NEWLINE) return true;
  const text = line.toString('latin1').replace(/\0*\n$/, '');
  return link === undefined && line.length > 1 && !text.endsWith('}') && (text.startsWith(BEGINNING) || BEGINNING.startsWith(text));
}

function begun(walk: Walk, link: Link, line: Buffer): Walk | string {
  // What stands before the first record that is left could be one that was made to look so.
  if (link.seq > 1 && walk.cutOff > 0) return 'follows what is no record';
  if (link.seq === 1 && link.prev !== NOTHING) return 'is the first record of all and links to one before it: it was changed';
  return { ...walk, last: { ...link, line, hash: hashOf(line, walk.key), key: walk.key }, first: link.seq, records: 1 };
}

function follow(walk: Walk, last: Step, { link, line, keys }: { link: Link; line: Buffer; keys: readonly ChainKey[] }): Walk | string {
  const { seq, prev } = link;
  const known = [...walk.earlier, last];
  const again = known.findIndex((each) => each.seq === seq && each.prev === prev);
  const replaced = known[again];
  const found = replaced ?? (seq === last.seq + 1 ? keyOf(last, prev, walk.key, keys) : undefined);
  if (found === undefined) return wrongLink(seq, last.seq + 1);
  const { key } = found;
  const hash = hashOf(line, key);
  if (known.some((each) => each.seq === seq && each.hash === hash)) return `is record ${String(seq)}, which stands there twice`;
  const before = replaced === undefined ? known.slice(1 - MAX_CUT_OFF) : known.slice(0, again);
  return {
    ...walk,
    last: { seq, prev, line, hash, key },
    ...{ earlier: before, key, records: walk.records + 1, cutOff: walk.cutOff + (replaced === undefined ? 0 : known.length - again) },
  };
}

/** The key under which `last` has the hash `prev`: the one in use, or else another. */
function keyOf(last: Step, prev: string, inUse: ChainKey, keys: readonly ChainKey[]): { readonly key: ChainKey } | undefined {
  if (last.hash === prev) return { key: inUse };
  const index = keys.findIndex((key) => hashOf(last.line, key) === prev);
  return index === -1 ? undefined : { key: keys[index] };
}

function wrongLink(seq: number, expected: number): string {
  if (seq > expected) return `is record ${String(seq)}, and ${String(seq - expected)} before it are missing`;
  if (seq < expected) return `is record ${String(seq)}, which does not belong here`;
  return `does not follow from the record before it: one of the two was changed`;
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

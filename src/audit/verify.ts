/** Whether an audit log is what was written: all of its files along the chain, and whether the last record that the store knows is there. */
import * as fs from 'node:fs';
import { NotpError } from '../error.ts';
import { rowMac } from '../seal/keys.ts';
import type { ChainHead, KeptLine, Mark, Marks } from '../store/store.ts';
import { blocksOf, presentFilesOf, rawLinesIn } from './reading.ts';
import { atEnd, isAt, startOf, step, type ChainKey, type Problem, type Walk } from './walk.ts';

export interface Report extends Walk {
  /** What is wrong, and where, in the order of the log; of each kind the first MAX_OF_A_KIND, and how many more. Empty where nothing is. */
  readonly problems: readonly string[];
}

/** A log that was cut to pieces has as many problems as lines. */
const MAX_OF_A_KIND = 20;
/** Where the lines stand that wait for the file of the log. */
const STATE = 'the state';

/** Takes how many bytes and records were checked so far. Called after each block that was read. */
export type Progress = (bytes: number, records: number) => void;

export interface VerifyOptions {
  /** The head that the store held before the log was read. */
  readonly known: ChainHead;
  /** The head that the store holds now: by it alone records that have come meanwhile are told from those that it does not know. */
  readonly headNow?: (() => Promise<ChainHead>) | undefined;
  /** The current key of the chain first, then former ones. */
  readonly keys: readonly ChainKey[];
  /** Those of them that the store keeps in the clear, for the records of earlier host keys: whoever administers it can sign with them. */
  readonly storedKeys?: readonly Uint8Array[] | undefined;
  /** What the store kept of records in between, where it is that of a fleet. */
  readonly marks?: Marks | undefined;
  /** The lines that the store held for the file of the log, at the same time as the head. */
  readonly backlog?: readonly KeptLine[] | undefined;
  readonly progress?: Progress | undefined;
  /** No more than these at the end of what is not packed, for whoever has no time for all of it. */
  readonly lastBytes?: number | undefined;
}

/** Checks `auditFile` with what was rotated away, in constant memory, to its end. Throws `audit_unavailable` where a file cannot be opened. */
export async function verifyLog(auditFile: string, options: VerifyOptions): Promise<Report> {
  const { known, keys, backlog = [], progress } = options;
  const problems = gathered();
  const marked = comparedWith(options.marks, keys, options.storedKeys ?? []);
  let [walk, bytes] = [startOf(keys, known), 0];
  const waiting = new Map(backlog.map(({ line }) => [line, Buffer.from(line)]));
  const lengths = new Set([...waiting.values()].map(({ length }) => length));
  const take = (line: Buffer, place: string): void => {
    // What has come to the file since is there. One of the same number that a crash left is another.
    if (lengths.has(line.length)) waiting.delete(line.toString('utf8'));
    const next = step(walk, { line, place, keys });
    if (next.problem !== undefined) problems.add(next.problem, place);
    if (next.walk.last !== walk.last) marked.look(next.walk, place);
    walk = next.walk;
  };
  for (const { file, start } of partsOf(auditFile, options.lastBytes)) {
    const where = start === 0 ? file : `${file} after byte ${String(start)}`;
    let number = 0;
    const tooLong = (): void => {
      problems.add({ kind: 'too long', text: 'is longer than any record' }, `${where}:${String(++number)}`);
    };
    try {
      for await (const block of blocksOf(file, start, tooLong)) {
        for (const line of rawLinesIn(block)) {
          number++;
          // What begins inside a file begins inside a line.
          if (start === 0 || number > 1) take(line, `${where}:${String(number)}`);
        }
        progress?.((bytes += block.length), walk.records);
      }
    } catch (error) {
      // A file that cannot be opened is no finding about the log; one that cannot be read to its end is.
      if (!(error instanceof NotpError) || error.code !== 'failed') throw error;
      problems.add({ kind: 'unreadable', text: `${error.message}, after line ${String(number)}` }, undefined);
    }
  }
  for (const line of waiting.values()) take(line, STATE);
  const isAfter = options.headNow !== undefined && (walk.last?.seq ?? 0) > known.seq;
  const whole = atEnd(walk, isAfter ? (await options.headNow()).seq : undefined);
  for (const problem of whole.putBack) problems.add(problem, undefined);
  for (const problem of marked.problems()) problems.add(problem, undefined);
  if (!whole.reached) problems.add({ kind: 'end', text: missing(auditFile, whole.last?.seq ?? 0, known) }, undefined);
  return { ...whole, problems: problems.all() };
}

interface Gathered {
  /** `place`: undefined where the text names it. */
  readonly add: (problem: Problem, place: string | undefined) => void;
  readonly all: () => readonly string[];
}

function gathered(): Gathered {
  const counts = new Map<string, { count: number; text: string }>();
  const told: string[] = [];
  return {
    add: ({ kind, text }, place) => {
      const count = (counts.get(kind)?.count ?? 0) + 1;
      const said = place === undefined ? text : `${place}: ${text}`;
      counts.set(kind, { count, text: said });
      if (count <= MAX_OF_A_KIND) told.push(said);
    },
    all: () => {
      const more = [...counts.values()].filter(({ count }) => count > MAX_OF_A_KIND);
      return [...told, ...more.map(({ count, text }) => `${String(count - MAX_OF_A_KIND)} more of this kind, the last: ${text}`)];
    },
  };
}

interface Compared {
  /** Looks at the record that the walk has just come to, at `place`. */
  readonly look: (walk: Walk, place: string) => void;
  readonly problems: () => Iterable<Problem>;
}

/** Whoever holds all keys of a host can write its log anew, head and all, but not what the store has kept since. */
function comparedWith(marks: Marks | undefined, keys: readonly ChainKey[], storedKeys: readonly Uint8Array[]): Compared {
  const isStored = (key: Uint8Array): boolean => storedKeys.some((each) => Buffer.compare(each, key) === 0);
  const ownKeys = keys.filter((key) => key !== undefined && !isStored(key));
  // By the number of the record: what a crash left may stand before or behind the record that was marked.
  const unlike = new Map<number, Problem>();
  const found = new Set<number>();
  return {
    look: (walk, place) => {
      const seq = walk.last?.seq ?? 0;
      const mark = marks?.get(seq);
      if (mark === undefined || found.has(seq)) return;
      if (isAt(walk, { seq, hash: mark.hash }, keys)) {
        found.add(seq);
        unlike.delete(seq);
      } else if (!unlike.has(seq)) unlike.set(seq, unlikeMark(mark, { ownKeys, storedKeys }, seq, place));
    },
    problems: () => unlike.values(),
  };
}

function unlikeMark(
  { mac, signed }: Mark,
  { ownKeys, storedKeys }: { readonly ownKeys: readonly ChainKey[]; readonly storedKeys: readonly Uint8Array[] },
  seq: number,
  place: string,
): Problem {
  const isBy = (keys: readonly ChainKey[]): boolean => keys.some((key) => key !== undefined && rowMac(key, signed) === mac);
  const record = `${place}: is not record ${String(seq)} as the store`;
  if (isBy(ownKeys)) return { kind: 'written anew', text: `${record} knew it: the log was written anew` };
  const who = isBy(storedKeys)
    ? 'an earlier key has signed that, which the store itself keeps: the log was written anew, or somebody who administers the database has made the mark'
    : 'no key that is here has signed that: the mark was changed, or is of a host with another key (--key)';
  return { kind: 'mark', text: `${record}'s mark has it, and ${who}; keep it until another copy of the log has shown which` };
}

/** The files of the log, oldest first, and where to begin in each. */
function partsOf(auditFile: string, lastBytes: number | undefined): { readonly file: string; readonly start: number }[] {
  const files = presentFilesOf(auditFile);
  if (lastBytes === undefined) return files.map((file) => ({ file, start: 0 }));
  const parts = [];
  let left = lastBytes;
  for (const file of files.filter((each) => !each.endsWith('.gz')).toReversed()) {
    if (left <= 0) break;
    const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    parts.push({ file, start: Math.max(0, size - left) });
    left -= size;
  }
  return parts.toReversed();
}

function missing(file: string, last: number, { seq: known }: ChainHead): string {
  if (last >= known) return `${file}: record ${String(known)}, the last that was written, was changed`;
  return `${file}: the last ${String(known - last)} records are missing, or the record before them was changed`;
}

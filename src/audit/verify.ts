/** Verifies an audit log: follows the chain through all of its files, up to the last record that the store knows. */
import * as fs from 'node:fs';
import { NotpError } from '../error.ts';
import { rowMac } from '../seal/keys.ts';
import type { ChainHead, KeptLine, Mark, Marks } from '../store/store.ts';
import { blocksOf, presentFilesOf, rawLinesIn } from './reading.ts';
import { atEnd, isAt, startOf, step, type ChainKey, type Problem, type Walk } from './walk.ts';

export interface Report extends Walk {
  /** The problems and their places, in the order of the log: of each kind the first MAX_OF_A_KIND, then how many more. */
  readonly problems: readonly string[];
}

/** A badly damaged log can have as many problems as lines. */
const MAX_OF_A_KIND = 20;
/** The place of lines that wait for the file. */
const STATE = 'the state';

/** Called after each block with the numbers of bytes and records checked so far. */
export type Progress = (bytes: number, records: number) => void;

export interface VerifyOptions {
  /** The head that the store held before the log was read. */
  readonly known: ChainHead;
  /** Reads the present head of the store. It distinguishes records that were added meanwhile from those that the store does not know. */
  readonly headNow?: (() => Promise<ChainHead>) | undefined;
  /** The present key of the chain first, then earlier ones. */
  readonly keys: readonly ChainKey[];
  /** Those of them that the store keeps in plain text, for records of earlier host keys. The database's administrator can sign with them. */
  readonly storedKeys?: readonly Uint8Array[] | undefined;
  /** The store's marks of earlier records, if a fleet shares it. Read at the same time as `known` or before. */
  readonly marks?: Marks | undefined;
  /** The waiting lines in the store, read at the same time as `known`. */
  readonly backlog?: readonly KeptLine[] | undefined;
  readonly progress?: Progress | undefined;
  /** Checks only this much at the end of the unpacked files, to save time. */
  readonly lastBytes?: number | undefined;
}

/** Verifies `auditFile` with its rotated files to the end, in constant memory. Throws `audit_unavailable` if a file cannot be opened. */
export async function verifyLog(auditFile: string, options: VerifyOptions): Promise<Report> {
  const { known, keys, backlog = [], progress } = options;
  const problems = problemList();
  const marked = markComparison(options);
  let [walk, bytes] = [startOf(keys, known), 0];
  const waiting = new Map(backlog.map(({ line }) => [line, Buffer.from(line)]));
  const lengths = new Set([...waiting.values()].map(({ length }) => length));
  const check = (line: Buffer, place: string): void => {
    // A waiting line that is in the file was written since. A line of the same number that a crash left is not equal to it.
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
          // If reading began inside the file, the first line may be incomplete.
          if (start === 0 || number > 1) check(line, `${where}:${String(number)}`);
        }
        progress?.((bytes += block.length), walk.records);
      }
    } catch (error) {
      // A file that cannot be opened is an error; one that cannot be read to its end is a problem of the log.
      if (!(error instanceof NotpError) || error.code !== 'failed') throw error;
      problems.add({ kind: 'unreadable', text: `${error.message}, after line ${String(number)}` }, undefined);
    }
  }
  for (const line of waiting.values()) check(line, STATE);
  const isAfter = options.headNow !== undefined && (walk.last?.seq ?? 0) > known.seq;
  const whole = atEnd(walk, isAfter ? (await options.headNow()).seq : undefined);
  for (const problem of whole.putBack) problems.add(problem, undefined);
  for (const problem of marked.problems(whole.last?.seq ?? 0)) problems.add(problem, undefined);
  if (!whole.reached) problems.add({ kind: 'end', text: missingEnd(auditFile, whole.last?.seq ?? 0, known) }, undefined);
  return { ...whole, problems: problems.all() };
}

interface Gathered {
  /** `place`: undefined if the text names it already. */
  readonly add: (problem: Problem, place: string | undefined) => void;
  readonly all: () => readonly string[];
}

function problemList(): Gathered {
  const counts = new Map<string, { count: number; text: string }>();
  const texts: string[] = [];
  return {
    add: ({ kind, text }, place) => {
      const count = (counts.get(kind)?.count ?? 0) + 1;
      const full = place === undefined ? text : `${place}: ${text}`;
      counts.set(kind, { count, text: full });
      if (count <= MAX_OF_A_KIND) texts.push(full);
    },
    all: () => {
      const more = [...counts.values()].filter(({ count }) => count > MAX_OF_A_KIND);
      return [...texts, ...more.map(({ count, text }) => `${String(count - MAX_OF_A_KIND)} more of this kind, the last: ${text}`)];
    },
  };
}

interface Compared {
  /** Compares the record that the walk has just reached, at `place`. */
  readonly look: (walk: Walk, place: string) => void;
  /** `end`: the number of the last record. */
  readonly problems: (end: number) => Iterable<Problem>;
}

/** Compares records with the marks. Somebody with all keys of a host can rewrite its log and head, but not the marks that the store keeps. */
function markComparison({ known, marks = new Map(), keys, storedKeys = [] }: VerifyOptions): Compared {
  const isStored = (key: Uint8Array): boolean => storedKeys.some((each) => Buffer.compare(each, key) === 0);
  const ownKeys = keys.filter((key) => key !== undefined && !isStored(key));
  // By record number, as the remains of a crash may come before or after the marked record.
  const unlike = new Map<number, Problem>();
  const found = new Set<number>();
  return {
    look: (walk, place) => {
      const seq = walk.last?.seq ?? 0;
      const mark = marks.get(seq);
      if (mark === undefined || found.has(seq)) return;
      if (isAt(walk, { seq, hash: mark.hash }, keys)) {
        found.add(seq);
        unlike.delete(seq);
      } else if (!unlike.has(seq)) unlike.set(seq, unlikeMark(doubtAbout(mark, { ownKeys, storedKeys }), seq, place));
    },
    // A mark is written with its head, so an honest store has none above the head. Records that are missing below it are reported as such.
    problems: (end) => {
      const above = [...marks].filter(([seq]) => seq > Math.max(end, known.seq) && !found.has(seq) && !unlike.has(seq));
      const cutOff = above.toSorted(([one], [other]) => one - other);
      return [...unlike.values(), ...cutOff.map(([seq, mark]) => markAbove(doubtAbout(mark, { ownKeys, storedKeys }), seq, end))];
    },
  };
}

/** Why a mark that does not fit the log may itself be wrong; undefined if only somebody with a key of the host can have written it. */
function doubtAbout(
  { mac, signed }: Mark,
  { ownKeys, storedKeys }: { readonly ownKeys: readonly ChainKey[]; readonly storedKeys: readonly Uint8Array[] },
): string | undefined {
  const isBy = (keys: readonly ChainKey[]): boolean => keys.some((key) => key !== undefined && rowMac(key, signed) === mac);
  if (isBy(ownKeys)) return undefined;
  const why = isBy(storedKeys)
    ? 'the mark is signed with an earlier key, which the store itself keeps: the log was rewritten, or a database administrator has forged the mark'
    : 'the mark is not signed with any key that is here: it was changed, or is of a host with another key (--key)';
  return `${why}; keep the log until another copy of it shows which`;
}

function unlikeMark(doubt: string | undefined, seq: number, place: string): Problem {
  const record = `${place}: is not record ${String(seq)} as the store`;
  if (doubt === undefined) return { kind: 'written anew', text: `${record} knew it: the log was rewritten` };
  return { kind: 'mark', text: `${record}'s mark has it; ${doubt}` };
}

function markAbove(doubt: string | undefined, seq: number, end: number): Problem {
  const mark = `the store has a mark of record ${String(seq)}, and the log ends at ${String(end)}`;
  if (doubt === undefined)
    return { kind: 'cut off', text: `${mark}: the log was cut off or rewritten, and its head in the store moved back` };
  return { kind: 'mark above', text: `${mark}; ${doubt}` };
}

/** The files of the log, oldest first, with the offset at which to begin in each. */
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

function missingEnd(file: string, last: number, { seq: known }: ChainHead): string {
  if (last >= known) return `${file}: record ${String(known)}, the last that was written, was changed`;
  return `${file}: the last ${String(known - last)} records are missing, or the record before them was changed`;
}

/** Whether an audit log is what was written: all of its files along the chain, and whether the last record that the store knows is there. */
import * as fs from 'node:fs';
import { NotpError } from '../error.ts';
import type { ChainHead, Marks } from '../store/store.ts';
import { blocksOf, presentFilesOf, rawLinesIn } from './reading.ts';
import { isAt, startOf, step, type ChainKey, type Walk } from './walk.ts';

export interface Report extends Walk {
  /** What is wrong, and where; undefined where nothing is. */
  readonly problem: string | undefined;
  /** Where lines were cut off by a crash, as `file:line`; the first MAX_PLACES. */
  readonly cutOffAt: readonly string[];
}

const MAX_PLACES = 5;

/** Takes how many bytes and records were checked so far. Called after each block that was read. */
export type Progress = (bytes: number, records: number) => void;

export interface VerifyOptions {
  /** The head that the store held before the log was read. */
  readonly known: ChainHead;
  /** The current key of the chain first, then former ones. */
  readonly keys: readonly ChainKey[];
  /** What the store kept of records in between, where it is that of a fleet. */
  readonly marks?: Marks | undefined;
  readonly progress?: Progress | undefined;
  /** No more than these at the end of what is not packed, for whoever has no time for all of it. */
  readonly lastBytes?: number | undefined;
}

/** Checks `auditFile` with what was rotated away, in constant memory, up to the first problem. Throws `audit_unavailable` where a file cannot be opened. */
export async function verifyLog(auditFile: string, { known, keys, marks, progress, lastBytes }: VerifyOptions): Promise<Report> {
  const cutOffAt: string[] = [];
  const marked = comparedWith(marks, keys);
  let walk = startOf(keys);
  let [reached, bytes] = [known.seq === 0, 0];
  for (const { file, start } of partsOf(auditFile, lastBytes)) {
    const where = start === 0 ? file : `${file} after byte ${String(start)}`;
    let number = 0;
    try {
      for await (const block of blocksOf(file, start)) {
        for (const line of rawLinesIn(block)) {
          number++;
          // What begins inside a file begins inside a line.
          if (start > 0 && number === 1) continue;
          const next = step(walk, line, keys);
          if (typeof next === 'string') return { ...walk, cutOffAt, problem: `${where}:${String(number)}: ${next}` };
          // The last of the lines that it takes the place of, or itself where it is a part of one.
          const cut = next.last === walk.last ? number : number - 1;
          if (next.cutOff > walk.cutOff && cutOffAt.length < MAX_PLACES) cutOffAt.push(`${where}:${String(cut)}`);
          walk = next;
          marked.look(walk, `${where}:${String(number)}`);
          // What the store knows is there, and nothing has taken its place since.
          reached = isAt(walk, known, keys) || (reached && (walk.last?.seq ?? known.seq + 1) > known.seq);
        }
        progress?.((bytes += block.length), walk.records);
      }
    } catch (error) {
      // A file that cannot be opened is no finding about the log; one that cannot be read to its end is.
      if (!(error instanceof NotpError) || error.code !== 'failed') throw error;
      return { ...walk, cutOffAt, problem: `${error.message}, after line ${String(number)}` };
    }
  }
  return { ...walk, cutOffAt, problem: marked.problem() ?? (reached ? undefined : missing(auditFile, walk.last?.seq ?? 0, known)) };
}

interface Compared {
  /** Looks at the record that the walk has just come to, at `place`. */
  readonly look: (walk: Walk, place: string) => void;
  readonly problem: () => string | undefined;
}

/** Whoever holds all keys of a host can write its log anew, head and all, but not what the store has kept since. */
function comparedWith(marks: Marks | undefined, keys: readonly ChainKey[]): Compared {
  // By the number of the record: what a crash left may stand before the record that was marked.
  const unlike = new Map<number, string>();
  return {
    look: (walk, place) => {
      const seq = walk.last?.seq ?? 0;
      const hash = marks?.get(seq);
      if (hash === undefined) return;
      if (isAt(walk, { seq, hash }, keys)) unlike.delete(seq);
      else if (!unlike.has(seq)) unlike.set(seq, `${place}: is not record ${String(seq)} as the store knew it: the log was written anew`);
    },
    problem: () => unlike.values().next().value,
  };
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

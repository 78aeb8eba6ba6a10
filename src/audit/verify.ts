/** Whether an audit log is what was written: all of its files along the chain, and whether the last record that the store knows is there. */
import { NotpError } from '../error.ts';
import type { ChainHead } from '../store/store.ts';
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
  readonly progress?: Progress | undefined;
}

/** Checks `auditFile` with what was rotated away, in constant memory, up to the first problem. Throws `audit_unavailable` where a file cannot be opened. */
export async function verifyLog(auditFile: string, { known, keys, progress }: VerifyOptions): Promise<Report> {
  const cutOffAt: string[] = [];
  let walk = startOf(keys);
  let [reached, bytes] = [known.seq === 0, 0];
  for (const file of presentFilesOf(auditFile)) {
    let number = 0;
    try {
      for await (const block of blocksOf(file)) {
        for (const line of rawLinesIn(block)) {
          number++;
          const next = step(walk, line, keys);
          if (typeof next === 'string') return { ...walk, cutOffAt, problem: `${file}:${String(number)}: ${next}` };
          // The line before this one was it.
          if (next.cutOff > walk.cutOff && cutOffAt.length < MAX_PLACES) cutOffAt.push(`${file}:${String(number - 1)}`);
          walk = next;
          reached ||= isAt(walk, known, keys);
        }
        progress?.((bytes += block.length), walk.records);
      }
    } catch (error) {
      // A file that cannot be opened is no finding about the log; one that cannot be read to its end is.
      if (!(error instanceof NotpError) || error.code !== 'failed') throw error;
      return { ...walk, cutOffAt, problem: `${error.message}, after line ${String(number)}` };
    }
  }
  return { ...walk, cutOffAt, problem: reached ? undefined : missing(auditFile, walk.last?.seq ?? 0, known) };
}

function missing(file: string, last: number, { seq: known }: ChainHead): string {
  if (last >= known) return `${file}: record ${String(known)}, the last that was written, was changed`;
  return `${file}: the last ${String(known - last)} records are missing, or the record before them was changed`;
}

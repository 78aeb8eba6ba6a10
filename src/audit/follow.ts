/**
 * Follows a log: yields each new line once and in order, whatever logrotate(8) does meanwhile (rename and create, copytruncate, compress).
 * The last line read marks the place, as no two lines of a log are equal. If the log no longer continues after it, the line is searched in
 * the rotated files, and everything after it is new.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { blocksOf, filesOf, isAbsent, rawLinesIn, readAt } from './reading.ts';
import { MAX_RECORD_BYTES } from './record.ts';
import { watchFolder } from './watch.ts';

/** Long enough for logrotate to finish a rotation of several steps. */
const SETTLE_MS = 150;
const NEWLINE = 10;

/** How far a log was read. follow() and presentLines() update it. */
export interface Place {
  /** The last line that was read, with its newline; undefined if there was none. */
  last: Buffer | undefined;
  /** The offset after that line in the log itself; 0 if the line is in another file or was not found. */
  position: number;
}

/** The present end of the log. A missing log is not an error. Throws `audit_unavailable` if it cannot be read. */
export async function endOf(file: string): Promise<Place> {
  for (const each of filesOf(file).toReversed().filter(isThere)) {
    const place = each.endsWith('.gz') ? await endOfPacked(each) : endOfPlain(each);
    if (place.last !== undefined) return each === file ? place : { ...place, position: 0 };
  }
  return { last: undefined, position: 0 };
}

/** Yields the lines after `place` as they come, without their newlines, until `interrupt` is aborted. Throws as endOf() does. */
export async function* follow(file: string, place: Place, interrupt: AbortSignal): AsyncGenerator<string> {
  const watch = watchFolder(path.dirname(file), interrupt);
  try {
    while (!interrupt.aborted) {
      yield* presentLines(file, place);
      await watch.next();
    }
  } finally {
    watch.close();
  }
}

/** Yields the lines after `place` that are there now, without their newlines. Throws as endOf() does. */
export async function* presentLines(file: string, place: Place): AsyncGenerator<string> {
  try {
    for await (const line of linesAfter(file, place)) yield line.toString('utf8', 0, line.length - 1);
  } catch (error) {
    // A file was rotated while it was read. The next call finds the place after the last yielded line again.
    if (!isAbsent(error)) throw error;
  }
}

async function* linesAfter(file: string, place: Place): AsyncGenerator<Buffer> {
  const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0 && place.position === 0) return;
  if (size > 0 && goesOn(file, place)) {
    if (size > place.position) yield* linesFrom(file, place);
    return;
  }
  await delay(SETTLE_MS);
  yield* linesFromRotated(file, place);
}

/** Whether the last line is still at the offset where it was read. */
function goesOn(file: string, { last, position }: Place): boolean {
  return last !== undefined && position > 0 && readAt(file, position - last.length, last.length).bytes.equals(last);
}

/** The complete lines of the log itself after the place. */
async function* linesFrom(file: string, place: Place): AsyncGenerator<Buffer> {
  for await (const block of blocksOf(file, place.position)) {
    // An incomplete line is read in the next round.
    if (block.at(-1) !== NEWLINE) return;
    for (const line of rawLinesIn(block)) {
      [place.last, place.position] = [line, place.position + line.length];
      yield line;
    }
  }
}

/** The lines after the last one in all files; if that is not found, all lines of the log itself. */
async function* linesFromRotated(file: string, place: Place): AsyncGenerator<Buffer> {
  const files = filesOf(file).filter(isThere);
  const found = place.last === undefined ? { file: files[0], bytes: 0 } : await findLine(files, place.last);
  place.position = 0;
  const after = found?.file === undefined ? files.filter((each) => each === file) : files.slice(files.indexOf(found.file));
  for (const each of after) {
    const start = each === found?.file ? found.bytes : 0;
    if (each !== file) yield* linesOfRotated(each, start, place);
    else yield* linesFrom(file, Object.assign(place, { position: start }));
  }
}

/** The lines of a rotated file after its byte `start`, counted in its unpacked content. */
async function* linesOfRotated(file: string, start: number, place: Place): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const block of blocksOf(file)) {
    for (const line of rawLinesIn(block)) {
      bytes += line.length;
      if (bytes <= start) continue;
      place.last = line;
      yield line;
    }
  }
}

/** The newest file that contains `line`, and the offset of the line's end. */
async function findLine(files: readonly string[], line: Buffer): Promise<{ file: string; bytes: number } | undefined> {
  for (const file of files.toReversed()) {
    let bytes = 0;
    for await (const block of blocksOf(file)) {
      const at = block.indexOf(line);
      if (at !== -1) return { file, bytes: bytes + at + line.length };
      bytes += block.length;
    }
  }
  return undefined;
}

function endOfPlain(file: string): Place {
  const { bytes, start } = readAt(file, -2 * MAX_RECORD_BYTES);
  const lines = [...rawLinesIn(bytes.subarray(0, bytes.lastIndexOf(NEWLINE) + 1))];
  return { last: lines.at(-1), position: start + bytes.lastIndexOf(NEWLINE) + 1 };
}

async function endOfPacked(file: string): Promise<Place> {
  let last: Buffer | undefined;
  for await (const block of blocksOf(file)) last = [...rawLinesIn(block)].at(-1);
  return { last, position: 0 };
}

function isThere(file: string): boolean {
  return fs.existsSync(file);
}

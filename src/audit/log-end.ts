/** Reads the last records of a log without verifying them, where there is no time to verify all of it. */
import { NotpError } from '../error.ts';
import { blocksFromEnd, presentFilesOf, rawLinesIn, readAt } from './reading.ts';
import { MAX_RECORD_BYTES, type Link } from './record.ts';
import { linkOfBytes } from './walk.ts';

/** The last record is within these bytes, even if a part of another one follows it. */
export const LAST_BYTES = 3 * MAX_RECORD_BYTES;
/** Far more than a crash can leave. */
export const END_BYTES = 256 * 1024;
/** Every record of the chain contains this, and no other line does, as JSON escapes quotes in texts. */
const LINK_MARK = '"prev":"';
const NEWLINE = 10;

/** A record of the chain, and its line. */
export interface Linked extends Link {
  readonly line: Buffer;
}

/**
 * The records in the last `bytes` of the unpacked files, oldest first. If there is no record of the chain: the last ones before, however far
 * back, as refusals outside the chain may fill many megabytes in an outage. Empty if a file cannot be read.
 */
export function endOf(file: string, bytes: number): readonly Linked[] {
  const lines: Linked[] = [];
  let left = bytes;
  for (const each of unpackedFiles(file)) {
    const found = bytesAtEnd(each, left);
    lines.unshift(...recordsIn(found));
    left -= found.length;
    if (left <= 0) break;
  }
  return lines.length > 0 || left > 0 ? lines : lastLinked(file);
}

/** The records in the last block of the files that has any, in constant memory. */
function lastLinked(file: string): readonly Linked[] {
  for (const each of unpackedFiles(file)) {
    const found = unlessUnreadable(() => lastLinkedIn(each));
    if (found.length > 0) return found;
  }
  return [];
}

function lastLinkedIn(file: string): readonly Linked[] {
  for (const bytes of blocksFromEnd(file)) {
    const records = bytes.includes(LINK_MARK) ? recordsIn(bytes) : [];
    if (records.length > 0) return records;
  }
  return [];
}

function unpackedFiles(file: string): readonly string[] {
  return unlessUnreadable(() => presentFilesOf(file).filter((each) => !each.endsWith('.gz'))).toReversed();
}

function bytesAtEnd(file: string, length: number): Buffer {
  const [bytes] = unlessUnreadable(() => [readAt(file, -length).bytes]);
  return bytes ?? Buffer.alloc(0);
}

function unlessUnreadable<T>(read: () => readonly T[]): readonly T[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof NotpError && error.code === 'audit_unavailable') return [];
    throw error;
  }
}

function recordsIn(bytes: Buffer): readonly Linked[] {
  return [...rawLinesIn(bytes)].flatMap((line) => {
    const link = line.at(-1) === NEWLINE ? linkOfBytes(line) : undefined;
    return typeof link === 'object' ? [{ ...link, line }] : [];
  });
}

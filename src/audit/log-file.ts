/**
 * The file of an audit log: append-only, fsynced, with whole lines. Records that one writer could not write are taken from the state by the
 * next one that can write, once and in their place in the chain. A partial line that a crash left is ended first, so that the next record
 * begins a new line.
 */
import * as fs from 'node:fs';
import type { KeptLine } from '../store/store.ts';
import { blocksOf, isAbsent, lastOf, presentFilesOf, rawLinesIn, readAt } from './reading.ts';
import { linkOf } from './walk.ts';
import type { Sink } from './sinks.ts';

export interface LogFile extends Sink {
  /** Writes the `waiting` lines that the log lacks, and then `line`. Rejects unless all are written; then none counts as written. */
  bring(waiting: readonly KeptLine[], line: string): Promise<void>;
}

const NEWLINE = 10;
/** If the process's limit on file sizes is closer than this, it does not write at all, as it might leave half a line. */
const LIMIT_MARGIN_BYTES = 64 * 1024;
const LIMIT = /^Max file size\s+(\d+)/m;
/** How far back from the end of a file lines are searched, first and at most; and in how many of the newest files. */
const LOOK_BYTES = 64 * 1024;
const MAX_LOOK_BYTES = 16 * 1024 * 1024;
const LOOK_PACKED_LINES = 10_000;
const LOOK_FILES = 10;

/** Creates the file with mode 0600 if it does not exist. Its folder must exist. */
export function logFile(path: string): LogFile {
  return {
    name: path,
    // Others may write at the same time, so nothing is ever truncated.
    write: async (line) => {
      await Promise.resolve();
      appendTo(path, Buffer.from(line), { isAlone: false });
    },
    bring: async (waiting, line) => {
      const [first] = waiting;
      const present = first === undefined ? undefined : await linesSince(path, first.seq);
      const lacking = waiting.filter((each) => present?.has(each.line) !== true);
      appendTo(path, Buffer.from([...lacking.map((each) => each.line), line].join('')), { isAlone: true });
    },
  };
}

/** `isAlone`: whether no other process can append linked records at the same time. */
function appendTo(path: string, bytes: Buffer, { isAlone }: { isAlone: boolean }): void {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;
  const fd = fs.openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600);
  try {
    const { size, nlink, ino, dev } = regularFile(fd);
    if (nlink !== 1) throw new Error(`${path} has more than one name (hard links)`);
    const whole = endsInLine(fd, size) ? bytes : Buffer.concat([Buffer.from('\n'), bytes]);
    refuseNearLimit(size + whole.length);
    appendWhole(fd, whole, isAlone ? size : undefined);
    fs.fsyncSync(fd);
    if (isAlone) refuseRotated(path, { ino, dev });
  } finally {
    fs.closeSync(fd);
  }
}

function endsInLine(fd: number, size: number): boolean {
  const last = Buffer.alloc(1);
  return size === 0 || (fs.readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === NEWLINE);
}

function regularFile(fd: number): fs.Stats {
  const stats = fs.fstatSync(fd);
  if (!stats.isFile()) throw new Error('the audit log is not a regular file');
  return stats;
}

/** RLIMIT_FSIZE of setrlimit(2), which a hostile caller may have set. Read from proc(5); if that cannot be read, no limit is assumed. */
function refuseNearLimit(end: number): void {
  const limit = Number(LIMIT.exec(limits())?.[1] ?? Infinity);
  if (end + LIMIT_MARGIN_BYTES > limit)
    throw new Error(`this process may write no more than ${String(limit)} bytes to a file (RLIMIT_FSIZE)`);
}

function limits(): string {
  try {
    return fs.readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
}

/** Removes an incomplete write (full disk) again, unless somebody has appended since. `size`: the size before; undefined: never remove it. */
function appendWhole(fd: number, bytes: Buffer, size: number | undefined): void {
  let written = 0;
  try {
    while (written < bytes.length) written += fs.writeSync(fd, bytes, written);
  } catch (error) {
    if (size !== undefined && fs.fstatSync(fd).size === size + written) fs.ftruncateSync(fd, size);
    throw error;
  }
}

/** Refuses if logrotate(8) has renamed the file meanwhile: the lines may be in it or not. The next writer checks. */
function refuseRotated(path: string, opened: Pick<fs.Stats, 'ino' | 'dev'>): void {
  const now = fs.lstatSync(path, { throwIfNoEntry: false });
  if (now?.ino !== opened.ino || now.dev !== opened.dev) throw new Error(`${path} was rotated away meanwhile`);
}

/**
 * The lines of the log, with their newlines, from its end back to a record before number `seq`. A last line without a newline counts too,
 * complete or not, as the next writer ends it.
 */
export async function linesSince(path: string, seq: number): Promise<ReadonlySet<string>> {
  const lines = new Set<string>();
  for (const file of presentFilesOf(path).toReversed().slice(0, LOOK_FILES)) {
    const { isEnough, found } = file === path ? endOf(file, seq) : await endOfRotated(file, seq);
    for (const line of found) lines.add(line.endsWith('\n') ? line : `${line}\n`);
    if (isEnough) break;
  }
  return lines;
}

interface End {
  readonly isEnough: boolean;
  readonly found: readonly string[];
}

/**
 * The same for a rotated file, in which nobody ends an incomplete line any more. An unreadable one does not stop a writer: at worst a record
 * is written twice.
 */
async function endOfRotated(file: string, seq: number): Promise<End> {
  try {
    const lines = file.endsWith('.gz') ? await lastOf(linesOf(file), LOOK_PACKED_LINES) : endOf(file, seq).found;
    const found = lines.filter((line) => line.endsWith('\n'));
    return { isEnough: found.some((line) => isBefore(line, seq)), found };
  } catch {
    return { isEnough: false, found: [] };
  }
}

async function* linesOf(file: string): AsyncGenerator<string> {
  for await (const block of blocksOf(file)) for (const line of rawLinesIn(block)) yield line.toString('utf8');
}

function endOf(file: string, seq: number): End {
  for (let bytes = LOOK_BYTES; ; bytes *= 4) {
    const { found, start } = tail(file, bytes);
    const isEnough = found.some((line) => isBefore(line, seq));
    if (isEnough || start === 0 || bytes >= MAX_LOOK_BYTES) return { isEnough, found };
  }
}

function tail(file: string, length: number): { readonly found: readonly string[]; readonly start: number } {
  try {
    const { bytes, start } = readAt(file, -length);
    return { found: [...rawLinesIn(bytes)].map((line) => line.toString('utf8')), start };
  } catch (error) {
    if (isAbsent(error)) return { found: [], start: 0 };
    throw error;
  }
}

function isBefore(line: string, seq: number): boolean {
  const link = linkOf(line);
  return typeof link === 'object' && link.seq < seq;
}

/**
 * The file of an audit log: only appended to, fsynced, never torn. What one writer could not write is brought by the next that can, from
 * the state, in its place in the chain and once; a part of a line that a crash left is ended, so that the next one begins a line of its own.
 */
import * as fs from 'node:fs';
import type { KeptLine } from '../store/store.ts';
import { blocksOf, isAbsent, lastOf, presentFilesOf, rawLinesIn, readAt } from './reading.ts';
import { linkOf } from './walk.ts';
import type { Sink } from './sinks.ts';

export interface LogFile extends Sink {
  /** Writes those of `waiting` that the log does not have yet and then `line`: all of them, or none counts as written and it rejects. */
  bring(waiting: readonly KeptLine[], line: string): Promise<void>;
}

const NEWLINE = 10;
/** A writer whose limit on the size of files is nearer than this leaves the file alone: it could be the one that leaves half a line. */
const LIMIT_MARGIN_BYTES = 64 * 1024;
const LIMIT = /^Max file size\s+(\d+)/m;
/** How far back from the end of a file it is looked for what is there, at first and at the most; and in how many files, the newest first. */
const LOOK_BYTES = 64 * 1024;
const MAX_LOOK_BYTES = 16 * 1024 * 1024;
const LOOK_PACKED_LINES = 10_000;
const LOOK_FILES = 10;

/** The file is made 0600 where it is not there; its folder must be. */
export function logFile(path: string): LogFile {
  return {
    name: path,
    // Nobody keeps others from writing meanwhile: nothing that is there is ever taken back.
    write: async (line) => {
      await Promise.resolve();
      appendTo(path, Buffer.from(line), { isAlone: false });
    },
    bring: async (waiting, line) => {
      const [first] = waiting;
      const there = first === undefined ? undefined : await linesSince(path, first.seq);
      const lacking = waiting.filter((each) => there?.has(each.line) !== true);
      appendTo(path, Buffer.from([...lacking.map((each) => each.line), line].join('')), { isAlone: true });
    },
  };
}

/** `isAlone`: whether nobody else appends what the chain links meanwhile. */
function appendTo(path: string, bytes: Buffer, { isAlone }: { isAlone: boolean }): void {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;
  const fd = fs.openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600);
  try {
    const { size, nlink, ino, dev } = regularFile(fd);
    if (nlink !== 1) throw new Error(`${path} has more than one name`);
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
  if (!stats.isFile()) throw new Error('the audit log is no regular file');
  return stats;
}

/** RLIMIT_FSIZE of setrlimit(2), which a caller may have chosen. Linux tells it in proc(5); where that cannot be read there is none. */
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

/** What a full disk cut off is taken back, unless somebody has written behind it; `size`: before it, or undefined where it stays. */
function appendWhole(fd: number, bytes: Buffer, size: number | undefined): void {
  let written = 0;
  try {
    while (written < bytes.length) written += fs.writeSync(fd, bytes, written);
  } catch (error) {
    if (size !== undefined && fs.fstatSync(fd).size === size + written) fs.ftruncateSync(fd, size);
    throw error;
  }
}

/** What was written while logrotate(8) put the file aside may be there or not: whoever writes next looks. */
function refuseRotated(path: string, opened: Pick<fs.Stats, 'ino' | 'dev'>): void {
  const now = fs.lstatSync(path, { throwIfNoEntry: false });
  if (now?.ino !== opened.ino || now.dev !== opened.dev) throw new Error(`${path} was rotated away meanwhile`);
}

/** The lines of the log, with their newlines, from its end back to a record before number `seq`. What ends in no newline is one too, whole or not: whoever writes next ends it. */
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

/** The same of one that was put aside, in which nobody ends a line any more. What cannot be read of those keeps nobody from writing: a record stands there twice at the worst. */
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

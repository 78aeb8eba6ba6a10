/** Reads an audit log: its end, or all of it with the files that logrotate(8) has rotated. Follows no symlinks and waits for nothing. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { causeOf, errnoOf, messageOf, NotpError } from '../error.ts';
import { MAX_RECORD_BYTES } from './record.ts';

const BLOCK_BYTES = 1024 * 1024;
const NEWLINE = 10;

/** The lines in the last `bytes` of `file`; the first of them may be incomplete. Throws `audit_unavailable`. */
function tailOf(file: string, bytes: number): string[] {
  return readAt(file, -bytes)
    .bytes.toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

/** At most `length` bytes of `file` from `start` on (from its end if negative), and their offset. Throws `audit_unavailable`. */
export function readAt(file: string, start: number, length = Infinity): { readonly bytes: Buffer; readonly start: number } {
  const fd = openLog(file);
  try {
    const { size } = fs.fstatSync(fd);
    const from = start < 0 ? Math.max(0, size + start) : Math.min(start, size);
    const buffer = Buffer.alloc(Math.min(size - from, length));
    return { bytes: buffer.subarray(0, fs.readSync(fd, buffer, 0, buffer.length, from)), start: from };
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * The bytes of `file` from its end to its beginning, in blocks that overlap by the length of a record. The blocks share their memory, so
 * each is valid only until the next is read. Throws `audit_unavailable`.
 */
export function* blocksFromEnd(file: string): Generator<Buffer> {
  const fd = openLog(file);
  try {
    const buffer = Buffer.alloc(BLOCK_BYTES + MAX_RECORD_BYTES);
    const { size } = fs.fstatSync(fd);
    for (let end = size; end > 0; end -= BLOCK_BYTES) {
      const start = Math.max(0, end - buffer.length);
      yield buffer.subarray(0, fs.readSync(fd, buffer, 0, end - start, start));
    }
  } finally {
    fs.closeSync(fd);
  }
}

/** The rotated files (`audit.log.2.gz`, `audit.log.1` or `audit.log-20261123`) and the log, oldest first. Throws `audit_unavailable`. */
export function filesOf(file: string): string[] {
  const [folder, name] = [path.dirname(file), path.basename(file)];
  const entries = readFolder(folder);
  const isRotated = (entry: string): boolean => entry.startsWith(name) && /^(\.\d+|-\d{8,})(\.gz)?$/.test(entry.slice(name.length));
  // While logrotate packs a file, both exist, and the packed one is still incomplete.
  const isBeingPacked = (entry: string): boolean => entry.endsWith('.gz') && entries.includes(entry.slice(0, -'.gz'.length));
  const age = (entry: string): number => Number(/[.-](\d+)(\.gz)?$/.exec(entry)?.[1]) * (entry[name.length] === '.' ? -1 : 1);
  const rotated = entries.filter((entry) => isRotated(entry) && !isBeingPacked(entry));
  return [...rotated.toSorted((one, other) => age(one) - age(other)).map((entry) => path.join(folder, entry)), file];
}

/**
 * As filesOf(), but without the log itself if it does not exist and rotated files do. No file is passed over by its time of change: where
 * the clock was ahead, its records are later than that. Throws `audit_unavailable`.
 */
export function presentFilesOf(file: string): string[] {
  const files = filesOf(file);
  return files.filter((each) => each !== file || files.length === 1 || fs.existsSync(each));
}

/** The lines of a log without their newlines, in constant memory. Throws as blocksOf() does. */
async function* linesOf(file: string): AsyncGenerator<string> {
  for await (const block of blocksOf(file)) yield* linesIn(block);
}

/**
 * The bytes of a log in blocks of whole lines; only the very last line may lack its newline. A `.gz` file is unpacked. The caller may keep a
 * block. For a line longer than any record `tooLong` is called instead. Throws `audit_unavailable` if the file cannot be opened; `failed` if it is damaged, or
 * has such a line and there is no `tooLong`.
 */
export async function* blocksOf(file: string, start = 0, tooLong?: () => void): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let isSkipping = false;
  for await (const chunk of bytesOf(file, start)) {
    const from = isSkipping ? chunk.indexOf(NEWLINE) + 1 : 0;
    if (isSkipping && from === 0) continue;
    isSkipping = false;
    const bytes = rest.length === 0 ? chunk.subarray(from) : Buffer.concat([rest, chunk]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end > 0) yield bytes.subarray(0, end);
    rest = bytes.subarray(end);
    if (rest.length <= MAX_RECORD_BYTES) continue;
    if (tooLong === undefined) throw new NotpError('failed', `${file}: a line is longer than any record`);
    tooLong();
    [rest, isSkipping] = [Buffer.alloc(0), true];
  }
  if (rest.length > 0) yield rest;
}

/** The lines of one block, without their newlines. */
export function linesIn(block: Buffer): string[] {
  const lines = block.toString('utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** The lines of one block as bytes, with their newlines. */
export function* rawLinesIn(block: Buffer): Generator<Buffer> {
  for (let start = 0; start < block.length;) {
    const newline = block.indexOf(NEWLINE, start);
    const end = newline === -1 ? block.length : newline + 1;
    yield block.subarray(start, end);
    start = end;
  }
}

/** The last `count` lines of all `files`; both are oldest first. Throws as blocksOf() does. */
export async function lastLines(files: readonly string[], count: number): Promise<string[]> {
  let lines: string[] = [];
  for (const file of files.toReversed()) {
    const older = file.endsWith('.gz') ? await lastOf(linesOf(file), count) : tailOf(file, count * MAX_RECORD_BYTES);
    lines = [...older, ...lines].slice(-count);
    if (lines.length === count) break;
  }
  return lines;
}

/** The last `count` of `all`; keeps at most twice as many in memory. */
export async function lastOf(all: AsyncIterable<string>, count: number): Promise<string[]> {
  let kept: string[] = [];
  for await (const line of all) {
    kept.push(line);
    if (kept.length >= 2 * count) kept = kept.slice(-count);
  }
  return kept.slice(-count);
}

async function* bytesOf(file: string, start: number): AsyncGenerator<Buffer> {
  const fd = openLog(file);
  const bytes = fs.createReadStream('', { fd, start, highWaterMark: BLOCK_BYTES });
  // The reader of the unpacked stream gets the errors of both.
  const unpacked = file.endsWith('.gz') ? pipeline(bytes, createGunzip({ chunkSize: BLOCK_BYTES }), () => undefined) : bytes;
  try {
    for await (const chunk of unpacked) yield chunk as Buffer;
  } catch (error) {
    throw new NotpError('failed', `${file}: ${causeOf(error)}`);
  } finally {
    bytes.destroy();
  }
}

function openLog(file: string): number {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;
  const fd = reaching(() => fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (fs.fstatSync(fd).isFile()) return fd;
  fs.closeSync(fd);
  throw new NotpError('audit_unavailable', `${file} is not a regular file`, 'find out who put it there');
}

function readFolder(folder: string): string[] {
  return reaching(() => fs.readdirSync(folder));
}

function reaching<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    // O_NOFOLLOW: a symlink in the place of the log.
    const isPlanted = errnoOf(error) === 'ELOOP';
    const hint = isPlanted ? 'find out who put a symlink there' : 'only root can read the log of the host; users can read their own';
    throw new NotpError('audit_unavailable', messageOf(error), hint, { cause: error });
  }
}

/** Whether `thrown` says that a file does not exist. */
export function isAbsent(thrown: unknown): boolean {
  return thrown instanceof NotpError && errnoOf(thrown.cause) === 'ENOENT';
}

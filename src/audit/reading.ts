/** Reading an audit log back: its end, or all of it with what logrotate(8) has put aside. Nothing is followed, nothing is waited for. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf, NotpError } from '../error.ts';
import { MAX_RECORD_BYTES } from './record.ts';

/** The last lines of `file`, as many as its last `bytes` hold; the first of them may be cut. Throws `audit_unavailable`. */
export function tailOf(file: string, bytes: number): string[] {
  const fd = openLog(file);
  try {
    const { size } = fs.fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(size, bytes));
    const length = fs.readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    return buffer
      .toString('utf8', 0, length)
      .split('\n')
      .filter((line) => line !== '');
  } finally {
    fs.closeSync(fd);
  }
}

/** The log after what was rotated away: `audit.log.2.gz`, `audit.log.1` or, with dates, `audit.log-20261123`; oldest first. Throws `audit_unavailable`. */
export function filesOf(file: string): string[] {
  const [folder, name] = [path.dirname(file), path.basename(file)];
  const isRotated = (entry: string): boolean => entry.startsWith(name) && /^(\.\d+|-\d{8,})(\.gz)?$/.test(entry.slice(name.length));
  const age = (entry: string): number => Number(/[.-](\d+)(\.gz)?$/.exec(entry)?.[1]) * (entry[name.length] === '.' ? -1 : 1);
  const rotated = readFolder(folder).filter(isRotated);
  return [...rotated.toSorted((one, other) => age(one) - age(other)).map((entry) => path.join(folder, entry)), file];
}

/** The lines of a log, unpacked where its name ends in `.gz`, without their newlines and in constant memory. Throws `audit_unavailable`. */
export async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const chunk of bytesOf(file)) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
      if (rest.length > MAX_RECORD_BYTES) throw new Error('a line is longer than any record');
    }
  } catch (error) {
    throw error instanceof NotpError ? error : new NotpError('audit_unavailable', `${file}: ${messageOf(error)}`);
  }
  if (rest !== '') yield rest;
}

function bytesOf(file: string): Readable {
  const bytes = fs.createReadStream('', { fd: openLog(file), highWaterMark: 1024 * 1024 });
  return (file.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes).setEncoding('utf8');
}

function openLog(file: string): number {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;
  const fd = reaching(() => fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (fs.fstatSync(fd).isFile()) return fd;
  fs.closeSync(fd);
  throw new NotpError('audit_unavailable', `${file} is no regular file`, 'look who put it there');
}

function readFolder(folder: string): string[] {
  return reaching(() => fs.readdirSync(folder));
}

function reaching<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new NotpError('audit_unavailable', messageOf(error), 'root reads the log of the host; everybody their own');
  }
}

/** Where audit lines go. A sink's `write` resolves only when the line is where it belongs, and rejects otherwise. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createConnection } from 'node:net';

export interface Sink {
  readonly name: string;
  write(line: string): Promise<void>;
}

const JOURNAL = '/run/systemd/journal/stdout';
const SYSLOG = '/dev/log';
const LOGGER = '/usr/bin/logger';
const JOURNAL_TIMEOUT_MS = 2_000;
const NEWLINE = 10;
/** syslog(3): LOG_INFO. */
const PRIORITY_INFO = 6;

/** A file that is only appended to, fsynced line by line. Made 0600 where it is not there; its folder must be. After what a crash left of a line a new one begins. */
export function fileSink(path: string): Sink {
  return {
    name: path,
    write: (line) =>
      new Promise((resolve) => {
        appendLine(path, Buffer.from(line));
        resolve();
      }),
  };
}

/** The journal (systemd-journald.service(8), the stream that a service's stdout uses), else syslog through logger(1), else none. */
export function journalSinks(): Sink[] {
  if (stderrIsJournal()) return [{ name: 'journal', write: writeToStderr }];
  if (isSocket(JOURNAL)) return [{ name: 'journal', write: writeToJournal }];
  if (isSocket(SYSLOG)) return [{ name: 'syslog', write: writeToSyslog }];
  return [];
}

function appendLine(path: string, bytes: Buffer): void {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;
  const fd = fs.openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600);
  try {
    const { size, nlink } = regularFile(fd);
    if (nlink !== 1) throw new Error(`${path} has more than one name`);
    appendWhole(fd, endsInLine(fd, size) ? bytes : Buffer.concat([Buffer.from('\n'), bytes]), size);
    fs.fsyncSync(fd);
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

/** The whole line or none of it: what a full disk cut off is taken back. */
function appendWhole(fd: number, bytes: Buffer, size: number): void {
  let written = 0;
  try {
    while (written < bytes.length) written += fs.writeSync(fd, bytes, written);
  } catch (error) {
    fs.ftruncateSync(fd, size);
    throw error;
  }
}

/** Whether systemd has connected our stderr to the journal: JOURNAL_STREAM in systemd.exec(5). Only there does a record carry our unit. */
function stderrIsJournal(): boolean {
  const { dev, ino } = fs.fstatSync(2, { bigint: true });
  return process.env['JOURNAL_STREAM'] === `${String(dev)}:${String(ino)}`;
}

function writeToStderr(line: string): Promise<void> {
  return new Promise((resolve) => {
    fs.writeSync(2, `<${String(PRIORITY_INFO)}>${line}`);
    resolve();
  });
}

function writeToJournal(line: string): Promise<void> {
  // Identifier, unit, priority, level prefix, and three forward flags, one a line; then the messages.
  const header = `notp\n\n${String(PRIORITY_INFO)}\n0\n0\n0\n0\n`;
  return new Promise((resolve, reject) => {
    const socket = createConnection(JOURNAL);
    socket.setTimeout(JOURNAL_TIMEOUT_MS, () => socket.destroy(new Error('the journal does not answer')));
    socket.on('error', reject);
    socket.end(header + line, () => {
      socket.destroy();
      resolve();
    });
  });
}

function writeToSyslog(line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const { status } = spawnSync(LOGGER, ['-t', 'notp', '-p', 'authpriv.info', '--size', '16KiB', '--socket-errors=on'], {
      input: line,
      timeout: JOURNAL_TIMEOUT_MS,
      env: {},
    });
    if (status === 0) resolve();
    else reject(new Error('logger(1) could not write to syslog'));
  });
}

function isSocket(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

/** Where audit lines go besides the file of the log. A sink's `write` resolves only when the line is where it belongs, and rejects otherwise. */
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
/** syslog(3): LOG_INFO. */
const PRIORITY_INFO = 6;

/** The journal (systemd-journald.service(8), the stream that a service's stdout uses), else syslog through logger(1), else none. */
export function journalSinks(): Sink[] {
  if (stderrIsJournal()) return [{ name: 'journal', write: writeToStderr }];
  if (isSocket(JOURNAL)) return [{ name: 'journal', write: writeToJournal }];
  if (isSocket(SYSLOG)) return [{ name: 'syslog', write: writeToSyslog }];
  return [];
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

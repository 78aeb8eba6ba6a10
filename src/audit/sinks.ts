/** Further destinations of audit lines, besides the file. A sink's `write` resolves only once the line is written, and rejects otherwise. */
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
/** The priorities of syslog(3) that are used, by their names for logger(1). */
const PRIORITIES = { err: 3, warning: 4, notice: 5, info: 6 } as const;
export type Priority = keyof typeof PRIORITIES;

/** The journal (through the socket of systemd-journald.service(8) for the output of services), else syslog through logger(1), else none. */
export function journalSinks(priority: Priority = 'info'): Sink[] {
  if (stderrIsJournal()) return [{ name: 'journal', write: (line) => writeToStderr(line, priority) }];
  if (isSocket(JOURNAL)) return [{ name: 'journal', write: (line) => writeToJournal(line, priority) }];
  if (isSocket(SYSLOG)) return [{ name: 'syslog', write: (line) => writeToSyslog(line, priority) }];
  return [];
}

/** Whether systemd has connected stderr to the journal, see JOURNAL_STREAM in systemd.exec(5). Only then do records carry the unit. */
function stderrIsJournal(): boolean {
  const { dev, ino } = fs.fstatSync(2, { bigint: true });
  return process.env['JOURNAL_STREAM'] === `${String(dev)}:${String(ino)}`;
}

function writeToStderr(line: string, priority: Priority): Promise<void> {
  return new Promise((resolve) => {
    fs.writeSync(2, `<${String(PRIORITIES[priority])}>${line}`);
    resolve();
  });
}

function writeToJournal(line: string, priority: Priority): Promise<void> {
  // One line each: identifier, unit, priority, level prefix, three forward flags; then the messages.
  const header = `notp\n\n${String(PRIORITIES[priority])}\n0\n0\n0\n0\n`;
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

function writeToSyslog(line: string, priority: Priority): Promise<void> {
  return new Promise((resolve, reject) => {
    const { status } = spawnSync(LOGGER, ['-t', 'notp', '-p', `authpriv.${priority}`, '--size', '16KiB', '--socket-errors=on'], {
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

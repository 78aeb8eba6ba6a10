/** Further destinations of audit lines, besides the file. A sink's `write` resolves only once the line is written, and rejects otherwise. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createConnection } from 'node:net';
import { inheritedFd, isMadeNonBlocking } from '../system/listen-fds.ts';
import { entryOf } from './entry.ts';
import { journalEntry, PRIORITIES, priorityOf, type Priority } from './journal-entry.ts';

export interface Sink {
  readonly name: string;
  write(line: string): Promise<void>;
}

const JOURNAL = '/run/systemd/journal/stdout';
const SYSLOG = '/dev/log';
const LOGGER = '/usr/bin/logger';
const JOURNAL_TIMEOUT_MS = 2_000;
const FIELDS_TIMEOUT_MS = 500;
/** A batch of a thousand users would start as many processes. */
const MOST_WITH_FIELDS = 8;
let withFields = 0;
/** The name of the descriptor that systemd has connected to the journal for notp serve: systemd/journal-fields.conf. */
const INHERITED = 'journal';

/**
 * The journal, else syslog through logger(1), else none. `priority`: that of each record unless given. Records have fields of their own in the
 * journal, except those of a service without OpenFile= (systemd before 253), as a process for each login would be too much, and all but the
 * first few of a command.
 */
export function journalSinks(priority?: Priority): Sink[] {
  const inherited = inheritedFd(INHERITED);
  if (inherited !== undefined && isMadeNonBlocking(inherited))
    return [{ name: 'journal', write: (line) => writeToInherited(inherited, line, priority) }];
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

/**
 * One datagram is one entry. Where journald does not take it at once, the line goes where it would go without fields: any user can fill the
 * queue of journald, and whoever waits for it may hold the store.
 */
async function writeToInherited(fd: number, line: string, priority: Priority | undefined): Promise<void> {
  try {
    fs.writeSync(fd, journalEntry(line, priority));
  } catch {
    await writeToStderr(line, priority);
  }
}

function writeToStderr(line: string, priority: Priority | undefined): Promise<void> {
  return new Promise((resolve) => {
    fs.writeSync(2, `<${String(PRIORITIES[priority ?? priorityOf(entryOf(line))])}>${line}`);
    resolve();
  });
}

async function writeToJournal(line: string, priority: Priority | undefined): Promise<void> {
  if (withFields++ < MOST_WITH_FIELDS && hasLogged(['--journald'], journalEntry(line, priority), FIELDS_TIMEOUT_MS)) return;
  // Where journald did not take one in time, it is not waited for again: the store may be held.
  withFields = MOST_WITH_FIELDS;
  await writeToStream(line, priority);
}

/** Through the socket of systemd-journald.service(8) for the output of services, which takes text alone. */
function writeToStream(line: string, priority: Priority | undefined): Promise<void> {
  // One line each: identifier, unit, priority, level prefix, three forward flags; then the messages.
  const header = `notp\n\n${String(PRIORITIES[priority ?? priorityOf(entryOf(line))])}\n0\n0\n0\n0\n`;
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

function writeToSyslog(line: string, priority: Priority | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const level = `authpriv.${priority ?? priorityOf(entryOf(line))}`;
    if (hasLogged(['-t', 'notp', '-p', level, '--size', '16KiB', '--socket-errors=on'], line)) resolve();
    else reject(new Error('logger(1) could not write to syslog'));
  });
}

function hasLogged(words: readonly string[], input: string, timeout = JOURNAL_TIMEOUT_MS): boolean {
  return spawnSync(LOGGER, words, { input, timeout, env: {} }).status === 0;
}

function isSocket(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

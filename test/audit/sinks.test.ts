/** Where audit lines go: a file that is only what it must be, and the next sink where one fails. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { append, appendUnlinked, newRef, type AuditLog } from '../../src/audit/audit.ts';
import { logFile, type LogFile } from '../../src/audit/log-file.ts';
import { journalSinks, type Sink } from '../../src/audit/sinks.ts';
import type { AuditRecord } from '../../src/audit/record.ts';
import { NotpError } from '../../src/error.ts';
import type { ChainHead, Flood, KeptLine, Tally, Transaction } from '../../src/store/store.ts';
import { NO_REFUSALS } from '../store/alice.ts';
import { atEnd } from '../support/cleanup.ts';
import { ROOT, run } from '../support/process.ts';
import { lacks, must, scratchFolder } from '../support/world.ts';

const RECORD: AuditRecord = { user: 'alice', context: 'ssh', door: 'cli', event: 'enroll', result: 'done', ref: '01234567' };

describe('the file sink', () => {
  let folder: string;
  before(() => {
    folder = scratchFolder('sinks');
  });

  it('makes the file 0600 and appends line after line', async () => {
    const file = path.join(folder, 'new.log');
    await logFile(file).write('one\n');
    await logFile(file).write('two\n');
    assert.equal(fs.readFileSync(file, 'utf8'), 'one\ntwo\n');
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  });

  it('writes through no symlink, no second name, no folder and no device', async () => {
    const target = path.join(folder, 'target');
    fs.writeFileSync(target, '');
    fs.symlinkSync(target, path.join(folder, 'symlink'));
    fs.symlinkSync(path.join(folder, 'nowhere'), path.join(folder, 'dangling'));
    fs.linkSync(target, path.join(folder, 'hard-link'));
    fs.mkdirSync(path.join(folder, 'folder'));
    for (const name of ['symlink', 'dangling', 'hard-link', 'folder'])
      await assert.rejects(logFile(path.join(folder, name)).write('x\n'), name);
    await assert.rejects(logFile('/dev/null').write('x\n'), /not a regular file/);
    assert.equal(fs.readFileSync(target, 'utf8'), '');
    assert.ok(!fs.existsSync(path.join(folder, 'nowhere')));
  });

  it('begins a new line after what a power failure left of one', async () => {
    const file = path.join(folder, 'torn');
    const sink = logFile(file);
    await sink.write('one\n');
    fs.appendFileSync(file, '{"time":"2026');
    await sink.write('two\n');
    await sink.write('three\n');
    assert.equal(fs.readFileSync(file, 'utf8'), 'one\n{"time":"2026\ntwo\nthree\n');
  });

  it('waits for nobody at a FIFO, with a reader or without', { skip: lacks({ programs: ['mkfifo'] }) }, async () => {
    const fifo = path.join(folder, 'fifo');
    must(['mkfifo', fifo]);
    await assert.rejects(logFile(fifo).write('x\n'), /not a regular file/);
    const reader = fs.openSync(fifo, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    await assert.rejects(logFile(fifo).write('x\n'), /not a regular file/);
    fs.closeSync(reader);
  });

  it('takes back what a full disk cut off', { skip: lacks({ root: true, programs: ['mount', 'umount'] }) }, async () => {
    const disk = path.join(folder, 'disk');
    fs.mkdirSync(disk);
    must(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', disk]);
    atEnd(() => void must(['umount', disk]));
    const sink = logFile(path.join(disk, 'log'));
    await sink.write('kept\n');
    // Not a multiple of a page, so that some of it fits.
    await assert.rejects(sink.bring([], `${'x'.repeat(70_001)}\n`), { code: 'ENOSPC' });
    assert.equal(fs.readFileSync(path.join(disk, 'log'), 'utf8'), 'kept\n');
    await sink.write('after\n');
    assert.equal(fs.readFileSync(path.join(disk, 'log'), 'utf8'), 'kept\nafter\n');
  });
});

describe('appending a record', () => {
  it('keeps for the file what it does not take, tells the journal all the same, and moves the head', async () => {
    const { transaction, head, kept } = chain();
    const lines: string[] = [];
    await append(log(failing('the file'), [failing('another'), taking(lines)]), transaction, RECORD);
    assert.equal(lines.length, 1);
    assert.deepEqual(kept(), lines);
    assert.equal(head().seq, 1);
  });

  it('throws audit_unavailable where nothing more can wait for the file, whatever else would take it, and leaves the head', async () => {
    const { transaction, head } = chain({ room: 0 });
    const lines: string[] = [];
    await assert.rejects(append(log(failing('the file'), [taking(lines)]), transaction, RECORD), (error: unknown) => {
      assert.ok(error instanceof NotpError);
      assert.equal(error.code, 'audit_unavailable');
      assert.match(error.message, /0 records wait for the file, and there is no room for more: it is full$/);
      return true;
    });
    assert.deepEqual([head().seq, lines], [0, []]);
  });

  it('without a place in the chain fails only where it is required', async () => {
    await appendUnlinked(log(failing('only')), RECORD, { required: false });
    await assert.rejects(appendUnlinked(log(failing('only')), RECORD, { required: true }), { code: 'audit_unavailable' });
    const lines: string[] = [];
    await appendUnlinked(log(taking(lines)), RECORD, { required: true });
    assert.doesNotMatch(lines[0] ?? '', /"seq"|"prev"/);
  });

  it('names decisions by eight hex digits', () => {
    assert.match(newRef(), /^[0-9a-f]{8}$/);
    assert.notEqual(newRef(), newRef());
  });
});

describe('the journal', () => {
  const none = !fs.existsSync('/run/systemd/journal/stdout') && !fs.existsSync('/dev/log');
  it(none ? 'is no sink where there is none' : 'takes a line', async () => {
    const sinks = journalSinks();
    assert.equal(sinks.length, none ? 0 : 1);
    for (const sink of sinks) await sink.write('{"event":"test of notp"}\n');
  });
});

/** Gives a program the descriptor that OpenFile= gives a service, of a journald that reads nothing: unix(7) takes some eleven datagrams. */
const STUCK_JOURNALD = `
import os, socket, sys
journald, sender = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
journald.bind('\\0notp-test-%d' % os.getpid())
sender.connect(journald.getsockname())
os.dup2(journald.fileno(), 9)
os.dup2(sender.fileno(), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='journal')
os.execvp(sys.argv[1], sys.argv[1:])
`;

describe('a journald that others keep busy', { skip: lacks({ programs: ['python3', 'dd'] }) }, () => {
  it('is waited for by no record of a service', async () => {
    const program = `import { journalSinks } from '${ROOT}/src/audit/sinks.ts';
      for (let i = 0; i < 40; i++) await journalSinks()[0].write(JSON.stringify({ event: 'test', n: i }) + '\\n');`;
    const words = ['python3', '-c', STUCK_JOURNALD, process.execPath, '--input-type=module', '-e', program];
    const { code, stderr } = await run(words, { timeoutMs: 60_000 });
    assert.equal(code, 0, stderr);
    const asText = stderr.match(/^<6>.*"n":\d+/gm) ?? [];
    assert.ok(asText.length > 0 && asText.length < 40, stderr);
    assert.match(stderr, /"n":39/);
  });
});

function log(file: LogFile, copies: readonly Sink[] = []): AuditLog {
  return { file, copies, key: undefined, now: () => 0 };
}

const fails = (): Promise<void> => Promise.reject(new Error('it is full'));

function failing(name: string): LogFile {
  return { name, write: fails, bring: fails };
}

function taking(lines: string[]): LogFile {
  const take = (line: string): Promise<void> => Promise.resolve(void lines.push(line));
  return { name: 'memory', write: take, bring: (_, line) => take(line) };
}

const tally = (_: Flood, user: string): Promise<Tally> => Promise.resolve({ ...NO_REFUSALS, user });

const backlog = (): Promise<readonly KeptLine[]> => Promise.resolve([]);

/** The part of a transaction that appending needs. */
function chain({ room = 1 } = {}): { transaction: Transaction; head: () => ChainHead; kept: () => string[] } {
  let head: ChainHead = { seq: 0, hash: '0'.repeat(64) };
  const kept: string[] = [];
  const moveHead = (next: ChainHead): Promise<void> => Promise.resolve(void (head = next));
  const keepLine = ({ line }: KeptLine): Promise<boolean> => Promise.resolve(kept.length < room && kept.push(line) > 0);
  const [nameLog, keepLogId] = [(): Promise<string[]> => Promise.resolve([]), (): Promise<void> => Promise.resolve()];
  const all = { head: () => Promise.resolve(head), moveHead, nameLog, keepLogId, tally, backlog, keepLine };
  const transaction = all as unknown as Transaction;
  return { transaction, head: () => head, kept: () => kept };
}

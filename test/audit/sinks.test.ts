/** Where audit lines go: a file that is only what it must be, and the next sink where one fails. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { append, appendUnlinked, newRef, type AuditLog } from '../../src/audit/audit.ts';
import { fileSink, journalSinks, type Sink } from '../../src/audit/sinks.ts';
import type { AuditRecord } from '../../src/audit/record.ts';
import { NotpError } from '../../src/error.ts';
import type { ChainHead, Refusals, Transaction } from '../../src/store/store.ts';
import { NO_REFUSALS } from '../store/alice.ts';
import { atEnd } from '../support/cleanup.ts';
import { lacks, must, scratchFolder } from '../support/world.ts';

const RECORD: AuditRecord = { user: 'alice', context: 'ssh', door: 'cli', event: 'enroll', result: 'done', ref: '01234567' };

describe('the file sink', () => {
  let folder: string;
  before(() => {
    folder = scratchFolder('sinks');
  });

  it('makes the file 0600 and appends line after line', async () => {
    const file = path.join(folder, 'new.log');
    await fileSink(file).write('one\n');
    await fileSink(file).write('two\n');
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
      await assert.rejects(fileSink(path.join(folder, name)).write('x\n'), name);
    await assert.rejects(fileSink('/dev/null').write('x\n'), /no regular file/);
    assert.equal(fs.readFileSync(target, 'utf8'), '');
    assert.ok(!fs.existsSync(path.join(folder, 'nowhere')));
  });

  it('begins a new line after what a power failure left of one', async () => {
    const file = path.join(folder, 'torn');
    const sink = fileSink(file);
    await sink.write('one\n');
    fs.appendFileSync(file, '{"time":"2026');
    await sink.write('two\n');
    await sink.write('three\n');
    assert.equal(fs.readFileSync(file, 'utf8'), 'one\n{"time":"2026\ntwo\nthree\n');
  });

  it('waits for nobody at a FIFO, with a reader or without', { skip: lacks({ programs: ['mkfifo'] }) }, async () => {
    const fifo = path.join(folder, 'fifo');
    must(['mkfifo', fifo]);
    await assert.rejects(fileSink(fifo).write('x\n'), /no regular file/);
    const reader = fs.openSync(fifo, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    await assert.rejects(fileSink(fifo).write('x\n'), /no regular file/);
    fs.closeSync(reader);
  });

  it('takes back what a full disk cut off', { skip: lacks({ root: true, programs: ['mount', 'umount'] }) }, async () => {
    const disk = path.join(folder, 'disk');
    fs.mkdirSync(disk);
    must(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', disk]);
    atEnd(() => void must(['umount', disk]));
    const sink = fileSink(path.join(disk, 'log'));
    await sink.write('kept\n');
    // Not a multiple of a page, so that some of it fits.
    await assert.rejects(sink.write(`${'x'.repeat(70_001)}\n`), { code: 'ENOSPC' });
    assert.equal(fs.readFileSync(path.join(disk, 'log'), 'utf8'), 'kept\n');
    await sink.write('after\n');
    assert.equal(fs.readFileSync(path.join(disk, 'log'), 'utf8'), 'kept\nafter\n');
  });
});

describe('appending a record', () => {
  it('goes on to the next sink where one fails, and moves the head', async () => {
    const { transaction, head } = chain();
    const lines: string[] = [];
    await append(log([failing('first'), taking(lines)]), transaction, RECORD);
    assert.equal(lines.length, 1);
    assert.equal(head().seq, 1);
  });

  it('throws audit_unavailable where no sink takes it, names each, and leaves the head', async () => {
    const { transaction, head } = chain();
    await assert.rejects(append(log([failing('first'), failing('second')]), transaction, RECORD), (error: unknown) => {
      assert.ok(error instanceof NotpError);
      assert.equal(error.code, 'audit_unavailable');
      assert.match(error.message, /first: it is full; second: it is full$/);
      return true;
    });
    assert.equal(head().seq, 0);
  });

  it('throws where there is no sink at all', async () => {
    await assert.rejects(append(log([]), chain().transaction, RECORD), /no audit log is configured and there is no journal/);
  });

  it('without a place in the chain fails only where it is required', async () => {
    await appendUnlinked(log([failing('only')]), RECORD, { required: false });
    await assert.rejects(appendUnlinked(log([failing('only')]), RECORD, { required: true }), { code: 'audit_unavailable' });
    const lines: string[] = [];
    await appendUnlinked(log([taking(lines)]), RECORD, { required: true });
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

function log(sinks: readonly Sink[]): AuditLog {
  return { sinks, key: undefined, now: () => 0 };
}

function failing(name: string): Sink {
  return { name, write: () => Promise.reject(new Error('it is full')) };
}

function taking(lines: string[]): Sink {
  return { name: 'memory', write: (line) => Promise.resolve(void lines.push(line)) };
}

const refusals = (user: string): Promise<Refusals> => Promise.resolve({ ...NO_REFUSALS, user });

/** The part of a transaction that appending needs. */
function chain(): { transaction: Transaction; head: () => ChainHead } {
  let head: ChainHead = { seq: 0, hash: '0'.repeat(64) };
  const moveHead = (next: ChainHead): Promise<void> => Promise.resolve(void (head = next));
  const transaction = { head: () => Promise.resolve(head), moveHead, refusals } as unknown as Transaction;
  return { transaction, head: () => head };
}

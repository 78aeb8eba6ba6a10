/** `notp audit verify`: each kind of tampering shows, and nothing else does. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { gzipSync } from 'node:zlib';
import type { ChainHead } from '../../../src/store/store.ts';
import { writeLongLog } from '../../audit/long-log.ts';
import { oathCode } from '../../support/world.ts';
import { ownState, type OwnState } from '../own-state.ts';

/** Takes long enough on most machines for progress to be told. */
const LONG = { records: 300_000, startMs: Date.UTC(2027, 0, 1), everyMs: 1_000 } as const;

describe('verifying the audit log', () => {
  let own: OwnState;
  let log: string;
  let lines: readonly string[];

  before(async () => {
    own = ownState('audit-verify');
    log = path.join(own.secrets, '.audit.log');
    const { secret } = await own.enrol();
    await own.verify('000000');
    await own.verify(oathCode(secret));
    await own.verify(oathCode(secret));
    await own.enrol();
    lines = fs.readFileSync(log, 'utf8').trimEnd().split('\n');
  });
  beforeEach(() => {
    write(lines);
  });

  const write = (kept: readonly string[], file = log): void => {
    fs.writeFileSync(file, kept.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  };
  const verify = async (): Promise<{ code: number | null; stdout: string; stderr: string }> => await own.notp(['audit', 'verify']);
  const refuses = async (message: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await verify();
    assert.deepEqual([code, stdout], [1, ''], stderr);
    assert.match(stderr, message);
  };

  it('finds a log whole that nobody has touched, also as JSON', async () => {
    assert.deepEqual(await verify(), {
      code: 0,
      signal: null,
      stdout: 'The log is whole: records 1 to 5, 5 in all\n',
      stderr: '',
    });
    const { stdout } = await own.notp(['audit', 'verify', '--json']);
    assert.deepEqual(JSON.parse(stdout), { whole: true, records: 5, first: 1, last: 5, cut_off: 0, unlinked: 0, problems: [] });
  });

  it('is as short on a terminal of 40 columns, where nothing stays of the progress that is told of what takes long', async () => {
    const long = ownState('audit-verify-long');
    await long.enrol();
    const head = writeLongLog({ ...LONG, file: path.join(long.secrets, '.audit.log'), head: headOf(long) });
    moveHead(long, head);
    const terminal = long.inTerminal(['audit', 'verify'], 40);
    assert.equal(await terminal.exited, 0, terminal.output());
    assert.match(
      terminal.output().replaceAll('\u001b[J', '<'),
      /^((\r\d+ records, \d+ MB<)+\r<)?The log is whole: records 1 to 300001, 300001 in all\r\n$/,
    );
  });

  it('names the line after one that was edited, and the last line by the store', async () => {
    write(lines.map((line, i) => (i === 1 ? line.replace('"refused"', '"accepted"') : line)));
    await refuses(/\.audit\.log:3: does not follow from the record before it/);
    write(lines.map((line, i) => (i === 4 ? line.replace('"replace"', '"enroll"') : line)));
    await refuses(/record 5, the last that was written, was changed/);
  });

  it('names the place of a line that was removed, moved or added', async () => {
    write(lines.toSpliced(2, 1));
    await refuses(/\.audit\.log:3: is record 4, and 1 before it are missing/);
    write([lines[0] ?? '', lines[2] ?? '', lines[1] ?? '', ...lines.slice(3)]);
    await refuses(/\.audit\.log:2: is record 3, and 1 before it are missing/);
    write([...lines.slice(0, 3), lines[1] ?? '', ...lines.slice(3)]);
    await refuses(/\.audit\.log:4: is record 2, which is there twice/);
    write([...lines.slice(0, 2), 'junk', ...lines.slice(2)]);
    await refuses(/\.audit\.log:3: is not a record/);
  });

  it('misses what was cut off at the end, in the middle of a line too', async () => {
    write(lines.slice(0, 3));
    await refuses(/the last 2 records are missing/);
    fs.writeFileSync(log, lines.join('\n').slice(0, -20));
    await refuses(/the last 1 records are missing, or the record before them was changed/);
    fs.writeFileSync(log, '');
    await refuses(/the last 5 records are missing/);
  });

  it('was called whole after the state had been put back, by which used codes worked again', async () => {
    const state = path.join(own.secrets, '.state.db');
    const kept = `${own.folder}/kept.db`;
    const database = new DatabaseSync(state);
    database.exec(`PRAGMA wal_checkpoint(TRUNCATE); VACUUM INTO '${kept}'`);
    database.close();
    for (let i = 0; i < 2; i++) await own.verify('000000');
    for (const rest of ['', '-wal', '-shm']) fs.rmSync(`${state}${rest}`, { force: true });
    fs.copyFileSync(kept, state);
    fs.chmodSync(state, 0o600);
    await refuses(/records 6 to 7 were written and answered, but the state does not know them: an earlier state was restored/);
    await own.verify('000000');
    await refuses(/records 6 to 7 were written and answered/);
    for (const rest of ['', '-wal', '-shm']) fs.rmSync(`${state}${rest}`, { force: true });
    fs.copyFileSync(kept, state);
    fs.chmodSync(state, 0o600);
  });

  it('takes a line that a crash cut off, and refusals that no state could link, for what they are', async () => {
    const orphan = (lines[3] ?? '').replace(/"ref":"[0-9a-f]+"/, '"ref":"00000000"');
    const unlinked = (lines[2] ?? '').replace(/,"seq".*/, '}');
    write([...lines.slice(0, 3), orphan, unlinked, ...lines.slice(3)]);
    const { stdout } = await own.notp(['audit', 'verify', '--json']);
    assert.deepEqual(JSON.parse(stdout), { whole: true, records: 6, first: 1, last: 5, cut_off: 1, unlinked: 1, problems: [] });
    // A state that was put back looks the same: then somebody was told.
    const { stderr } = await own.notp(['audit', 'verify']);
    assert.match(
      stderr,
      /written before the state was restored to an earlier one, so it is unknown whether their decisions took effect: 1, at \S+:4\n/,
    );
  });

  it('names every problem, and does not stop at the first: a gap hides nothing that comes after it', async () => {
    write([...lines.slice(0, 1), ...lines.slice(2, 4), 'junk', (lines[4] ?? '').replace('"replace"', '"enroll"')]);
    const { code, stderr } = await verify();
    assert.equal(code, 1);
    assert.match(
      stderr,
      /:2: is record 3, and 1 before it are missing\n.*:4: is not a record\n.*record 5, the last that was written, was changed\nnotp: hint: .*\n$/,
    );
    const { stdout } = await own.notp(['audit', 'verify', '--json']);
    assert.equal((JSON.parse(stdout) as { problems: unknown[] }).problems.length, 3);
  });

  it('goes on through files that were rotated, by number or by date, compressed or not', async () => {
    const all = [`${log}.2.gz`, `${log}.1`, `${log}-20260101.gz`, `${log}-20260201`];
    for (const [older, newer] of [all.slice(0, 2), all.slice(2)] as [string, string][]) {
      fs.writeFileSync(older, gzipSync(`${lines.slice(0, 2).join('\n')}\n`));
      write(lines.slice(2, 4), newer);
      write(lines.slice(4));
      assert.match((await verify()).stdout, /whole: records 1 to 5, 5 in all/);
      fs.rmSync(newer);
      await refuses(/\.audit\.log:1: is record 5, and 2 before it are missing/);
      fs.rmSync(older);
      assert.match((await verify()).stdout, /whole: records 5 to 5, 1 in all/);
    }
  });

  it('says where there is nothing to verify', async () => {
    const { code, stderr } = await ownState('audit-nothing').notp(['audit', 'verify']);
    assert.equal(code, 3);
    assert.match(stderr, /there is no such file/);
  });
});

/** Runs `work` on the store. */
function onStore<T>({ secrets }: OwnState, work: (store: DatabaseSync) => T): T {
  const store = new DatabaseSync(path.join(secrets, '.state.db'));
  try {
    return work(store);
  } finally {
    store.close();
  }
}

function headOf(own: OwnState): ChainHead {
  return onStore(own, (store) => store.prepare('SELECT seq, hash FROM chain').get() as unknown as ChainHead);
}

function moveHead(own: OwnState, { seq, hash }: ChainHead): void {
  onStore(own, (store) => store.prepare('UPDATE chain SET seq = ?, hash = ?').run(seq, hash));
}

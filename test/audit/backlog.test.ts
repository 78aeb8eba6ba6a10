/** Records that the file of the log does not take: they wait in the state, and stand in the file afterwards, in their place, once. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { append, appendLogin, newRef, type AuditLog } from '../../src/audit/audit.ts';
import { logFile } from '../../src/audit/log-file.ts';
import { verifyLog, type Report } from '../../src/audit/verify.ts';
import type { AuditRecord } from '../../src/audit/record.ts';
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { run, type Ran } from '../support/process.ts';
import { ALICE } from '../store/alice.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { lacks, scratchFolder } from '../support/world.ts';
import { NO_HEAD, writeLongLog } from './long-log.ts';
import { report } from '../trials/trial.ts';

const KEY = new Uint8Array(32).fill(7);
const RECORD: Omit<AuditRecord, 'ref'> = { user: 'alice', context: 'ssh', door: 'cli', event: 'enroll', result: 'done' };
/** As many usual lines as the state has room for. */
const ROOM = 256;

interface Logged {
  readonly file: string;
  readonly database: string;
  /** What was committed. */
  readonly refs: string[];
  /** Records one thing and gives its reference; with `dies` it ends between the file and the commit. */
  record(
    how?: { readonly dies?: boolean } & Partial<AuditRecord> & Partial<Pick<AuditLog, 'key' | 'formerKeys' | 'sharing'>>,
  ): Promise<string>;
  /** Refuses a login of `user` and gives the reference of it. */
  refuse(user: string, sharing?: AuditLog['sharing']): Promise<string>;
  /** Records one thing while the file takes nothing. */
  recordWithout(): Promise<void>;
  waiting(): Promise<number>;
  verified(): Promise<Report>;
}

function logged(folder: string, name: string): Logged {
  const file = path.join(folder, `${name}.log`);
  const database = path.join(folder, `${name}.db`);
  openSqliteStore(database, { create: true }).close();
  const log: AuditLog = { file: logFile(file), copies: [], key: KEY, now: Date.now };
  const withStore = async <T>(work: (store: Store) => Promise<T>): Promise<T> => {
    const store = openSqliteStore(database, { create: false });
    return await work(store).finally(() => {
      store.close();
    });
  };
  const refs: string[] = [];
  const died = new Error('killed');
  const record: Logged['record'] = async ({ dies = false, key = KEY, formerKeys = [], sharing, ...fields } = {}) => {
    const ref = newRef();
    const work = withStore((store) =>
      store.exclusively(async (transaction) => {
        const by = { ...log, key, formerKeys, ...(sharing === undefined ? {} : { sharing }) };
        await append(by, transaction, { ...RECORD, ...fields, ref });
        if (dies) throw died;
      }),
    );
    await (dies ? assert.rejects(work, died) : work.then(() => refs.push(ref)));
    return ref;
  };
  const refuse: Logged['refuse'] = (user, sharing) => {
    const by = sharing === undefined ? log : { ...log, sharing };
    const refused = {
      ...RECORD,
      user,
      door: 'pam',
      event: 'login.refused',
      result: 'refused',
      reason: 'not_permitted',
      ref: newRef(),
    } as const;
    return withStore((store) => store.exclusively((transaction) => appendLogin(by, transaction, refused)));
  };
  return {
    ...{ file, database, refs, record, refuse },
    recordWithout: async () => {
      const away = `${file}~`;
      if (fs.existsSync(file)) fs.renameSync(file, away);
      fs.mkdirSync(file);
      await record();
      fs.rmdirSync(file);
      if (fs.existsSync(away)) fs.renameSync(away, file);
    },
    waiting: () => withStore((store) => store.exclusively(async (transaction) => (await transaction.backlog()).length)),
    verified: async () => {
      const { known, backlog } = await withStore((store) =>
        store.exclusively(async (transaction) => ({ known: await transaction.head(), backlog: await transaction.backlog() })),
      );
      return await verifyLog(file, { known, backlog, keys: [KEY] });
    },
  };
}

/** How often each reference stands in the files of the log, in their order. */
function refsIn({ file }: Logged): string[] {
  const files = fs.readdirSync(path.dirname(file)).filter((name) => name.startsWith(path.basename(file)) && !name.endsWith('.gz'));
  // Each alone: what ends without a newline in one that was put aside is no line.
  const texts = files.map((name) => fs.readFileSync(path.join(path.dirname(file), name), 'utf8'));
  return texts.flatMap((text) => [...text.matchAll(/"ref":"([0-9a-f]{8})".*\}\n/g)].map(([, ref]) => ref ?? ''));
}

function assertOnce(log: Logged, refs: readonly string[]): void {
  const found = refsIn(log);
  assert.deepEqual(
    refs.filter((ref) => found.filter((each) => each === ref).length !== 1),
    [],
    'not once in the log',
  );
}

describe('a log that takes no line', () => {
  const folder = scratchFolder('backlog');
  let count = 0;
  let log: Logged;
  beforeEach(() => {
    log = logged(folder, String(count++));
  });

  it('is whole with what waits in the state, and has all of it in its order when it takes lines again', async () => {
    await log.record();
    for (let i = 0; i < 3; i++) await log.recordWithout();
    assert.equal(await log.waiting(), 3);
    const { problems, records, last } = await log.verified();
    assert.deepEqual([problems, records, last?.seq], [[], 4, 4]);
    await log.record();
    assert.equal(await log.waiting(), 0);
    assert.deepEqual(refsIn(log), log.refs);
    assert.deepEqual((await log.verified()).problems, []);
  });

  it('took lines that somebody had written to the store, and not notp', async () => {
    const forged = [
      '{"time":"2026-01-01T00:00:00.000Z","event":"login.accepted","user":"mallory","ref":"00000000","seq":2,"prev":"PREV"}\n',
      'Jan  1 00:00:00 host sshd[1]: Accepted publickey for mallory\n',
      `{"time":"2026-01-01T00:00:00.000Z","event":"enroll","detail":"${'x'.repeat(20_000)}","seq":2,"prev":"PREV"}\n`,
    ];
    for (const line of forged) {
      log = logged(folder, String(count++));
      await log.record();
      await log.recordWithout();
      const database = new DatabaseSync(log.database);
      const { hash } = database.prepare('SELECT hash FROM chain').get() ?? {};
      database.prepare('UPDATE backlog SET text = ? WHERE seq = 2').run(line.replace('PREV', String(hash)));
      database.close();
      await log.record();
      const lines = fs.readFileSync(log.file, 'utf8').trim().split('\n');
      assert.equal(lines.length, 2, line);
      assert.match(lines[1] ?? '', /"detail":"dropped 1 waiting records that were changed outside notp".*"seq":3/);
      assert.equal(await log.waiting(), 0);
      assert.match((await log.verified()).problems.join(), /is record 3, and 1 before it are missing/);
    }
  });

  it('dropped what waited under a host key that was changed meanwhile', async () => {
    await log.record();
    await log.recordWithout();
    await log.record({ key: new Uint8Array(32).fill(8), formerKeys: [KEY] });
    assert.deepEqual(refsIn(log), log.refs);
  });

  it('refuses when there is no more room in the state, loses nothing, and goes on when it takes lines again', async () => {
    fs.mkdirSync(log.file);
    for (let i = 0; i < ROOM; i++) await log.record();
    await assert.rejects(log.record(), { code: 'audit_unavailable', message: /256 records wait for .*, and there is no room for more/ });
    fs.rmdirSync(log.file);
    await log.record();
    assert.deepEqual(refsIn(log), log.refs);
    assert.deepEqual((await log.verified()).problems, []);
    // The room is there again.
    fs.renameSync(log.file, `${log.file}.1`);
    fs.mkdirSync(log.file);
    for (let i = 0; i < ROOM; i++) await log.record();
    fs.rmdirSync(log.file);
    await log.record();
    assert.deepEqual((await log.verified()).problems, []);
    assertOnce(log, log.refs);
  });

  it('had its room taken by refusals, so that nobody got in', async () => {
    fs.mkdirSync(log.file);
    for (let i = 0; i < 40; i++) await log.record();
    for (let i = 0; i < 100; i++) await log.refuse('flood');
    assert.equal(await log.waiting(), ROOM / 2);
    // And the sum of those that were only counted.
    for (let i = 0; i < ROOM / 2 - 1; i++) await log.record();
    await assert.rejects(log.record(), { code: 'audit_unavailable' });
    await log.refuse('flood');
    fs.rmdirSync(log.file);
    await log.refuse('flood');
    assertOnce(log, log.refs);
    const sums = fs.readFileSync(log.file, 'utf8').match(/"count":\d+/g);
    assert.deepEqual(sums, ['"count":12', '"count":1']);
    assert.deepEqual((await log.verified()).problems, []);
  });

  it('had its room taken by one user, so that nobody else got in and root could not end that enrolment', async () => {
    fs.mkdirSync(log.file);
    const full = async (user: string): Promise<number> => {
      const long = '\u0001'.repeat(1024);
      for (let i = 0; ; i++) {
        try {
          await log.record({ user, door: 'gate', service: long, rhost: long, tty: long, sharing: 'everybody' });
        } catch (error) {
          assert.match(String(error), /no room for more/);
          return i;
        }
      }
    };
    const taken = await full('mallory');
    assert.ok(taken > 30, String(taken));
    // Others, each of whom takes their part too.
    for (const user of ['carol', 'dave', 'erin']) assert.ok((await full(user)) > 3, user);
    for (let i = 0; i < 20; i++) await full(`one${String(i)}`);
    for (let i = 0; i < 16; i++) await log.record({ sharing: 'all but commands', user: 'mallory', event: 'revoke' });
    fs.rmdirSync(log.file);
    await log.record();
    assertOnce(log, log.refs);
    assert.deepEqual((await log.verified()).problems, []);
  });

  it('has lines back as they were, however long they are and whatever stands in them', async () => {
    fs.mkdirSync(log.file);
    for (const detail of ['x'.repeat(256), 'é😀"\\'.repeat(80), '\u0001\u202e\n'.repeat(99)]) await log.record({ detail });
    fs.rmdirSync(log.file);
    await log.record();
    assert.deepEqual((await log.verified()).problems, []);
    assertOnce(log, log.refs);
  });

  it('lost what waited when the key that had hashed it was given up, and called it changed', async () => {
    await log.record();
    await log.recordWithout();
    await log.recordWithout();
    const store = openSqliteStore(log.database, { create: false });
    await store.exclusively((transaction) => transaction.keepChainKey(KEY));
    store.close();
    // Rotated and retired: no file has the former key any more.
    await log.record({ key: randomBytes(32) });
    assert.equal(await log.waiting(), 0);
    assertOnce(log, log.refs);
    assert.doesNotMatch(fs.readFileSync(log.file, 'utf8'), /dropped/);
  });

  it('shows when what waits was changed in the state', async () => {
    await log.record();
    await log.recordWithout();
    await log.recordWithout();
    const { problems } = await log.verified();
    assert.deepEqual(problems, []);
    const database = new DatabaseSync(log.database);
    database.exec(`UPDATE backlog SET text = replace(text, '"done"', '"fake"') WHERE seq = 2`);
    database.close();
    assert.match(String((await log.verified()).problems), /^the state: does not follow from the record before it/);
    await log.record();
    assert.match(String((await log.verified()).problems), /is record 3, and 1 before it are missing/);
  });

  it('keeps its chain and each record once, whatever comes between file and state, and logrotate too', async () => {
    const acts = ['record', 'without', 'without', 'dies', 'rotate', 'rotate and pack', 'unlinked'] as const;
    // Or it dies after so many lines, and so many bytes less.
    const act = fc.oneof(
      fc.constantFrom(...acts),
      fc.record({ lines: fc.integer({ min: 1, max: 3 }), less: fc.constantFrom(0, 1, 2, 100) }),
    );
    let sequences = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 25 }), async (all) => {
        const own = logged(folder, `p${String(count++)}`);
        let rotated = 0;
        const rotate = (): string | undefined => {
          // Further back nobody looks for a line that a crash has left.
          if (!fs.existsSync(own.file) || rotated === 9) return undefined;
          for (let i = rotated++; i > 0; i--)
            for (const end of ['', '.gz'])
              if (fs.existsSync(`${own.file}.${String(i)}${end}`))
                fs.renameSync(`${own.file}.${String(i)}${end}`, `${own.file}.${String(i + 1)}${end}`);
          fs.renameSync(own.file, `${own.file}.1`);
          return `${own.file}.1`;
        };
        for (const each of all) {
          if (each === 'record') await own.record();
          if (each === 'without') await own.recordWithout();
          if (each === 'dies') await own.record({ dies: true });
          if (typeof each === 'object') {
            const before = fs.existsSync(own.file) ? fs.statSync(own.file).size : 0;
            await own.record({ dies: true });
            const added = fs.readFileSync(own.file, 'latin1').slice(before);
            const written = added
              .split(/(?<=\n)/)
              .slice(0, each.lines)
              .join('');
            fs.truncateSync(own.file, before + Math.max(0, written.length - each.less));
          }
          if (each === 'rotate') rotate();
          if (each === 'rotate and pack') {
            const old = rotate();
            if (old !== undefined) fs.writeFileSync(`${old}.gz`, gzipSync(fs.readFileSync(old)));
            // So that what was in it is still counted below.
            if (old !== undefined) fs.renameSync(old, `${own.file}~${String(count++)}`);
          }
          if (each === 'unlinked') await logFile(own.file).write('{"time":"2026-11-29T08:00:00.000Z","event":"login.refused"}\n');
        }
        await own.record();
        assert.equal(await own.waiting(), 0);
        assert.deepEqual((await own.verified()).problems, []);
        assertOnce(own, own.refs);
        sequences++;
      }),
      // A whole line without its newline, in a file that is put aside then.
      {
        numRuns: 60,
        examples: [
          [
            [
              'without',
              { lines: 1, less: 0 },
              'rotate and pack',
              { lines: 1, less: 0 },
              'rotate',
              { lines: 1, less: 0 },
              'rotate and pack',
            ],
          ],
          [['without', { lines: 1, less: 1 }, 'rotate']],
          [['record', 'without', 'rotate', { lines: 1, less: 1 }, 'rotate']],
        ],
      },
    );
    const tried =
      'a sequence of records, crashes, lines that were cut off, moments without a log and rotations, and `audit verify` after it';
    report({ part: 'callers', tried, times: sequences, failed: 0 });
  });
});

describe('twenty writers of one log', { skip: lacks({ programs: ['prlimit'] }) }, () => {
  it('some of whom are limited or killed leave a chain that is whole, with each record once', async () => {
    const log = logged(scratchFolder('backlog-writers'), 'audit');
    // The limit lets them write the state, and not the log, which is longer.
    const head = writeLongLog({ file: log.file, records: 3_000, startMs: 0, everyMs: 1, key: KEY, head: NO_HEAD });
    const store = openSqliteStore(log.database, { create: false });
    await store.exclusively((transaction) => transaction.moveHead(head));
    store.close();
    const { size } = fs.statSync(log.file);
    const writer = (kind: number, end: string): Promise<Ran> =>
      run([
        ...(kind === 1 ? ['prlimit', `--fsize=${String(size)}`] : []),
        ...[process.execPath, path.join(import.meta.dirname, 'backlog-writer.ts'), log.database, log.file, '10', end],
      ]);
    const ends = ['never', 'behind its line', 'in its line'];
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => writer(i % 2, ends[i % 3] ?? '')));
    const refs = all.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line !== ''));
    assert.ok(
      all.every(({ code, stderr }) => code === 0 || stderr === ''),
      JSON.stringify(all),
    );
    assert.ok(refs.length >= 20 * 9, String(refs.length));
    await log.record();
    assert.equal(await log.waiting(), 0);
    assert.deepEqual((await log.verified()).problems, []);
    assertOnce(log, [...refs, ...log.refs]);
    report({ part: 'callers', tried: 'a writer of the log beside others, some of them limited or killed', times: all.length, failed: 0 });
  });
});

describe('a full disk under state and log', { skip: lacks({ root: true, programs: ['mount', 'umount'] }) }, () => {
  it('keeps as many records as there is room for, and has them in the log when there is space again', async () => {
    const disk = new SmallDisk(path.join(scratchFolder('backlog-disk'), 'disk'));
    const log = logged(disk.folder, 'audit');
    await log.record();
    disk.fill();
    for (let i = 0; i < ROOM; i++) await log.record();
    assert.ok((await log.waiting()) > ROOM / 2);
    disk.free();
    await log.record();
    assert.equal(await log.waiting(), 0);
    assert.deepEqual(refsIn(log), log.refs);
    assert.deepEqual((await log.verified()).problems, []);
  });

  it('let a user whose refusals were counted keep root from unlocking, replacing and revoking', async () => {
    const disk = new SmallDisk(path.join(scratchFolder('backlog-sums'), 'disk'));
    const log = logged(disk.folder, 'audit');
    await log.record({ user: 'bob' });
    const store = openSqliteStore(log.database, { create: false });
    await store.exclusively((transaction) => transaction.insert({ ...ALICE, user: 'bob' }));
    store.close();
    disk.fill();
    const own = { user: 'bob', door: 'gate', event: 'login.accepted', result: 'accepted', sharing: 'everybody' } as const;
    await assert.rejects(async () => {
      for (;;) await log.record(own);
    }, /no room for more/);
    const told: string[] = [];
    for (let i = 0; i < 12; i++) told.push(await log.refuse('bob', 'everybody'));
    const [ref] = told;
    assert.deepEqual([new Set(told).size, /^[0-9a-f]{8}$/.test(ref ?? '')], [1, true]);
    for (const other of ['00000000', await log.refuse('nobody', 'everybody')])
      assert.notEqual(ref, other, 'a reference that finds nothing');
    for (const event of ['unlock', 'replace', 'revoke'] as const) await log.record({ sharing: 'all but commands', user: 'bob', event });
    // Others go on, and their sums are none of bob's.
    await log.record({ ...own, user: 'w1' });
    await log.refuse('bob', 'everybody');
    disk.free();
    await log.record({ user: 'bob', sharing: 'all but commands' });
    assertOnce(log, log.refs);
    const lines = fs.readFileSync(log.file, 'utf8').trim().split('\n');
    const sum = JSON.parse(lines.at(-2) ?? '') as Record<string, unknown>;
    assert.deepEqual([sum['event'], sum['user'], sum['count'], sum['ref']], ['login.refused', 'bob', 13, ref]);
    assert.equal(lines.filter((line) => line.includes('"count":')).length, 1);
    assert.deepEqual((await log.verified()).problems, []);
  });
});

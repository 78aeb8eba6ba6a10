/** A database that an earlier release made is brought up to date, once, and loses nothing. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { before, beforeEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts';
import { NO_UID, type Enrolment } from '../../src/store/store.ts';
import { ROOT, run } from '../support/process.ts';
import { scratchFolder } from '../support/world.ts';
import { ALICE, NO_REFUSALS, askAndSave } from './alice.ts';

const { lastStep, bucket, spent } = ALICE.state;
/** What an earlier release knew of her. */
const EARLIER: Enrolment = { ...ALICE, digest: '', state: { lastStep, bucket, spent }, uid: NO_UID };

/** As the first release wrote it. */
const FIRST_SCHEMA = `
  CREATE TABLE chain (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
  INSERT INTO chain VALUES (1, 0, '${'0'.repeat(64)}');
  CREATE TABLE enrolment (
    user TEXT NOT NULL, context TEXT NOT NULL,
    id TEXT NOT NULL, pending_id TEXT NOT NULL, status TEXT NOT NULL,
    last_step INTEGER NOT NULL, tokens REAL NOT NULL, as_of_ms INTEGER NOT NULL, spent TEXT NOT NULL,
    pending_tokens REAL NOT NULL, pending_spent TEXT NOT NULL, last_accepted_ms INTEGER NOT NULL,
    PRIMARY KEY (user, context)) STRICT, WITHOUT ROWID;
  CREATE TABLE connection (
    user TEXT NOT NULL, context TEXT NOT NULL, slot INTEGER NOT NULL,
    id TEXT NOT NULL, pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL, boot_id TEXT NOT NULL, turn INTEGER NOT NULL,
    PRIMARY KEY (user, context, slot)) STRICT, WITHOUT ROWID;
  CREATE TABLE reserve (filler BLOB) STRICT;
  PRAGMA user_version = 1;
`;
const HEAD = { seq: 41, hash: 'a'.repeat(64) };
const CONNECTION = { pid: 100, startTicks: 5_000, bootId: 'b'.repeat(36) };

/** ALICE, with a pending file and a connection, in a database of the first release. */
function makeFirst(file: string, more = ''): void {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = PERSIST');
  database.exec(FIRST_SCHEMA + more);
  const { user, context, id, state, lastAcceptedMs } = ALICE;
  database
    .prepare("INSERT INTO enrolment VALUES (?, ?, ?, ?, 'active', ?, ?, ?, ?, 5, '', ?)")
    .run(user, context, id, 'cd'.repeat(16), state.lastStep, state.bucket.tokens, state.bucket.asOfMs, state.spent, lastAcceptedMs);
  database
    .prepare('INSERT INTO connection VALUES (?, ?, 0, ?, ?, ?, ?, 1)')
    .run(user, context, id, CONNECTION.pid, CONNECTION.startTicks, CONNECTION.bootId);
  database.prepare('UPDATE chain SET seq = ?, hash = ?').run(HEAD.seq, HEAD.hash);
  database.close();
}

function question(file: string, sql: string): unknown {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return Object.values(database.prepare(sql).get() ?? {})[0];
  } finally {
    database.close();
  }
}

describe('a database of the first release', () => {
  let folder: string;
  let file: string;
  let count = 0;
  before(() => {
    folder = scratchFolder('store-upgrade');
  });
  beforeEach(() => {
    file = path.join(folder, `${String(count++)}.db`);
  });
  const present = async (): Promise<Enrolment | undefined> => {
    const store = openSqliteStore(file, { create: false });
    const found = await store.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));
    store.close();
    return found;
  };

  it('finds the mark of an imported secret without reading all of them', () => {
    makeFirst(file);
    openSqliteStore(file, { create: false }).close();
    const database = new DatabaseSync(file, { readOnly: true });
    const plan = database
      .prepare("EXPLAIN QUERY PLAN SELECT * FROM imported WHERE uid = 1 OR mark BETWEEN 'x' AND 'y' ORDER BY mark, uid")
      .all();
    database.close();
    assert.doesNotMatch(JSON.stringify(plan), /SCAN imported/);
  });

  it('keeps its enrolments, connections and the head of the chain', async () => {
    makeFirst(file);
    const store = openSqliteStore(file, { create: false });
    await store.exclusively(async (transaction) => {
      // A new secret was under way: its state is its own.
      // Without the content of its file, which it did not register: no file counts for it.
      assert.deepEqual(await transaction.enrolment('alice', 'ssh'), { ...EARLIER, pendingId: 'cd'.repeat(16) });
      assert.deepEqual(await transaction.head(), HEAD);
      assert.equal(await transaction.remembers(ALICE, CONNECTION), true);
    });
    store.close();
    assert.equal(question(file, 'PRAGMA user_version'), 22);
    assert.equal(question(file, 'PRAGMA integrity_check'), 'ok');
  });

  it('takes afterwards what the first release did not know', async () => {
    makeFirst(file);
    const store = openSqliteStore(file, { create: false });
    const inherits: Enrolment = { ...ALICE, pendingState: {} };
    await store.exclusively(async (transaction) => {
      await askAndSave(transaction, inherits);
      await transaction.insert({ ...ALICE, user: 'bob' });
      await transaction.setCounter('id', 7);
    });
    assert.equal(await store.exclusively((transaction) => transaction.counter('id')), 7);
    store.close();
    assert.deepEqual(await present(), inherits);
  });

  it('is brought up to date once where 6 processes open it at the same time', async () => {
    makeFirst(file);
    const program = `
      import { openSqliteStore } from ${JSON.stringify(path.join(ROOT, 'src/store/sqlite/sqlite.ts'))};
      const store = openSqliteStore(process.argv[1], { create: false });
      const found = await store.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));
      console.log(found.state.lastStep);
      store.close();`;
    const ran = await Promise.all(Array.from({ length: 6 }, () => run([process.execPath, '--input-type=module', '-e', program, file])));
    for (const { code, stdout, stderr } of ran) assert.deepEqual([code, stdout], [0, `${ALICE.state.lastStep}\n`], stderr);
    assert.equal(question(file, 'PRAGMA user_version'), 22);
  });

  it('stays as it was where bringing it up to date fails', () => {
    makeFirst(file, 'CREATE TABLE counter (something TEXT);');
    assert.throws(() => openSqliteStore(file, { create: false }), { code: 'store_unavailable', message: /counter already exists/ });
    assert.equal(question(file, 'PRAGMA user_version'), 1);
    assert.equal(question(file, "SELECT count(*) FROM pragma_table_info('enrolment') WHERE name = 'pending_inherits'"), 0);
    assert.equal(question(file, 'SELECT last_step FROM enrolment'), ALICE.state.lastStep);
  });

  it('has what is pending begin before the first step, and no former keys of the chain', async () => {
    makeFirst(file);
    const store = openSqliteStore(file, { create: false });
    await store.exclusively(async (transaction) => {
      assert.equal((await transaction.enrolment('alice', 'ssh'))?.pendingState.lastStep, -1);
      assert.deepEqual(await transaction.formerChainKeys(), []);
      for (const name of ['', 'alice']) assert.deepEqual(await transaction.tally('refusals', name), { ...NO_REFUSALS, user: name });
      assert.equal((await transaction.tally('refusals', 'carol')).user, '');
      await transaction.keepChainKey(new Uint8Array(32).fill(1));
      await askAndSave(transaction, { ...ALICE, pendingState: { spent: '00' } });
    });
    store.close();
    assert.deepEqual((await present())?.pendingState, { spent: '00' });
  });
});

describe('a database of the third schema', () => {
  let file: string;
  before(() => {
    file = path.join(scratchFolder('store-third'), 'state.db');
  });

  it('keeps what is pending, whether a new secret or the same one sealed anew, and peers and counters', async () => {
    const [fresh, anew]: readonly [Enrolment, Enrolment] = [
      { ...ALICE, pendingId: 'cd'.repeat(16) },
      { ...ALICE, user: 'bob', pendingId: 'ef'.repeat(16), pendingState: {} },
    ];
    const peer = { digest: 'a'.repeat(64), acceptedMs: 1_795_000_000_000 };
    const made = openSqliteStore(file, { create: true });
    await made.exclusively(async (transaction) => {
      for (const each of [fresh, anew]) await transaction.insert(each);
      await transaction.rememberPeer(ALICE, peer);
      await transaction.setCounter('id', 7);
    });
    made.close();
    const database = new DatabaseSync(file);
    database.exec(
      'ALTER TABLE enrolment DROP COLUMN pending_period_seconds; ALTER TABLE enrolment DROP COLUMN tries; ALTER TABLE enrolment DROP COLUMN uid; ALTER TABLE chain DROP COLUMN mac; ALTER TABLE chain DROP COLUMN lacking; DROP TABLE backlog; DROP TABLE acceptances; ALTER TABLE enrolment DROP COLUMN mac; ALTER TABLE connection DROP COLUMN mac; ALTER TABLE enrolment DROP COLUMN digest; ALTER TABLE enrolment DROP COLUMN pending_digest; ALTER TABLE enrolment DROP COLUMN period_seconds; ALTER TABLE enrolment DROP COLUMN pending_last_step; DROP TABLE former_chain_key; DROP TABLE refusals; DROP TABLE sealed; DROP TABLE approved; DROP TABLE outage; DROP TABLE imported; DROP TABLE granted; DROP TABLE member; DROP TABLE rules; ALTER TABLE peer DROP COLUMN mac; PRAGMA user_version = 3',
    );
    database.close();

    const store = openSqliteStore(file, { create: false });
    await store.exclusively(async (transaction) => {
      assert.deepEqual(
        await transaction.enrolments(),
        [fresh, anew].map((each) => ({ ...each, digest: EARLIER.digest, state: EARLIER.state, uid: NO_UID })),
      );
      assert.equal(await transaction.lastAccepted(ALICE, peer.digest), peer.acceptedMs);
      assert.equal(await transaction.counter('id'), 7);
      assert.deepEqual(await transaction.formerChainKeys(), []);
      await askAndSave(transaction, { ...anew, pendingState: { spent: '0' } });
    });
    assert.deepEqual(await store.exclusively((transaction) => transaction.enrolment('bob', 'ssh')), {
      ...anew,
      pendingState: { spent: '0' },
    });
    store.close();
    assert.equal(question(file, 'PRAGMA user_version'), 22);
    assert.equal(question(file, 'PRAGMA integrity_check'), 'ok');
  });
});

describe('a database of the 20th schema', () => {
  it('loses its grants, which were of a name and of no account', async () => {
    const file = path.join(scratchFolder('store-20'), 'state.db');
    openSqliteStore(file, { create: true }).close();
    const database = new DatabaseSync(file);
    database.exec("ALTER TABLE granted DROP COLUMN uid; INSERT INTO granted VALUES ('0000000a', 'alice', 0, 1, '', '', '', 'x', 'y')");
    database.exec('DROP TABLE rules; PRAGMA user_version = 20');
    database.close();
    const store = openSqliteStore(file, { create: false });
    assert.deepEqual(await store.exclusively((transaction) => transaction.grants()), []);
    store.close();
    assert.equal(question(file, 'PRAGMA user_version'), 22);
  });
});

describe('a database of the second schema', () => {
  it('has places for eight peers of an enrolment that was made before there were any', async () => {
    const file = path.join(scratchFolder('store-second'), 'state.db');
    const made = openSqliteStore(file, { create: true });
    await made.exclusively((transaction) => transaction.insert(ALICE));
    made.close();
    const database = new DatabaseSync(file);
    database.exec(
      'ALTER TABLE enrolment DROP COLUMN pending_period_seconds; ALTER TABLE enrolment DROP COLUMN tries; ALTER TABLE enrolment DROP COLUMN uid; ALTER TABLE chain DROP COLUMN mac; ALTER TABLE chain DROP COLUMN lacking; DROP TABLE backlog; DROP TABLE acceptances; ALTER TABLE enrolment DROP COLUMN mac; ALTER TABLE connection DROP COLUMN mac; ALTER TABLE enrolment DROP COLUMN digest; ALTER TABLE enrolment DROP COLUMN pending_digest; ALTER TABLE enrolment DROP COLUMN period_seconds; ALTER TABLE enrolment DROP COLUMN pending_last_step; DROP TABLE former_chain_key; DROP TABLE refusals',
    );
    database.exec(
      'DROP TABLE peer; DROP TABLE sealed; DROP TABLE approved; DROP TABLE outage; DROP TABLE imported; DROP TABLE granted; DROP TABLE member; DROP TABLE rules; PRAGMA user_version = 2',
    );
    database.close();
    const store = openSqliteStore(file, { create: false });
    await store.exclusively(async (transaction) => {
      assert.deepEqual(await transaction.enrolment('alice', 'ssh'), EARLIER);
      const digests = Array.from({ length: 8 }, (_, i) => String(i).repeat(64));
      for (const digest of digests) await transaction.rememberPeer(ALICE, { digest, acceptedMs: 1 });
      for (const digest of digests) assert.equal(await transaction.lastAccepted(ALICE, digest), 1);
    });
    store.close();
  });
});

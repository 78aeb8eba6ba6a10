/** The store of a fleet: many hosts in one database, and a server that is dead, slow, strange or read-only. */
import assert from 'node:assert/strict';
import * as net from 'node:net';
import { before, beforeEach, describe, it } from 'node:test';
import type { PostgresPlace } from '../../src/store/postgres/session.ts';
import { migratePostgresStore, openPostgresStore } from '../../src/store/postgres/postgres.ts';
import { uptimeMs } from '../../src/store/clock.ts';
import type { Store } from '../../src/store/store.ts';
import { isUnreached } from '../../src/store/unreached.ts';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { run, sleep } from '../support/process.ts';
import { ALICE, NO_REFUSALS, askAndSave } from './alice.ts';
import { knownLog, placeOf } from './engines.ts';

/** Longer than any decision waits. */
const BOUND_MS = 40_000;

let server: Postgres;
let database: string;
let count = 0;
const open = (thisHost: string, change: Partial<PostgresPlace> = {}): Store =>
  openPostgresStore({ ...placeOf(server, database, thisHost), ...change });
const head = (store: Store): Promise<{ seq: number }> => store.exclusively((transaction) => transaction.head());

describe('a store that many hosts share', { skip: lacksPostgres() }, () => {
  before(async () => {
    server = await startPostgres('fleet');
  });
  beforeEach(async () => {
    database = `fleet${String(count++)}`;
    server.createDatabase(database);
    await migratePostgresStore(placeOf(server, database));
  });

  it('has the enrolments of all, and the former keys of their chains, and a chain and counts of refusals for each', async () => {
    const [one, two] = [open('one'), open('two')];
    await one.exclusively(async (transaction) => {
      await transaction.insert(ALICE);
      await transaction.moveHead({ seq: 7, hash: 'a'.repeat(64) });
      await transaction.keepChainKey(new Uint8Array(32).fill(1));
      await transaction.saveTally('refusals', { ...NO_REFUSALS, user: 'alice', count: 3 });
    });
    await two.exclusively(async (transaction) => {
      assert.deepEqual(await transaction.enrolment('alice', 'ssh'), ALICE);
      assert.equal((await transaction.head()).seq, 0);
      assert.deepEqual(await transaction.formerChainKeys(), [new Uint8Array(32).fill(1)]);
      // Also of a user who was enrolled elsewhere.
      assert.deepEqual(await transaction.tally('refusals', 'alice'), { ...NO_REFUSALS, user: 'alice' });
      assert.deepEqual(await transaction.tally('refusals', 'mallory'), { ...NO_REFUSALS, user: '' });
      await transaction.saveTally('refusals', { ...NO_REFUSALS, user: 'alice', count: 5 });
      await transaction.moveHead({ seq: 1, hash: 'b'.repeat(64) });
    });
    await one.exclusively(async (transaction) => {
      assert.deepEqual([(await transaction.head()).seq, (await transaction.tally('refusals', 'alice')).count], [7, 3]);
    });
    for (const store of [one, two]) store.close();
  });

  it('said that something had failed before, and not what', async () => {
    const store = open('one');
    const raising = `CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no room for you''; END';
      CREATE TRIGGER say BEFORE INSERT ON notp.enrolment FOR EACH ROW EXECUTE FUNCTION say()`;
    server.sql(raising, database);
    await assert.rejects(
      store.exclusively(async (transaction) => {
        await transaction.insert(ALICE);
        await transaction.moveHead({ seq: 1, hash: 'a'.repeat(64) });
        await transaction.enrolmentsOf('alice');
      }),
      /no room for you/,
    );
    store.close();
  });

  it('finds the mark of an imported secret without reading all of them', () => {
    const asked = "SELECT * FROM notp.imported WHERE uid = 1 OR mark = 'x' ORDER BY mark, uid FOR UPDATE";
    // An empty table is read as a whole otherwise.
    assert.match(server.sql(`SET enable_seqscan TO off; EXPLAIN ${asked}`, database), /Index Scan on imported_mark/);
  });

  it('lets one at a time write to a log, whatever its host is called by now: under two names two did', async () => {
    const log = { log: knownLog('log') };
    const stores = [open('earlier', log), open('later', log), open('earlier', log)];
    let inside = 0;
    const alone = (store: Store): Promise<void> =>
      store.exclusively(async (transaction) => {
        await transaction.head();
        assert.equal(++inside, 1);
        await sleep(200);
        inside--;
      });
    await Promise.all(stores.map(alone));
    const other = open('other');
    await stores[0]?.exclusively(async (transaction) => {
      await transaction.head();
      await head(other);
    });
    for (const store of [...stores, other]) store.close();
  });

  it('took a log for that of another host that a second process of the same host had begun while this one waited', async () => {
    let kept: string | undefined;
    const log: PostgresPlace['log'] = { name: '', id: () => kept, hasRecords: () => false, keep: (id) => (kept = id) };
    const looked = Promise.withResolvers<string | undefined>();
    const id = (): string | undefined => {
      looked.resolve(kept);
      return kept;
    };
    const [one, other] = [open('one', { log }), open('one', { log: { ...log, id } })];
    let waiting: Promise<{ seq: number }> | undefined;
    await one.exclusively(async (transaction) => {
      await transaction.head();
      waiting = head(other);
      assert.equal(await looked.promise, undefined);
      await transaction.keepLogId();
      await transaction.moveHead({ seq: 1, hash: 'a'.repeat(64) });
    });
    assert.equal((await waiting)?.seq, 1);
    for (const store of [one, other]) store.close();
  });

  it('took a log for one of another store that a second process of the same host had begun since the id was looked for', async () => {
    const first = open('one', { log: knownLog('begun') });
    await first.exclusively((transaction) => transaction.moveHead({ seq: 2, hash: 'a'.repeat(64) }));
    let reads = 0;
    const log = { ...knownLog('begun'), id: () => (reads++ === 0 ? undefined : 'begun'), hasRecords: () => true };
    const late = open('one', { log });
    assert.equal((await head(late)).seq, 2);
    for (const store of [first, late]) store.close();
  });

  it('is reached where another transaction holds the lock: an approved user got in by the copy meanwhile', async () => {
    const [waiting, holding] = [open('one', { deadlineMs: 1_500 }), open('one')];
    await head(waiting);
    const held = holding.exclusively(async (transaction) => {
      await transaction.head();
      await sleep(4_000);
    });
    await sleep(200);
    const error = await head(waiting).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof Error);
    assert.equal(isUnreached(error), false);
    await held;
    for (const store of [waiting, holding]) store.close();
  });

  it('lets one host at a time look at a user: none of 4 hosts × 25 increments is lost, and other users do not wait', async () => {
    const hosts = ['one', 'two', 'three', 'four'].map((name) => open(name));
    const [first] = hosts;
    assert.ok(first !== undefined);
    await first.exclusively((transaction) => transaction.insert({ ...ALICE, state: { ...ALICE.state, lastStep: 0 } }));
    await Promise.all(
      hosts.map(async (store) => {
        for (let i = 0; i < 25; i++) await increment(store);
      }),
    );
    const after = await first.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));
    assert.equal(after?.state.lastStep, 100);
    await first.exclusively((transaction) => transaction.insert({ ...ALICE, user: 'bob' }));
    const [holds, other] = [hosts[1], hosts[2]];
    let free = false;
    const held = holds?.exclusively(async (transaction) => {
      await transaction.enrolmentsOf('alice');
      await other?.exclusively((second) => second.enrolmentsOf('bob'));
      free = true;
    });
    await held;
    assert.ok(free);
    for (const store of hosts) store.close();
  });

  it('lets two hosts that enrol the same user at once do it once', async () => {
    const hosts = ['one', 'two'].map((name) => open(name));
    const outcomes = await Promise.all(
      hosts.map((store) =>
        store.exclusively(async (transaction) => {
          if ((await transaction.enrolment('alice', 'ssh')) !== undefined) return 'there';
          await sleep(50);
          await transaction.insert(ALICE);
          return 'made';
        }),
      ),
    );
    assert.deepEqual(outcomes.toSorted(), ['made', 'there']);
    for (const store of hosts) store.close();
  });

  it('goes on after a host that was lost in a transaction, and where the connection was cut between two', async () => {
    const [lost, store] = [open('one'), open('two')];
    await lost.exclusively((transaction) => transaction.insert(ALICE));
    const broken = lost.exclusively(async (transaction) => {
      await askAndSave(transaction, { ...ALICE, id: 'changed' });
      server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`);
      await transaction.head();
    });
    await assert.rejects(broken, { code: 'store_unavailable' });
    for (const each of [lost, store])
      assert.deepEqual(await each.exclusively((transaction) => transaction.enrolment('alice', 'ssh')), ALICE);
    server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`);
    for (const each of [lost, store]) assert.equal((await head(each)).seq, 0);
    for (const each of [lost, store]) each.close();
  });

  it('asks the server twice for a decision: for what it is made on, and to keep what came of it', async () => {
    const { port, turns, close } = await countingTurns(server.port);
    const store = open('one', { servers: [{ host: '127.0.0.1', port }], tls: false });
    await store.exclusively((transaction) => transaction.insert(ALICE));
    const earlier = turns();
    await store.exclusively(async (transaction) => {
      for (const found of await transaction.enrolmentsOf('alice')) {
        await transaction.save({ ...found, id: 'changed' });
        await transaction.remember(found, { pid: 1, startTicks: 2, bootId: 'boot' });
        assert.equal((await transaction.tally('refusals', 'alice')).count, 0);
        const { seq, hash } = await transaction.head();
        await transaction.moveHead({ seq: seq + 1, hash });
      }
    });
    assert.equal(turns() - earlier, 2);
    assert.equal((await store.exclusively((transaction) => transaction.enrolment('alice', 'ssh')))?.id, 'changed');
    store.close();
    close();
  });

  it('is not committed where a statement failed and the work went on', async () => {
    const store = open('one');
    await store.exclusively((transaction) => transaction.insert(ALICE));
    const went = store.exclusively(async (transaction) => {
      await transaction.moveHead({ seq: 9, hash: 'x' });
      await transaction.insert(ALICE).catch(() => undefined);
      return 'done';
    });
    await assert.rejects(went, { code: 'store_unavailable', message: /did not commit|duplicate key/ });
    assert.equal((await head(store)).seq, 0);
    store.close();
  });

  it('waits for a standby that the server waits for, also where the server does not by default', async () => {
    const store = open('one');
    await head(store);
    server.sql("ALTER SYSTEM SET synchronous_standby_names TO 'nobody'");
    // Each alone: the end of what is in one with the reload would wait for nobody, too.
    server.sql(`ALTER DATABASE ${database} SET synchronous_commit TO off`);
    server.sql('SELECT pg_reload_conf()');
    for (let tries = 0; server.sql('SHOW synchronous_standby_names') !== 'nobody'; tries++) {
      assert.ok(tries < 100, 'the server does not read its settings again');
      await sleep(100);
    }
    // It is the checkpointer who makes commits wait, and it reads the settings before it makes one.
    server.sql('CHECKPOINT');
    await assert.rejects(
      store.exclusively((transaction) => transaction.insert(ALICE)),
      {
        code: 'store_unavailable',
        message: /no answer in 20 seconds/,
      },
    );
    server.sql('ALTER SYSTEM RESET synchronous_standby_names');
    server.sql('SELECT pg_reload_conf()');
    assert.equal((await head(store)).seq, 0);
    store.close();
  });
});

describe('a server that is not as it should be', { skip: lacksPostgres() }, () => {
  before(async () => {
    server = await startPostgres('outage');
  });
  beforeEach(async () => {
    database = `outage${String(count++)}`;
    server.createDatabase(database);
    await migratePostgresStore(placeOf(server, database));
  });

  it('is refused where it has no tables, and where they are of a newer notp', async () => {
    const empty = `empty${String(count++)}`;
    server.createDatabase(empty);
    assert.match(await refuses(open('one', { database: empty }), /\/empty\d+: it has no tables of notp/), /notp store migrate/);
    server.sql('UPDATE notp.version SET version = 99', database);
    const newer = /its schema 99 is of a newer notp/;
    await assert.rejects(head(open('one')), newer);
    await assert.rejects(migratePostgresStore(placeOf(server, database)), newer);
  });

  it('is refused where it is not who it should be, or does not know us', async () => {
    await refuses(open('one', { authorities: undefined }), /self-signed certificate/);
    await refuses(open('one', { servers: [{ host: '127.0.0.2', port: server.port }] }), /ECONNREFUSED|does not match|altnames/);
    await refuses(open('one', { password: () => 'wrong' }), /password authentication failed/);
    await refuses(open('one', { password: () => undefined }), /password/);
    await refuses(open('one', { database: 'none' }), /database "none" does not exist/);
  });

  it('is passed over for one that takes writes', async () => {
    const { port } = server;
    const store = open('one', {
      servers: [
        { host: '127.0.0.1', port: 1 },
        { host: '127.0.0.1', port },
      ],
    });
    assert.equal((await head(store)).seq, 0);
    store.close();
    server.sql(`ALTER DATABASE ${database} SET default_transaction_read_only TO on`);
    assert.match(await refuses(open('one'), /it takes no writes/), /accepts writes/);
  });

  it('is not waited for longer than a decision may take, where it is dead, stands still, or another host holds the user', async () => {
    const store = open('one');
    await store.exclusively((transaction) => transaction.insert(ALICE));
    const holding = run(server.psql('BEGIN; SELECT * FROM notp.enrolment FOR UPDATE; SELECT pg_sleep(23)', database));
    await sleep(500);
    await assert.rejects(
      store.exclusively((transaction) => transaction.enrolmentsOf('alice')),
      { code: 'store_unavailable', message: /no answer in 20 seconds|statement timeout/ },
    );
    await assert.rejects(
      store.exclusively((transaction) => transaction.enrolmentsOf('alice'), uptimeMs() + 900),
      { code: 'store_unavailable', message: /no answer in 1 seconds/ },
    );
    await assert.rejects(store.sealedFiles('alice', uptimeMs()), { code: 'store_unavailable', message: /took too long/ });
    await holding;
    assert.equal((await head(store)).seq, 0, 'it is well again');
    await server.stop('SIGSTOP');
    await refuses(store, /no answer in 20 seconds|timeout/);
    await server.stop();
    await refuses(open('one'), /ECONNREFUSED/);
    await server.start();
    const again = open('one');
    assert.deepEqual(await again.exclusively((transaction) => transaction.enrolment('alice', 'ssh')), ALICE);
    again.close();
  });
});

async function increment(store: Store): Promise<void> {
  await store.exclusively(async (transaction) => {
    const found = (await transaction.enrolmentsOf('alice'))[0] ?? ALICE;
    await sleep(1);
    await transaction.save({ ...found, state: { ...found.state, lastStep: found.state.lastStep + 1 } });
  });
}

/** A port that leads to `to`, and how often something was said there after an answer. */
async function countingTurns(to: number): Promise<{ port: number; turns: () => number; close: () => void }> {
  let [turns, isAnswered] = [0, true];
  const proxy = net.createServer((client) => {
    const onward = net.connect(to, '127.0.0.1');
    client.on('data', () => {
      if (isAnswered) turns++;
      isAnswered = false;
    });
    onward.on('data', () => (isAnswered = true));
    client.pipe(onward).pipe(client);
    for (const each of [client, onward]) each.on('error', () => each.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return { port: (proxy.address() as net.AddressInfo).port, turns: () => turns, close: () => void proxy.close() };
}

/** Refused within the bound, with what the message is to say; gives the hint. */
async function refuses(store: Store, message: RegExp): Promise<string> {
  const began = Date.now();
  let hint = '';
  await assert.rejects(head(store), (error: Error & { code?: string; hint?: string }) => {
    assert.equal(error.code, 'store_unavailable');
    assert.match(error.message, message);
    hint = error.hint ?? '';
    return true;
  });
  assert.ok(Date.now() - began < BOUND_MS);
  store.close();
  return hint;
}

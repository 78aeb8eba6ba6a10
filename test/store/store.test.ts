/** What a transaction of a store promises, across processes and crashes, in each database. */
import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Enrolment, Store } from '../../src/store/store.ts';
import { run } from '../support/process.ts';
import { ALICE, NO_REFUSALS, askAndSave } from './alice.ts';
import { ENGINES, type Database } from './engines.ts';

for (const { name: engine, skip, ready } of ENGINES)
  describe(`a store in ${engine}`, { skip }, () => {
    let make: () => Promise<Database>;
    let database: Database;
    let store: Store;
    before(async () => {
      make = await ready('store');
    });
    beforeEach(async () => {
      database = await make();
      store = database.open();
    });
    afterEach(() => {
      store.close();
    });
    const present = (from = store): Promise<Enrolment | undefined> =>
      from.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));

    it('gives back what was put in, also when it is opened again', async () => {
      assert.equal(await present(), undefined);
      await store.exclusively((transaction) => transaction.insert(ALICE));
      assert.deepEqual(await present(), ALICE);
      const saved: Enrolment = { ...ALICE, status: 'revoked', pendingId: 'cd'.repeat(16), lastAcceptedMs: 5 };
      await store.exclusively(async (transaction) => {
        await askAndSave(transaction, saved);
        await transaction.moveHead({ seq: 3, hash: 'f'.repeat(64) });
      });
      const again = database.open();
      assert.deepEqual(await present(again), saved);
      assert.deepEqual(await again.exclusively((transaction) => transaction.head()), { seq: 3, hash: 'f'.repeat(64) });
      again.close();
    });

    it('keeps users and contexts apart', async () => {
      const others: Enrolment[] = [
        { ...ALICE, user: 'bob' },
        { ...ALICE, context: 'deploy' },
      ];
      for (const each of [ALICE, ...others]) await store.exclusively((transaction) => transaction.insert(each));
      await store.exclusively((transaction) => askAndSave(transaction, { ...ALICE, state: { ...ALICE.state, lastStep: 1 } }));
      for (const each of others) {
        assert.deepEqual(await store.exclusively((transaction) => transaction.enrolment(each.user, each.context)), each);
      }
    });

    it('counts refusals by user, and those of all who are not enrolled together', async () => {
      await store.exclusively((transaction) => transaction.insert(ALICE));
      await store.exclusively((transaction) => transaction.insert({ ...ALICE, context: 'deploy' }));
      const records = { tokens: 1.5, asOfMs: 1_795_000_000_000 };
      const counted = {
        records,
        count: 7,
        sinceMs: 1_795_000_000_001,
        untilMs: 1_795_000_000_002,
        ref: '1a2b3c4d',
        shared: '{"rhost":"192.0.2.7"}',
      };
      await store.exclusively(async (transaction) => {
        assert.deepEqual(await transaction.tally('refusals', 'alice'), { ...NO_REFUSALS, user: 'alice' });
        await transaction.saveTally('refusals', { ...counted, user: 'alice' });
        await transaction.saveTally('acceptances', { ...counted, user: 'alice', count: 8 });
      });
      await store.exclusively(async (transaction) => {
        assert.deepEqual(await transaction.tally('acceptances', 'alice'), { ...counted, user: 'alice', count: 8 });
        await transaction.enrolmentsOf('alice');
        assert.deepEqual(await transaction.tally('acceptances', 'alice'), { ...counted, user: 'alice', count: 8 });
        assert.deepEqual(await transaction.tally('refusals', 'alice'), { ...counted, user: 'alice' });
        for (const name of ['root', 'guest']) assert.deepEqual(await transaction.tally('refusals', name), { ...NO_REFUSALS, user: '' });
        // Enrolling once more does not make it forget.
        await transaction.insert({ ...ALICE, context: 'backup' });
        assert.equal((await transaction.tally('refusals', 'alice')).count, 7);
      });
    });

    it('undoes everything where the work throws, and goes on afterwards', async () => {
      await store.exclusively((transaction) => transaction.insert(ALICE));
      const broken = store.exclusively(async (transaction) => {
        await askAndSave(transaction, { ...ALICE, id: 'changed' });
        await transaction.moveHead({ seq: 9, hash: 'changed' });
        throw new Error('the audit log is full');
      });
      await assert.rejects(broken, /the audit log is full/);
      assert.deepEqual(await present(), ALICE);
      assert.equal((await store.exclusively((transaction) => transaction.head())).seq, 0);
    });

    it('undoes everything where a statement fails, and names the file', async () => {
      await store.exclusively((transaction) => transaction.insert(ALICE));
      const twice = store.exclusively(async (transaction) => {
        await transaction.moveHead({ seq: 9, hash: 'changed' });
        await transaction.insert(ALICE);
      });
      await assert.rejects(twice, (error: Error) => {
        assert.equal((error as Error & { code: string }).code, 'store_unavailable');
        assert.ok(error.message.startsWith(`${database.name}: `));
        return true;
      });
      assert.equal((await store.exclusively((transaction) => transaction.head())).seq, 0);
    });

    it('lets one process in at a time: none of 4 processes × 25 increments is lost', async () => {
      const program = `
      ${database.opening}
      for (let i = 0; i < 25; i++) {
        await store.exclusively(async (transaction) => {
          const { seq, hash } = await transaction.head();
          await new Promise((resolve) => setTimeout(resolve, 1));
          await transaction.moveHead({ seq: seq + 1, hash });
        });
      }
      store.close();`;
      const ran = await Promise.all(Array.from({ length: 4 }, () => run([process.execPath, '--input-type=module', '-e', program])));
      for (const { code, stderr } of ran) assert.equal(code, 0, stderr);
      assert.equal((await store.exclusively((transaction) => transaction.head())).seq, 100);
    });

    it('forgets the transaction of a process that was killed in it', async () => {
      await store.exclusively((transaction) => transaction.insert(ALICE));
      const program = `
      ${database.opening}
      await store.exclusively(async (transaction) => {
        await transaction.moveHead({ seq: 99, hash: 'killed' });
        process.kill(process.pid, 'SIGKILL');
        await new Promise((resolve) => setTimeout(resolve, 10_000));
      });`;
      const { signal } = await run([process.execPath, '--input-type=module', '-e', program]);
      assert.equal(signal, 'SIGKILL');
      assert.equal((await store.exclusively((transaction) => transaction.head())).seq, 0);
      assert.deepEqual(await present(), ALICE);
    });

    it('remembers eight connections of an enrolment, and forgets the oldest for a ninth', async () => {
      await store.exclusively((transaction) => transaction.insert(ALICE));
      const connections = Array.from({ length: 9 }, (_, i) => ({ pid: 100 + i, startTicks: 5_000 + i, bootId: 'b'.repeat(36) }));
      const [first, ...later] = connections;
      assert.ok(first !== undefined);
      const remembers = (enrolment: Enrolment, connection: typeof first): Promise<boolean> =>
        store.exclusively((transaction) => transaction.remembers(enrolment, connection));
      for (const connection of connections.slice(0, 8)) {
        assert.equal(await remembers(ALICE, connection), false);
        await store.exclusively((transaction) => transaction.remember(ALICE, connection));
      }
      for (const connection of connections.slice(0, 8)) assert.equal(await remembers(ALICE, connection), true);
      await store.exclusively((transaction) => transaction.remember(ALICE, connections[8] ?? first));
      assert.equal(await remembers(ALICE, first), false);
      for (const connection of later) assert.equal(await remembers(ALICE, connection), true);
    });

    it('takes a connection for another when pid, start time, boot or enrolment differ', async () => {
      await store.exclusively((transaction) => transaction.insert(ALICE));
      const connection = { pid: 100, startTicks: 5_000, bootId: 'b'.repeat(36) };
      await store.exclusively((transaction) => transaction.remember(ALICE, connection));
      const others = [
        { ...connection, pid: 101 },
        { ...connection, startTicks: 5_001 },
        { ...connection, bootId: 'c'.repeat(36) },
      ];
      await store.exclusively(async (transaction) => {
        for (const other of others) assert.equal(await transaction.remembers(ALICE, other), false);
        assert.equal(await transaction.remembers({ ...ALICE, id: 'cd'.repeat(16) }, connection), false, 'a new enrolment');
        assert.equal(await transaction.remembers({ ...ALICE, context: 'deploy' }, connection), false);
      });
    });
  });

/** What is kept for outages of the server of a fleet: whom hosts may let in meanwhile, and the records of what they decided. */
import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Store } from '../../src/store/store.ts';
import { ALICE } from './alice.ts';
import { ENGINES, type Database } from './engines.ts';

const BOB = { ...ALICE, user: 'bob' };

for (const { name, skip, ready } of ENGINES)
  describe(`outages in ${name}`, { skip }, () => {
    let make: () => Promise<Database>;
    let store: Store;
    before(async () => {
      make = await ready('outage');
    });
    beforeEach(async () => {
      store = (await make()).open();
    });
    afterEach(() => {
      store.close();
    });

    it('know who is approved, and as of when', async () => {
      await store.exclusively(async (transaction) => {
        assert.deepEqual(await transaction.approved(), []);
        await transaction.approve({ user: 'bob', asOfMs: 1 });
        await transaction.approve({ user: 'alice', asOfMs: 1_700_000_000_123 });
        await transaction.approve({ user: 'bob', asOfMs: 2 });
      });
      const approved = await store.exclusively((transaction) => transaction.approved());
      assert.deepEqual(approved, [
        { user: 'alice', asOfMs: 1_700_000_000_123 },
        { user: 'bob', asOfMs: 2 },
      ]);
      await store.exclusively((transaction) => transaction.disapprove('bob'));
      assert.deepEqual((await store.exclusively((transaction) => transaction.approved())).length, 1);
    });

    it('keep each record once, in the order of their chain, until it is dropped', async () => {
      const records = [3, 1, 20].map((seq) => ({ id: `h${String(seq)}`, seq, text: `{"seq":"é${String(seq)}"}` }));
      const [three, one, twenty] = records;
      await store.exclusively(async (transaction) => {
        for (const record of records) assert.equal(await transaction.keepOutageRecord(record), true);
        for (const record of records) assert.equal(await transaction.keepOutageRecord({ ...record, text: 'other' }), false);
      });
      const kept = (limit: number): Promise<unknown> => store.exclusively((transaction) => transaction.outageRecords(limit));
      assert.deepEqual(await kept(10), [one, three, twenty]);
      assert.deepEqual(await kept(1), [one]);
      await store.exclusively((transaction) => transaction.dropOutageRecord('h1'));
      assert.deepEqual(await kept(10), [three, twenty]);
    });

    it('forget a user, and nobody else', async () => {
      await store.exclusively(async (transaction) => {
        for (const each of [ALICE, BOB]) {
          await transaction.insert(each);
          await transaction.putSealed(each.user, each.context, 'sealed');
          await transaction.approve({ user: each.user, asOfMs: 1 });
        }
        await transaction.keepOutageRecord({ id: 'a', seq: 1, text: '{}' });
        await transaction.forget('alice');
      });
      await store.exclusively(async (transaction) => {
        assert.deepEqual(await transaction.enrolmentsOf('alice'), []);
        assert.deepEqual(await transaction.enrolmentsOf('bob'), [BOB]);
        assert.equal(await transaction.sealed('alice', ALICE.context), undefined);
        assert.equal(await transaction.sealed('bob', BOB.context), 'sealed');
        assert.deepEqual(await transaction.approved(), [{ user: 'bob', asOfMs: 1 }]);
        assert.equal((await transaction.outageRecords(9)).length, 1);
        await transaction.insert(ALICE);
      });
    });
  });

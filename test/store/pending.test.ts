/** What the store keeps of changes that are under way, and of keys that were replaced. */
import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Enrolment, Store } from '../../src/store/store.ts';
import { ALICE, askAndSave } from './alice.ts';
import { ENGINES, type Database } from './engines.ts';

for (const { name, skip, ready } of ENGINES)
  describe(`a store in ${name}`, { skip }, () => {
    let make: () => Promise<Database>;
    let database: Database;
    let store: Store;
    before(async () => {
      make = await ready('pending');
    });
    beforeEach(async () => {
      database = await make();
      store = database.open();
    });
    afterEach(() => {
      store.close();
    });
    const present = (): Promise<Enrolment | undefined> => store.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));

    it('keeps that a pending file goes on with the state there is, or begins with one of its own', async () => {
      const inherits: Enrolment = { ...ALICE, pendingId: 'cd'.repeat(16), pendingState: {} };
      await store.exclusively((transaction) => transaction.insert(inherits));
      assert.deepEqual(await present(), inherits);
      await store.exclusively((transaction) => askAndSave(transaction, { ...ALICE, pendingId: 'ef'.repeat(16) }));
      assert.deepEqual(await present(), { ...ALICE, pendingId: 'ef'.repeat(16) });
      await store.exclusively((transaction) => askAndSave(transaction, inherits));
      assert.deepEqual(await present(), inherits);
    });

    it('keeps what a pending file starts with: new recovery codes alone, or the counter of a token', async () => {
      const pending = { ...ALICE, pendingId: 'cd'.repeat(16) };
      const states: readonly Enrolment['pendingState'][] = [
        { spent: '0000' },
        { spent: '' },
        { ...ALICE.pendingState, ...{ lastStep: 41, bucket: { tokens: 5, asOfMs: ALICE.state.bucket.asOfMs }, spent: '00' } },
        { lastStep: -1, bucket: ALICE.state.bucket, spent: '' },
        {},
      ];
      await store.exclusively((transaction) => transaction.insert({ ...pending, pendingState: { spent: '1' } }));
      assert.deepEqual(await present(), { ...pending, pendingState: { spent: '1' } });
      for (const pendingState of states) {
        await store.exclusively((transaction) => askAndSave(transaction, { ...pending, pendingState }));
        assert.deepEqual(await present(), { ...pending, pendingState });
      }
    });

    it('keeps the keys that the audit chain had before, each once', async () => {
      const keys = [9, 3, 255].map((byte) => new Uint8Array(32).fill(byte));
      assert.deepEqual(await kept(store), []);
      for (const key of [...keys, ...keys]) await store.exclusively((transaction) => transaction.keepChainKey(key));
      const again = database.open();
      assert.deepEqual(
        await kept(again),
        [3, 9, 255].map((byte) => new Uint8Array(32).fill(byte)),
      );
      await assert.rejects(
        again.exclusively(async (transaction) => {
          await transaction.keepChainKey(new Uint8Array(32));
          throw new Error('the key was not changed');
        }),
        /not changed/,
      );
      assert.equal((await kept(again)).length, 3);
      again.close();
    });
  });

function kept(store: Store): Promise<readonly Uint8Array[]> {
  return store.exclusively((transaction) => transaction.formerChainKeys());
}

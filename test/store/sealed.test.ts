/** Sealed files that the store keeps: written and dropped with the enrolment, and read without waiting for anybody. */
import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import type { KeptFile, Store } from '../../src/store/store.ts';
import { ENGINES, type Database } from './engines.ts';

const alice = (context: string, text: string): KeptFile => ({ user: 'alice', context, text });

for (const { name, skip, ready } of ENGINES)
  describe(`the sealed files in ${name}`, { skip }, () => {
    let make: () => Promise<Database>;
    let database: Database;
    let store: Store;
    before(async () => {
      make = await ready('sealed');
    });
    beforeEach(async () => {
      database = await make();
      store = database.open();
    });
    afterEach(() => {
      store.close();
    });
    const put = (user: string, context: string, text: string): Promise<void> =>
      store.exclusively((transaction) => transaction.putSealed(user, context, text));

    it('are of a user and a context, and the last one stays', async () => {
      assert.deepEqual(await store.sealedFiles('alice'), []);
      await put('alice', 'ssh', 'first');
      await put('alice', 'ssh', 'second\nwith "quotes", é');
      await put('alice', 'phone', 'another');
      await put('bob', 'ssh', "bob's");
      assert.deepEqual(await store.sealedFiles('alice'), [alice('phone', 'another'), alice('ssh', 'second\nwith "quotes", é')]);
      const [ssh, none] = await store.exclusively(async (transaction) => [
        await transaction.sealed('bob', 'ssh'),
        await transaction.sealed('bob', 'phone'),
      ]);
      assert.deepEqual([ssh, none], ["bob's", undefined]);
    });

    it('are dropped, each alone', async () => {
      await put('alice', 'ssh', 'a');
      await put('alice', 'phone', 'b');
      await store.exclusively((transaction) => transaction.dropSealed('alice', 'ssh'));
      assert.deepEqual(await store.sealedFiles('alice'), [alice('phone', 'b')]);
    });

    it('are as they were where the work throws', async () => {
      await put('alice', 'ssh', 'a');
      await assert.rejects(
        store.exclusively(async (transaction) => {
          await transaction.putSealed('alice', 'ssh', 'b');
          throw new Error('not shown');
        }),
        /not shown/,
      );
      assert.deepEqual(await store.sealedFiles('alice'), [alice('ssh', 'a')]);
    });

    it('are read on another connection, those of everybody too', async () => {
      await put('bob', 'ssh', 'b');
      await put('alice', 'ssh', 'a');
      const other = database.open();
      assert.deepEqual(await other.sealedFiles(), [alice('ssh', 'a'), { user: 'bob', context: 'ssh', text: 'b' }]);
      other.close();
    });
  });

/** The table of grants: as they were made, of one user or of all, until they are dropped; and known as forged where somebody changed one. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import type { RowSeal } from '../../src/store/row-seal.ts';
import type { KeptRules, Store } from '../../src/store/store.ts';
import type { Grant } from '../../src/verdict/grants.ts';
import { ENGINES, type Database } from './engines.ts';

const ONE: Grant = {
  ...{ id: '00000001', user: 'alice', uid: 1000, madeMs: 1_795_000_000_000, untilMs: 1_795_007_200_000 },
  ...{ from: '2001:db8::/32', key: 'ab'.repeat(32), service: 'sshd', reason: 'ticket ÖPS-12; "quoted"' },
};
const SOONER: Grant = { ...ONE, id: '00000002', untilMs: ONE.madeMs + 1, from: '', key: '', service: '' };
const BOBS: Grant = { ...ONE, id: '00000003', user: 'bob' };
const COLUMNS = ['id', 'user', 'uid', 'as_of_ms', 'until_ms', 'address', 'key', 'service', 'reason', 'mac'] as const;

function sealWith(...keys: readonly string[]): RowSeal {
  const macs = (row: Uint8Array): string[] => keys.map((key) => createHmac('sha256', key).update(row).digest('hex'));
  return { sign: (row) => macs(row)[0] ?? '', doubt: (row, mac) => (macs(row).includes(mac) ? undefined : 'forged') };
}

for (const { name, skip, ready } of ENGINES)
  describe(`grants in ${name}`, { skip }, () => {
    let make: () => Promise<Database>;
    let database: Database;
    let store: Store;
    before(async () => {
      make = await ready('grants');
    });
    beforeEach(async () => {
      database = await make();
      store = database.open(sealWith('key'));
      await store.exclusively(async (transaction) => {
        for (const each of [ONE, SOONER, BOBS]) await transaction.keepGrant(each);
      });
    });
    afterEach(() => {
      store.close();
    });
    const all = (): Promise<readonly Grant[]> => store.exclusively((transaction) => transaction.grants());
    const rules = (): Promise<KeptRules | undefined> => store.exclusively((transaction) => transaction.keptRules());
    const put = (some: KeptRules): Promise<void> => store.exclusively((transaction) => transaction.putRules(some));

    it('are read as they were made, by user and end', async () => {
      assert.deepEqual(await all(), [SOONER, ONE, BOBS]);
      await store.exclusively(async (transaction) => {
        assert.deepEqual(await transaction.grantsOf('alice'), [SOONER, ONE]);
        assert.deepEqual(await transaction.grantsOf('carol'), []);
      });
    });

    it('are dropped by their id, and it is never given twice', async () => {
      await store.exclusively((transaction) => transaction.dropGrant(ONE.id));
      assert.deepEqual(await all(), [SOONER, BOBS]);
      await assert.rejects(
        store.exclusively((transaction) => transaction.keepGrant({ ...SOONER, user: 'bob' })),
        { code: 'store_unavailable' },
      );
      assert.deepEqual(await all(), [SOONER, BOBS]);
    });

    it('are known as forged where any column was changed', async () => {
      for (const column of COLUMNS) {
        const value = column.endsWith('_ms') || column === 'uid' ? `${column} + 1` : "'00000009'";
        database.sql('CREATE TABLE kept AS SELECT * FROM granted');
        database.sql(`UPDATE granted SET "${column}" = ${value} WHERE id = '${ONE.id}'`);
        const doubts = (await store.exclusively((transaction) => transaction.grants())).map(({ doubt }) => doubt);
        assert.deepEqual([doubts.length, doubts.filter((doubt) => doubt === 'forged').length], [3, 1], column);
        database.sql('DELETE FROM granted; INSERT INTO granted SELECT * FROM kept; DROP TABLE kept');
      }
      assert.deepEqual(await all(), [SOONER, ONE, BOBS]);
    });

    it('are signed by the next key when that is renewed, of users without an enrolment, too', async () => {
      store.close();
      store = database.open(sealWith('next', 'key'));
      await store.exclusively((transaction) => transaction.renewRows(['alice', 'bob']));
      store.close();
      store = database.open(sealWith('next'));
      assert.deepEqual(await all(), [SOONER, ONE, BOBS]);
    });

    describe('and the rules beside them', () => {
      const RULES: KeptRules = { text: '[[rule]]\nask = "refuse" # é\n', asOfMs: 1_795_000_000_000 };

      it('are none, then the last that were put, then none again', async () => {
        assert.equal(await rules(), undefined);
        await put({ ...RULES, text: '' });
        await put(RULES);
        assert.deepEqual(await rules(), RULES);
        await store.exclusively((transaction) => transaction.dropRules());
        assert.equal(await rules(), undefined);
      });

      it('are known as forged where a column was changed, or where another key signed them', async () => {
        await put(RULES);
        for (const [column, value] of [
          ['text', `'[[rule]]'`],
          ['as_of_ms', 'as_of_ms + 1'],
          ['mac', `'${'0'.repeat(64)}'`],
        ] as const) {
          database.sql(`CREATE TABLE kept AS SELECT * FROM rules; UPDATE rules SET ${column} = ${value}`);
          assert.equal((await rules())?.doubt, 'forged', column);
          database.sql('DELETE FROM rules; INSERT INTO rules SELECT * FROM kept; DROP TABLE kept');
        }
        assert.deepEqual(await rules(), RULES);
        store.close();
        store = database.open(sealWith('other'));
        assert.equal((await rules())?.doubt, 'forged');
      });

      it('are signed by the next key with the rows of nobody', async () => {
        await put(RULES);
        store.close();
        store = database.open(sealWith('next', 'key'));
        await store.exclusively((transaction) => transaction.renewRows(['alice']));
        await store.exclusively((transaction) => transaction.renewRows(['']));
        store.close();
        store = database.open(sealWith('next'));
        assert.deepEqual(await rules(), RULES);
      });
    });
  });

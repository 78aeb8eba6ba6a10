/** What was used of an imported secret is known for each enrolment of the account that has it, in each kind of database. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { RowSeal } from '../../src/store/row-seal.ts';
import type { Enrolment, Imported, Store, Transaction } from '../../src/store/store.ts';
import { ALICE } from './alice.ts';
import { ENGINES, type Database } from './engines.ts';

const [MARK, CODES] = ['e'.repeat(16), 'c'.repeat(8)];
const sealWith = (...keys: readonly string[]): RowSeal => {
  const macs = (row: Uint8Array): string[] => keys.map((key) => createHmac('sha256', key).update(row).digest('hex'));
  return { sign: (row) => macs(row)[0] ?? '', doubt: (row, mac) => (macs(row).includes(mac) ? undefined : 'forged') };
};
const of = (user: string, codes: string, last: string): Enrolment => ({
  ...ALICE,
  ...{ user, id: MARK + codes + last.repeat(8), state: { ...ALICE.state, lastStep: 10, spent: '0000' }, pendingState: {} },
});
const SSH = of('alice', CODES, '1');
const RENAMED = of('bob', CODES, '2');
const IMPORTED: Imported = { uid: ALICE.uid, mark: MARK, key: 'a key', lastStep: -1, codes: '', spent: '' };
const using =
  (lastStep: number, spent: string) =>
  ({ state }: Enrolment): Partial<Enrolment> => ({ state: { ...state, lastStep, spent } });

for (const { name, skip, ready } of ENGINES) {
  describe(`in ${name}, an imported secret`, { skip }, () => {
    let fresh: () => Promise<Database>;
    let database: Database;
    let store: Store;
    const opened: Store[] = [];
    before(async () => {
      fresh = await ready('imported');
    });
    beforeEach(async () => {
      database = await fresh();
      store = open('key');
      await within(async (transaction) => {
        await transaction.keepImport(IMPORTED);
        for (const each of [SSH, RENAMED]) await transaction.insert(each);
      });
    });
    after(() => {
      for (const each of opened) each.close();
    });
    function open(...keys: readonly string[]): Store {
      const made = database.open(sealWith(...keys));
      opened.push(made);
      return made;
    }
    function within<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
      return store.exclusively(work);
    }
    const use = async (user: string, change: (known: Enrolment) => Partial<Enrolment>): Promise<void> => {
      await within(async (transaction) => {
        const known = await transaction.enrolment(user, 'ssh');
        assert.ok(known !== undefined);
        await transaction.save({ ...known, ...change(known) });
      });
    };
    const usedOf = async (user: string): Promise<readonly [number, string]> => {
      const [found] = await within((transaction) => transaction.enrolmentsOf(user));
      assert.ok(found !== undefined);
      const every = await within(async (transaction) => [
        await transaction.enrolment(user, 'ssh'),
        ...(await transaction.enrolments()).filter((each) => each.user === user),
        ...(await transaction.enrolmentsOfUid(found.uid)).filter((each) => each.user === user),
      ]);
      for (const each of every) assert.deepEqual(each?.state, found.state);
      return [found.state.lastStep, found.state.spent];
    };

    it('was used by one enrolment, and a row of an earlier name accepted the same codes again', async () => {
      // As its sealed file comes into its place.
      await use('bob', (known) => ({ id: MARK + CODES + '3'.repeat(8), ...using(20, '0100')(known) }));
      assert.deepEqual(await usedOf('alice'), [20, '0100']);
      await use('alice', using(21, '1100'));
      assert.deepEqual(await usedOf('bob'), [21, '1100']);
      // A clock was ahead.
      await use('bob', using(15, '1100'));
      assert.deepEqual(await usedOf('bob'), [15, '1100']);
    });

    it('has other recovery codes by now: the earlier ones count as used, whatever is saved of them', async () => {
      await use('bob', (known) => ({ id: MARK + 'd'.repeat(8) + '3'.repeat(8), ...using(20, '000')(known) }));
      assert.deepEqual(await usedOf('alice'), [20, '1111']);
      await use('alice', ({ state }) => ({ state: { ...state, bucket: { ...state.bucket, tokens: 1 } } }));
      assert.deepEqual(await usedOf('bob'), [20, '000']);
    });

    it('was changed in the database, so that used codes counted again: it counts for nothing, and the import knows', async () => {
      await use('bob', (known) => ({ id: MARK + CODES + '3'.repeat(8), ...using(20, '0100')(known) }));
      database.sql('UPDATE imported SET last_step = 12');
      assert.deepEqual(await usedOf('alice'), [10, '0000']);
      assert.deepEqual(await usedOf('bob'), [20, '0100']);
      await use('bob', using(30, '0110'));
      assert.deepEqual(
        (await within((transaction) => transaction.imports(ALICE.uid))).map(({ doubt }) => doubt),
        ['forged'],
      );
    });

    it('is found by its mark too: the account may have had another uid', async () => {
      const other = { ...IMPORTED, uid: ALICE.uid + 1, codes: CODES, spent: '0100' };
      const unlike = { ...IMPORTED, uid: ALICE.uid + 2, mark: 'd'.repeat(16) };
      await within(async (transaction) => {
        for (const each of [other, unlike]) await transaction.keepImport(each);
      });
      const found = (uid: number, ...marks: readonly string[]): Promise<readonly Imported[]> =>
        within((transaction) => transaction.imports(uid, marks));
      assert.deepEqual(await found(ALICE.uid, MARK), [IMPORTED, other]);
      assert.deepEqual(await found(ALICE.uid + 3, 'f'.repeat(16), MARK), [IMPORTED, other]);
      assert.deepEqual(await found(ALICE.uid), [IMPORTED]);
    });

    it('is renewed before an earlier key goes, also where its account has another uid by now', async () => {
      const earlier = { ...IMPORTED, uid: ALICE.uid + 1 };
      await within((transaction) => transaction.keepImport(earlier));
      store = open('next', 'key');
      await within((transaction) => transaction.renewRows(['', 'alice', 'bob']));
      store = open('next');
      assert.deepEqual(await within((transaction) => transaction.imports(earlier.uid, [MARK])), [IMPORTED, earlier]);
    });

    it('is renewed with the rows of its account, before an earlier key goes', async () => {
      await use('bob', (known) => ({ id: MARK + CODES + '3'.repeat(8), ...using(20, '0100')(known) }));
      store = open('next', 'key');
      await within((transaction) => transaction.renewRows(['alice', 'bob']));
      store = open('next');
      assert.deepEqual(await usedOf('alice'), [20, '0100']);
    });
  });
}

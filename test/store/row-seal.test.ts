/** Rows that are proven by a key that no database has: what was written past the store is known, and what it wrote itself is known as its own. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { array, assert as holds, asyncProperty, constantFrom, double, integer, record } from 'fast-check';
import { copyStore } from '../../src/store/copy.ts';
import { NO_MAC, type RowSeal } from '../../src/store/row-seal.ts';
import type { Enrolment, Store, Transaction } from '../../src/store/store.ts';
import { ALICE, askAndSave } from './alice.ts';
import { ENGINES, type Database } from './engines.ts';
import { ENROLMENT_NUMBERS, ENROLMENT_TEXTS } from '../support/row-macs.ts';

/** Signs with the first of `keys`, and knows all of them. */
function sealWith(...keys: readonly string[]): RowSeal {
  const macs = (row: Uint8Array): string[] => keys.map((key) => createHmac('sha256', key).update(row).digest('hex'));
  return { sign: (row) => macs(row)[0] ?? '', doubt: (row, mac) => (macs(row).includes(mac) ? undefined : 'forged') };
}

const BOB: Enrolment = { ...ALICE, user: 'bob' };
const CONNECTION = { pid: 100, startTicks: 5_000, bootId: 'b'.repeat(36) };
const PEER = { digest: 'a'.repeat(64), acceptedMs: 1_795_000_000_000 };
const CHANGES: readonly (readonly [string, string])[] = [
  ...ENROLMENT_TEXTS.map((column) => [column, "'other'"] as const),
  ...ENROLMENT_NUMBERS.map((column) => [column, '"COLUMN" + 1'.replace('COLUMN', column)] as const),
];

for (const { name, skip, ready } of ENGINES) {
  describe(`in ${name}, a row`, { skip }, () => {
    let fresh: () => Promise<Database>;
    let database: Database;
    let store: Store;
    const opened: Store[] = [];
    before(async () => {
      fresh = await ready('row-seal');
    });
    beforeEach(async () => {
      database = await fresh();
      store = open(sealWith('key'));
      await store.exclusively((transaction) => transaction.insert(ALICE));
    });
    after(() => {
      for (const each of opened) each.close();
    });
    function open(rows: RowSeal, of = database): Store {
      const made = of.open(rows);
      opened.push(made);
      return made;
    }
    const within = <T>(work: (transaction: Transaction) => Promise<T>): Promise<T> => store.exclusively(work);
    const everybody = (): Promise<readonly Enrolment[]> => within((transaction) => transaction.enrolments());
    const doubts = async (): Promise<(string | undefined)[]> => (await everybody()).map(({ doubt }) => doubt);

    it('that was changed in any column is known as forged, and as its own when it is as it was', async () => {
      for (const [column, value] of CHANGES) {
        const kept = `CREATE TABLE kept AS SELECT * FROM enrolment`;
        database.sql(kept);
        database.sql(`UPDATE enrolment SET "${column}" = ${value}`);
        assert.deepEqual(await doubts(), ['forged'], column);
        database.sql('DELETE FROM enrolment; INSERT INTO enrolment SELECT * FROM kept; DROP TABLE kept');
        assert.deepEqual(await doubts(), [undefined], column);
      }
    });

    it('was read otherwise than it was proven, where the database’s administrator had given a column another type', async () => {
      // A secret that was sealed anew, and is about to take its place, with what was used until then.
      const resealed: Enrolment = { ...ALICE, pendingId: 'ad'.repeat(16), pendingDigest: 'ae'.repeat(32), pendingState: {} };
      for (const type of name === 'PostgreSQL' ? ['bigint', 'numeric', 'double precision'] : ['']) {
        if (type !== '') database.sql(`ALTER TABLE enrolment ALTER pending_inherits TYPE ${type}`);
        // Where a connection has asked before, the server refuses it.
        store = open(sealWith('key'));
        await within((transaction) => askAndSave(transaction, resealed));
        assert.deepEqual(await everybody(), [resealed], type);
      }
      if (name === 'PostgreSQL') database.sql('ALTER TABLE enrolment ALTER pending_inherits TYPE integer');
    });

    it('is read back as it was written, whatever the numbers are', async () => {
      const numbers = record({
        lastStep: integer({ min: -1, max: 8.64e15 }),
        tokens: double({ min: 0, max: 1e6, noNaN: true }),
        asOfMs: integer({ min: 0, max: 2 ** 52 }),
      });
      await holds(
        asyncProperty(numbers, async ({ lastStep, tokens, asOfMs }) => {
          const bucket = { tokens, asOfMs };
          const saved: Enrolment = { ...ALICE, state: { ...ALICE.state, lastStep, bucket }, pendingState: {} };
          await within((transaction) => askAndSave(transaction, saved));
          assert.deepEqual(await everybody(), [saved]);
        }),
        { numRuns: 40 },
      );
    });

    it('that was forged is not signed by saving what was read of it', async () => {
      database.sql(`UPDATE enrolment SET spent = '000'`);
      await within(async (transaction) => {
        const found = await transaction.enrolment('alice', 'ssh');
        assert.ok(found?.doubt === 'forged');
        await assert.rejects(transaction.save({ ...found, state: ALICE.state }), { code: 'refused', message: /changed outside notp/ });
      });
      assert.deepEqual(await doubts(), ['forged']);
      await within((transaction) => askAndSave(transaction, ALICE));
      assert.deepEqual(await everybody(), [ALICE]);
    });

    it('of a connection or a peer counts only as it was written', async () => {
      const remembered = (): Promise<readonly [boolean, number | undefined]> =>
        within(async (transaction) => [await transaction.remembers(ALICE, CONNECTION), await transaction.lastAccepted(ALICE, PEER.digest)]);
      await within(async (transaction) => {
        await transaction.remember(ALICE, CONNECTION);
        await transaction.rememberPeer(ALICE, PEER);
      });
      assert.deepEqual(await remembered(), [true, PEER.acceptedMs]);
      const columns = ['id', 'pid', 'start_ticks', 'boot_id'].join(', ');
      // The same for a second device, with the MACs of the first.
      await within((transaction) => transaction.insert({ ...ALICE, context: 'backup' }));
      database.sql(`DELETE FROM connection WHERE context = 'backup'; DELETE FROM peer WHERE context = 'backup'`);
      database.sql(
        `INSERT INTO connection ("user", context, slot, ${columns}, turn, mac) SELECT "user", 'backup', slot, ${columns}, turn, mac FROM connection`,
      );
      database.sql(
        `INSERT INTO peer ("user", context, slot, id, digest, accepted_ms, mac) SELECT "user", 'backup', slot, id, digest, accepted_ms, mac FROM peer`,
      );
      const backup = { ...ALICE, context: 'backup' };
      assert.equal(await within((transaction) => transaction.remembers(backup, CONNECTION)), false);
      assert.equal(await within((transaction) => transaction.lastAccepted(backup, PEER.digest)), undefined);
      database.sql(`UPDATE peer SET accepted_ms = accepted_ms + 1; UPDATE connection SET pid = 101`);
      assert.deepEqual(await remembered(), [false, undefined]);
      const moved = { ...CONNECTION, pid: 101 };
      assert.equal(await within((transaction) => transaction.remembers(ALICE, moved)), false);
      database.sql(`UPDATE connection SET pid = 100`);
      assert.equal(await within((transaction) => transaction.remembers(ALICE, CONNECTION)), true);
    });

    it('that an earlier key has signed counts, and by the present one alone once it was renewed', async () => {
      await within(async (transaction) => {
        await transaction.insert(BOB);
        await transaction.approve({ user: 'alice', asOfMs: 7 });
        await transaction.remember(ALICE, CONNECTION);
      });
      database.sql(`UPDATE enrolment SET spent = '000' WHERE "user" = 'bob'`);
      store = open(sealWith('next', 'key'));
      assert.deepEqual(await doubts(), [undefined, 'forged']);
      await within((transaction) => transaction.renewRows(['alice', 'bob']));
      store = open(sealWith('next'));
      assert.deepEqual(await doubts(), [undefined, 'forged']);
      assert.equal(await within((transaction) => transaction.remembers(ALICE, CONNECTION)), true);
      assert.equal((await within((transaction) => transaction.approved())).length, 1);
    });

    it('under a key that is not here is left as it is, and counts again with that key', async () => {
      await within(async (transaction) => {
        await transaction.approve({ user: 'alice', asOfMs: 7 });
        await transaction.remember(ALICE, CONNECTION);
        await transaction.rememberPeer(ALICE, PEER);
      });
      store = open(sealWith('other', 'older'));
      assert.deepEqual(await doubts(), ['forged']);
      await within((transaction) => transaction.renewRows(['', 'alice']));
      store = open(sealWith('key'));
      assert.deepEqual(await everybody(), [ALICE]);
      assert.equal(await within((transaction) => transaction.remembers(ALICE, CONNECTION)), true);
      assert.equal(await within((transaction) => transaction.lastAccepted(ALICE, PEER.digest)), PEER.acceptedMs);
      assert.equal((await within((transaction) => transaction.approved())).length, 1);
    });

    it('of a former key of the audit chain counts only where notp has kept it', async () => {
      const [kept, forged] = [new Uint8Array(32).fill(1), 'ee'.repeat(32)];
      const keys = (): Promise<readonly Uint8Array[]> => within((transaction) => transaction.formerChainKeys());
      await within((transaction) => transaction.keepChainKey(kept));
      assert.deepEqual(await keys(), [kept]);
      database.sql(`CREATE TABLE made AS SELECT * FROM former_chain_key; UPDATE made SET key = '${forged}'`);
      database.sql('INSERT INTO former_chain_key SELECT * FROM made');
      assert.deepEqual(await keys(), [kept]);
      store = open(sealWith('next', 'key'));
      await within((transaction) => transaction.keepChainKey(kept));
      store = open(sealWith('next'));
      assert.deepEqual(await keys(), [kept]);
    });

    it('is copied with the MAC of the present key, and one that was forged as such', async () => {
      await within((transaction) => transaction.insert(BOB));
      database.sql(`UPDATE enrolment SET spent = '000' WHERE "user" = 'bob'`);
      const both = sealWith('next', 'key');
      const target = open(both, await fresh());
      for (let i = 0; i < 2; i++) await copyStore(open(both), target, { dryRun: false, onProgress: () => undefined });
      store = target;
      assert.deepEqual(await doubts(), [undefined, 'forged']);
    });

    it('is no other for any two that differ', async () => {
      const texts = array(constantFrom('', 'a', 'b', 'ab', '1', 'user'), { minLength: 3, maxLength: 3 });
      const seen = new Map<string, string>();
      await holds(
        asyncProperty(texts, async ([spent = '', digest = '', id = '']) => {
          await within((transaction) => askAndSave(transaction, { ...ALICE, id, digest, state: { ...ALICE.state, spent } }));
          const { tables } = await within((transaction) => transaction.contents());
          const mac = String(tables['enrolment']?.[0]?.at(-1));
          const row = JSON.stringify([spent, digest, id]);
          assert.notEqual(mac, NO_MAC);
          assert.equal(seen.get(mac) ?? row, row);
          seen.set(mac, row);
        }),
        { numRuns: 60 },
      );
    });
  });
}

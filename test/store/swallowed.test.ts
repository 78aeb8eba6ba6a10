/** A database that says that it did what it was told, and did not, as a trigger, a rule or a policy of its administrator can have it. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { FLOODS, type Store, type Transaction } from '../../src/store/store.ts';
import { ALICE, askAndSave, NO_REFUSALS } from './alice.ts';
import { ENGINES, type Database } from './engines.ts';

const HASH = 'a'.repeat(64);

const UNDO = new Error('undone');

function undone(): never {
  throw UNDO;
}

/** What changes a row of each table. */
const WRITES: readonly (readonly [string, (transaction: Transaction) => Promise<unknown>])[] = [
  ['enrolment', (transaction) => askAndSave(transaction, { ...ALICE, status: 'revoked' })],
  ['enrolment', (transaction) => transaction.insert({ ...ALICE, user: 'bob' })],
  ['chain', (transaction) => transaction.moveHead({ seq: 2, hash: HASH })],
  ...FLOODS.map(
    (flood) => [flood, (transaction: Transaction) => transaction.saveTally(flood, { user: 'alice', ...NO_REFUSALS, count: 7 })] as const,
  ),
  ['connection', (transaction) => transaction.remember(ALICE, { pid: 1, startTicks: 2, bootId: 'b'.repeat(36) })],
  ['peer', (transaction) => transaction.rememberPeer(ALICE, { digest: HASH, acceptedMs: 1 })],
  ['backlog', (transaction) => transaction.keepLine({ seq: 1, line: 'a line\n' })],
  ['counter', (transaction) => transaction.setCounter(ALICE.id, 7)],
  ['sealed', (transaction) => transaction.putSealed('alice', 'ssh', 'a newer text')],
  ['sealed', (transaction) => transaction.dropSealed('alice', 'ssh')],
  ['approved', (transaction) => transaction.approve({ user: 'alice', asOfMs: 9 })],
  ['approved', (transaction) => transaction.disapprove('alice')],
  ['outage', (transaction) => transaction.keepOutageRecord({ id: 'of another', seq: 1, text: '{}' })],
  ['imported', (transaction) => transaction.keepImport({ uid: 1000, mark: 'm', key: 'k', lastStep: 1, codes: '', spent: '' })],
  ['former_chain_key', (transaction) => transaction.keepChainKey(new Uint8Array(32))],
];

for (const { name, skip, ready } of ENGINES) {
  describe(`${name} that swallows a write`, { skip }, () => {
    let fresh: () => Promise<Database>;
    let database: Database;
    let store: Store;
    before(async () => {
      fresh = await ready('swallowed');
    });
    beforeEach(async () => {
      database = await fresh();
      store = database.open({ sign: (row) => createHmac('sha256', 'key').update(row).digest('hex'), doubt: () => undefined });
      await store.exclusively(async (transaction) => {
        await transaction.insert(ALICE);
        await transaction.putSealed('alice', 'ssh', 'a text');
        await transaction.approve({ user: 'alice', asOfMs: 1 });
        await transaction.keepOutageRecord({ id: 'this', seq: 1, text: '{}' });
      });
    });
    after(() => {
      store.close();
    });

    for (const given of name === 'SQLite' ? ['NULL'] : ['NULL', 'OLD']) {
      it(`was believed, so that codes counted again and who was revoked went on logging in (${given})`, async () => {
        for (const [table, work] of WRITES) {
          // Without the trigger it is taken.
          await assert.rejects(
            store.exclusively((transaction) => work(transaction).then(undone)),
            UNDO,
          );
          const end = swallow(table, given);
          await assert.rejects(store.exclusively(work), { code: 'store_unavailable' }, `${table}: ${String(work)}`);
          end();
        }
        await store.exclusively(async (transaction) => {
          assert.deepEqual(await transaction.enrolmentsOf('alice'), [ALICE]);
          assert.equal(await transaction.keepOutageRecord({ id: 'this', seq: 1, text: '{}' }), false);
        });
      });
    }

    /** `given`: what the trigger gives an update back in PostgreSQL. Gives what ends it. */
    function swallow(table: string, given: string): () => void {
      if (name !== 'SQLite') {
        database.sql(`CREATE OR REPLACE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN IF TG_OP = ''UPDATE'' THEN RETURN ${given}; END IF; RETURN NULL; END';
          CREATE TRIGGER swallow BEFORE INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION swallow()`);
        return () => {
          database.sql(`DROP TRIGGER swallow ON ${table}`);
        };
      }
      const events = ['INSERT', 'UPDATE', 'DELETE'];
      database.sql(
        events.map((event) => `CREATE TRIGGER swallow_${event} BEFORE ${event} ON ${table} BEGIN SELECT RAISE(IGNORE); END`).join(';'),
      );
      return () => {
        database.sql(events.map((event) => `DROP TRIGGER swallow_${event}`).join(';'));
      };
    }
  });
}

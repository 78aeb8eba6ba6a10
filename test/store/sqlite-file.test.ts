/** The file of the embedded store: made only where it may be, and refused where it is not as it must be. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts';
import { scratchFolder } from '../support/world.ts';
import { ALICE, askAndSave } from './alice.ts';

const PAGE_BYTES = 4096;

describe('the file of a store', () => {
  let folder: string;
  before(() => {
    folder = scratchFolder('store-bad');
  });

  it('is unavailable where it is missing, and is not made by a login', () => {
    const file = path.join(folder, 'missing.db');
    refuses(file, /unable to open database file/);
    assert.ok(!fs.existsSync(file));
  });

  it('opens the very file where "?", "#" and "%" are in the name, and makes no other', async () => {
    const file = path.join(folder, 'odd %41?#.db');
    const made = openSqliteStore(file, { create: true });
    await made.exclusively((transaction) => transaction.insert(ALICE));
    made.close();
    const names = fs.readdirSync(folder);
    const again = openSqliteStore(file, { create: false });
    assert.deepEqual(await again.exclusively((transaction) => transaction.enrolment('alice', 'ssh')), ALICE);
    again.close();
    assert.deepEqual(fs.readdirSync(folder), names);
  });

  it('is unavailable where it is no database', () => {
    const file = path.join(folder, 'text.db');
    fs.writeFileSync(file, 'something else, and long enough to be looked at. '.repeat(50));
    refuses(file, /not a database/);
  });

  for (const [kind, program] of Object.entries({
    view: `ALTER TABLE enrolment RENAME TO enrolment0; CREATE VIEW enrolment AS
             WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT enrolment0.* FROM enrolment0, t WHERE n < 0`,
    trigger: `CREATE TRIGGER t AFTER UPDATE ON enrolment BEGIN
                INSERT INTO mark WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n, '', '', '' FROM t WHERE n < 0; END`,
  }))
    it(`kept root's commands busy for ever, where its user had put a ${kind} there`, () => {
      const file = path.join(folder, `${kind}.db`);
      openSqliteStore(file, { create: true }).close();
      const database = new DatabaseSync(file);
      database.exec(program);
      database.close();
      refuses(file, new RegExp(`it has a ${kind}, and notp makes none`));
    });

  it('is unavailable where its pages are damaged', async () => {
    const file = path.join(folder, 'damaged.db');
    const store = openSqliteStore(file, { create: true });
    await store.exclusively((transaction) => transaction.insert(ALICE));
    store.close();
    const database = new DatabaseSync(file);
    const table = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'enrolment'").get();
    database.close();
    const bytes = fs.readFileSync(file);
    const start = (Number(table?.['rootpage']) - 1) * PAGE_BYTES;
    fs.writeFileSync(file, bytes.fill(0xee, start, start + PAGE_BYTES));
    const damaged = openSqliteStore(file, { create: false });
    await assert.rejects(
      damaged.exclusively((transaction) => transaction.enrolment('alice', 'ssh')),
      { code: 'store_unavailable' },
    );
    damaged.close();
    fs.writeFileSync(file, bytes.fill(0xee, PAGE_BYTES));
    assert.throws(() => openSqliteStore(file, { create: false }), { code: 'store_unavailable' });
  });

  it('is unavailable where a later version made it', () => {
    const file = path.join(folder, 'later.db');
    openSqliteStore(file, { create: true }).close();
    const database = new DatabaseSync(file);
    database.exec('PRAGMA user_version = 1000');
    database.close();
    refuses(file, /its schema 1000 is of a newer notp than this one, which knows 22/, /install the newer notp on this host again/);
  });

  it('is unavailable where the head of the chain is gone', async () => {
    const file = path.join(folder, 'headless.db');
    openSqliteStore(file, { create: true }).close();
    const database = new DatabaseSync(file);
    database.exec('DELETE FROM chain');
    database.close();
    const store = openSqliteStore(file, { create: false });
    await assert.rejects(
      store.exclusively((transaction) => transaction.head()),
      /lost the head of the audit chain/,
    );
    store.close();
  });

  it('grows by no page in a login', async () => {
    const file = path.join(folder, 'pages.db');
    const store = openSqliteStore(file, { create: true });
    await store.exclusively((transaction) => transaction.insert(ALICE));
    const size = fs.statSync(file).size;
    const widest = { ...ALICE, state: { ...ALICE.state, lastStep: 2 ** 40, bucket: { tokens: 1 / 3, asOfMs: 2 ** 42 } } };
    for (let i = 0; i < 10; i++) {
      await store.exclusively(async (transaction) => {
        await askAndSave(transaction, widest);
        await transaction.remember(ALICE, { pid: 4_194_304, startTicks: 2 ** 40 + i, bootId: 'b'.repeat(36) });
        await transaction.rememberPeer(ALICE, { digest: String(i).repeat(64), acceptedMs: 2 ** 42 });
        await transaction.moveHead({ seq: 2 ** 40 + i, hash: 'e'.repeat(64) });
      });
    }
    assert.equal(fs.statSync(file).size, size);
    store.close();
  });
});

function refuses(file: string, wanted: RegExp, hint = /check the disk/): void {
  assert.throws(
    () => openSqliteStore(file, { create: false }),
    (error: Error & { code?: string; hint?: string }) => {
      assert.equal(error.code, 'store_unavailable');
      assert.match(error.message, wanted);
      assert.match(error.hint ?? '', hint);
      return true;
    },
  );
}

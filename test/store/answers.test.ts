/** A store that answers each question with every genuine row it has, as a proxy or an operator of the administrator's can: rows of others are no answer. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, it } from 'node:test';
import type { RowSeal } from '../../src/store/row-seal.ts';
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Enrolment, Transaction } from '../../src/store/store.ts';
import { transactionOn } from '../../src/store/tables.ts';
import type { Dialect } from '../../src/store/statements.ts';
import type { Row } from '../../src/store/row.ts';
import { remembered } from '../../src/login/without-code.ts';
import { accountOf } from '../../src/login/account.ts';
import { scratchFolder } from '../support/world.ts';
import { ALICE, askAndSave } from './alice.ts';

const SEAL = sealWith('key');
const BOB: Enrolment = { ...ALICE, user: 'bob', id: 'bb'.repeat(16) };
const MALLORY: Enrolment = { ...ALICE, user: 'mallory', id: 'cc'.repeat(16) };
const CONNECTION = { pid: 100, startTicks: 5_000, bootId: 'b'.repeat(36) };
const PEER = { digest: 'a'.repeat(64), acceptedMs: 1_795_000_000_000 };
const REFUSED = { code: 'store_unavailable', message: /^the store answered with / };

function sealWith(...keys: readonly string[]): RowSeal {
  const macs = (row: Uint8Array): string[] => keys.map((key) => createHmac('sha256', key).update(row).digest('hex'));
  return { sign: (row) => macs(row)[0] ?? '', doubt: (row, mac) => (macs(row).includes(mac) ? undefined : 'forged') };
}

function of(user: string) {
  return (rows: readonly Row[]): readonly Row[] => rows.filter((row) => row['user'] === user);
}

const DIALECT: Dialect = {
  ...{ here: 'TRUE', logColumn: '', logValue: '', lock: '', heads: '', lockEnrolments: '', reserves: true },
  joined: () => '',
  tally: (flood) => `SELECT * FROM ${flood} WHERE "user" = ''`,
};

describe('a store that answers with every genuine row it has', () => {
  let file: string;
  let count = 0;
  const folder = scratchFolder('answers');

  beforeEach(async () => {
    file = path.join(folder, `${String(count++)}.db`);
    const store = openSqliteStore(file, { create: true, rows: SEAL });
    await store.exclusively(async (transaction) => {
      for (const each of [ALICE, BOB, MALLORY, { ...MALLORY, context: 'backup' }]) await transaction.insert(each);
      await transaction.remember(MALLORY, CONNECTION);
      await transaction.rememberPeer(MALLORY, PEER);
      await transaction.approve({ user: 'mallory', asOfMs: 7 });
    });
    store.close();
  });

  const rowsOf = (table: string): Row[] => {
    const database = new DatabaseSync(file);
    try {
      return database.prepare(`SELECT * FROM ${table} WHERE mac <> '${'0'.repeat(64)}' ORDER BY 1, 2`).all();
    } finally {
      database.close();
    }
  };
  const everything = (): unknown => ['enrolment', 'connection', 'peer', 'approved'].map(rowsOf);

  /** `among`: which of all rows it gives; what it is told to write it writes. */
  async function lying<T>(
    work: (transaction: Transaction) => Promise<T>,
    { among = (rows) => rows, seal = SEAL }: { among?: (rows: readonly Row[]) => readonly Row[]; seal?: RowSeal } = {},
  ): Promise<T> {
    const database = new DatabaseSync(file);
    try {
      const transaction = transactionOn({
        all: (sql, values = {}) => {
          const table = /FROM (enrolment|connection|peer|approved)\b/.exec(sql)?.[1];
          return Promise.resolve(table === undefined ? database.prepare(sql).all(values) : among(rowsOf(table)));
        },
        run: (sql, values = {}) => Promise.resolve(void database.prepare(sql).run(values)),
        write: (sql, values) => Promise.resolve(void database.prepare(sql).run(values)),
        dialect: DIALECT,
        seal,
      });
      return await work(transaction);
    } finally {
      database.close();
    }
  }

  it('let alice in by the row, the connection and the source of mallory', async () => {
    const origin = { user: 'alice', context: 'ssh', door: 'gate', rhost: '192.0.2.7' } as const;
    const ruling = { ask: 'code', rememberMs: 3_600_000, rule: { ask: 'code', line: 1 } } as const;
    const rules = { policy: { window: 1, budget: 5, refillMs: 3_600_000 }, now: () => PEER.acceptedMs };
    const session = { connection: CONNECTION, keyDigest: 'c'.repeat(64) };
    for (const among of [undefined, of('mallory'), of('bob')]) {
      const how = among === undefined ? {} : { among };
      await assert.rejects(
        lying((transaction) => transaction.enrolment('alice', 'ssh'), how),
        REFUSED,
      );
      await assert.rejects(
        lying((transaction) => transaction.enrolmentsOf('alice'), how),
        REFUSED,
      );
      await assert.rejects(
        lying((transaction) => accountOf(transaction, { files: [], account: ['ssh'], origin }, rules), how),
        REFUSED,
      );
      if (among === undefined || among([{ user: 'mallory' }]).length > 0) {
        await assert.rejects(
          lying((transaction) => transaction.remembers(ALICE, CONNECTION), how),
          REFUSED,
        );
        await assert.rejects(
          lying((transaction) => transaction.lastAccepted(ALICE, PEER.digest), how),
          REFUSED,
        );
        const device = { enrolment: ALICE, file: 0 };
        await assert.rejects(
          lying((transaction) => remembered(origin, ruling, rules, transaction, [device], session), how),
          REFUSED,
        );
      }
    }
  });

  it('let mallory in by another connection, source, context or enrolment of their own', async () => {
    const own = { among: of('mallory') };
    for (const [column, value] of [
      ['pid', 101],
      ['startTicks', 5_001],
      ['bootId', 'c'.repeat(36)],
    ] as const)
      await assert.rejects(
        lying((transaction) => transaction.remembers(MALLORY, { ...CONNECTION, [column]: value }), own),
        REFUSED,
      );
    await assert.rejects(
      lying((transaction) => transaction.lastAccepted(MALLORY, 'd'.repeat(64)), own),
      REFUSED,
    );
    for (const other of [
      { ...MALLORY, context: 'backup' },
      { ...MALLORY, id: 'dd'.repeat(16) },
    ]) {
      await assert.rejects(
        lying((transaction) => transaction.remembers(other, CONNECTION), own),
        REFUSED,
      );
      await assert.rejects(
        lying((transaction) => transaction.lastAccepted(other, PEER.digest), own),
        REFUSED,
      );
    }
    await assert.rejects(
      lying((transaction) => transaction.enrolment('mallory', 'ssh'), own),
      REFUSED,
    );
    assert.equal(await lying((transaction) => transaction.remembers(MALLORY, CONNECTION), own), true);
  });

  it('gave the same enrolment or approval twice, each with a MAC', async () => {
    const twice = { among: (rows: readonly Row[]) => [...of('mallory')(rows), ...of('mallory')(rows)] };
    for (const ask of [
      (transaction: Transaction) => transaction.enrolmentsOf('mallory'),
      (transaction: Transaction) => transaction.enrolments(),
      (transaction: Transaction) => transaction.approved(),
      (transaction: Transaction) => transaction.contents(),
    ])
      await assert.rejects(lying<unknown>(ask, twice), REFUSED);
  });

  it('had a new host key sign rows of others, or one row twice', async () => {
    const before = everything();
    const seal = sealWith('next', 'key');
    for (const among of [undefined, of('mallory'), (rows: readonly Row[]) => [...of('alice')(rows), ...of('alice')(rows)]])
      await assert.rejects(
        lying((transaction) => transaction.renewRows(['alice']), { seal, ...(among && { among }) }),
        REFUSED,
      );
    assert.deepEqual(everything(), before);
  });

  it('had the enrolment of another written over that nobody had asked for', async () => {
    const before = everything();
    for (const other of [ALICE, { ...MALLORY, context: 'backup' }]) {
      const saved = lying(
        async (transaction) => {
          await transaction.enrolment('mallory', 'ssh');
          await transaction.save({ ...other, digest: 'd'.repeat(64) });
        },
        { among: (rows) => rows.filter(({ user, context }) => user === 'mallory' && context === 'ssh') },
      );
      await assert.rejects(saved, { code: 'store_unavailable', message: /was not asked for, so it is not written$/ });
    }
    await assert.rejects(
      lying((transaction) => askAndSave(transaction, { ...ALICE, status: 'revoked' })),
      REFUSED,
    );
    assert.deepEqual(everything(), before);
  });
});

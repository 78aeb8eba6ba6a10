/** The primary is killed while many hosts decide, and a standby that streamed from it takes its place: nobody got in without a record that lasts, and no code twice. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { migratePostgresStore, openPostgresStore } from '../../src/store/postgres/postgres.ts';
import type { Store, Transaction } from '../../src/store/store.ts';
import { lacksPostgres, startPostgres, startStandby, type Postgres } from '../support/postgres.ts';
import { sleep } from '../support/process.ts';
import { ALICE } from './alice.ts';
import { knownLog, placeOf } from './engines.ts';

const DATABASE = 'notp';
const HOSTS = 8;
const BEFORE_MS = 1_500;

describe('a primary that is killed, and a standby in its place', { skip: lacksPostgres() }, () => {
  let primary: Postgres;
  let standby: Postgres;
  let stores: Store[];
  before(async () => {
    primary = await startPostgres('primary');
    primary.createDatabase(DATABASE);
    standby = await startStandby('standby', primary);
    primary.sql("ALTER SYSTEM SET synchronous_standby_names TO 'standby'");
    primary.sql('SELECT pg_reload_conf()');
    const place = placeOf(primary, DATABASE);
    await migratePostgresStore(place);
    const servers = [primary, standby].map(({ port }) => ({ host: 'localhost', port }));
    stores = Array.from({ length: HOSTS }, (_, i) =>
      openPostgresStore({ ...place, servers, thisHost: `host${String(i)}`, log: knownLog(`log${String(i)}`) }),
    );
    await stores[0]?.exclusively((transaction) => transaction.insert({ ...ALICE, state: { ...ALICE.state, lastStep: 0 } }));
  });

  it('leaves every acceptance that was told, and accepts nothing twice', async () => {
    /** The steps that some host was told are accepted. */
    const told: number[] = [];
    let refused = 0;
    const over = new AbortController();
    const decide = async (store: Store): Promise<void> => {
      while (!over.signal.aborted) {
        try {
          told.push(await store.exclusively(accept));
        } catch {
          refused++;
          await sleep(100);
        }
      }
    };
    const deciding = stores.map(decide);
    await sleep(BEFORE_MS);
    const toldBefore = told.length;
    await primary.stop();
    await sleep(500);
    standby.sql('SELECT pg_promote()');
    const promotedAt = told.length;
    for (const end = Date.now() + 60_000; told.length < promotedAt + 20 && Date.now() < end;) await sleep(50);
    over.abort();
    await Promise.all(deciding);
    assert.ok(
      toldBefore > 0 && refused > 0 && told.length >= promotedAt + 20,
      `${String(toldBefore)} ${String(refused)} ${String(told.length)}`,
    );
    assert.equal(new Set(told).size, told.length, 'a step was accepted twice');
    const last = await stores[0]?.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));
    assert.ok((last?.state.lastStep ?? 0) >= Math.max(...told), 'an acceptance that was told is lost');
    // Each told acceptance moved the head of its host by one; what was committed and not told may have moved it more.
    const heads = await Promise.all(stores.map((store) => store.exclusively((transaction) => transaction.head())));
    const moved = heads.reduce((sum, { seq }) => sum + seq, 0);
    assert.ok(moved >= told.length && moved <= told.length + refused, `${String(moved)} moves, ${String(told.length)} told`);
    for (const store of stores) store.close();
  });
});

/** Accepts the next step, and records it. */
async function accept(transaction: Transaction): Promise<number> {
  const found = await transaction.enrolment('alice', 'ssh');
  if (found === undefined) throw new Error('nobody is enrolled');
  const lastStep = found.state.lastStep + 1;
  await transaction.save({ ...found, state: { ...found.state, lastStep } });
  const { seq, hash } = await transaction.head();
  await transaction.moveHead({ seq: seq + 1, hash });
  return lastStep;
}

/** The store through a pooler: what holds without it holds with it, also where it or the server behind it is down. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import { migratePostgresStore, openPostgresStore } from '../../src/store/postgres/postgres.ts';
import type { Store } from '../../src/store/store.ts';
import { lacksPgbouncer, POOL_SIZE, startPgbouncer, throughPool, type Pgbouncer } from '../support/pgbouncer.ts';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { ALICE } from './alice.ts';
import { placeOf } from './engines.ts';

const DATABASE = 'notp';
const HOSTS = 20;
/** Longer than any decision waits. */
const BOUND_MS = 40_000;

describe('a store through PgBouncer', { skip: lacksPostgres() === false ? lacksPgbouncer() : lacksPostgres() }, () => {
  let server: Postgres;
  let pool: Pgbouncer;
  const open = (thisHost: string): Store => openPostgresStore(throughPool(pool, placeOf(server, DATABASE, thisHost)));

  before(async () => {
    server = await startPostgres('pooled');
    server.createDatabase(DATABASE);
    pool = await startPgbouncer('store', server, DATABASE);
    await migratePostgresStore(throughPool(pool, placeOf(server, DATABASE)));
  });
  beforeEach(async () => {
    for (const each of [pool, server]) await each.stop();
    for (const each of [server, pool]) await each.start();
    server.sql('TRUNCATE notp.enrolment, notp.connection, notp.peer, notp.refusals', DATABASE);
    const store = open('one');
    await store.exclusively((transaction) => transaction.insert({ ...ALICE, state: { ...ALICE.state, lastStep: 0 } }));
    store.close();
  });

  it('holds no connection to the server while nothing is decided: 20 open stores share 4, and none of their steps is lost', async () => {
    const stores = Array.from({ length: HOSTS }, (_, i) => open(`host${String(i)}`));
    for (let round = 0; round < 3; round++) await Promise.all(stores.map(increment));
    assert.equal(await lastStep(stores[0]), 3 * HOSTS);
    const connections = Number(server.sql(`SELECT count(*) FROM pg_stat_activity WHERE datname = '${DATABASE}'`));
    assert.ok(connections > 0 && connections <= POOL_SIZE, String(connections));
    for (const store of stores) store.close();
  });

  it('commits as durably as without it, whatever a connection was set to before', async () => {
    server.sql(`ALTER DATABASE ${DATABASE} SET synchronous_commit TO off`);
    server.sql("ALTER SYSTEM SET synchronous_standby_names TO 'nobody'");
    server.sql('SELECT pg_reload_conf()');
    try {
      await refuses(open('one'), increment, /no answer in 20 seconds/);
    } finally {
      server.sql('ALTER SYSTEM RESET synchronous_standby_names');
      server.sql('SELECT pg_reload_conf()');
      server.sql(`ALTER DATABASE ${DATABASE} RESET synchronous_commit`);
    }
  });

  it('is refused at once while it is down, and goes on when it is back', async () => {
    const store = open('one');
    await pool.stop();
    await refuses(store, increment, /ECONNREFUSED/);
    await pool.start();
    await increment(store);
    assert.equal(await lastStep(store), 1);
    store.close();
  });

  it('is refused in time while it is paused', async () => {
    const store = open('one');
    pool.command(`PAUSE ${DATABASE}`);
    await refuses(store, increment, /query_wait_timeout|no answer in 20 seconds/);
    pool.command(`RESUME ${DATABASE}`);
    await increment(store);
    assert.equal(await lastStep(store), 1);
    store.close();
  });

  it('is refused in time while the server behind it is down, with the reason, and not for the first time after it is back', async () => {
    const store = open('one');
    await server.stop();
    await refuses(store, increment, /server login has been failing|query_wait_timeout/);
    await refuses(store, increment, /server login has been failing/);
    await server.start();
    await increment(store);
    assert.equal(await lastStep(store), 1);
    store.close();
  });

  it('is refused in time while the server behind it stands still, whether they were connected or not', async () => {
    const store = open('one');
    await server.stop('SIGSTOP');
    await refuses(store, increment, /no answer in 20 seconds|query_wait_timeout/);
    await pool.stop();
    await pool.start();
    await refuses(store, increment, /timeout|no answer in 20 seconds|server login has been failing/);
    store.close();
  });

  it('is refused while it does not believe who the server is', async () => {
    const store = open('one');
    await pool.stop();
    await pool.start((text) => text.replace(/^server_tls_ca_file = .*/m, 'server_tls_ca_file = /etc/ssl/certs/ca-certificates.crt'));
    await refuses(store, increment, /timeout|server login has been failing|cannot connect/);
    store.close();
  });
});

async function increment(store: Store): Promise<void> {
  await store.exclusively(async (transaction) => {
    const found = await transaction.enrolment('alice', 'ssh');
    if (found === undefined) throw new Error('nobody is enrolled');
    await transaction.save({ ...found, state: { ...found.state, lastStep: found.state.lastStep + 1 } });
  });
}

async function lastStep(store: Store | undefined): Promise<number | undefined> {
  return (await store?.exclusively((transaction) => transaction.enrolment('alice', 'ssh')))?.state.lastStep;
}

/** Refused within the bound, with what the message is to say. */
async function refuses(store: Store, work: (store: Store) => Promise<void>, message: RegExp): Promise<void> {
  const began = Date.now();
  await assert.rejects(work(store), { code: 'store_unavailable', message });
  assert.ok(Date.now() - began < BOUND_MS);
}

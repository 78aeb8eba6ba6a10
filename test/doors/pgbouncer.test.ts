/** A storm of logins on one host: the server is asked for a few connections where PgBouncer is before it. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { stormWorld, type StormWorld } from '../support/login-storm.ts';
import { lacksPgbouncer, POOL_SIZE } from '../support/pgbouncer.ts';
import { lacksPostgres } from '../support/postgres.ts';

const PEOPLE = 60;
/** Fewer than there are people. */
const ENOUGH = 20;

describe(
  `${String(PEOPLE)} people who log in at the same instant`,
  { skip: lacksPostgres() === false ? lacksPgbouncer() : lacksPostgres() },
  () => {
    let world: StormWorld;
    before(async () => {
      world = await stormWorld('storm', PEOPLE, [`max_connections = ${String(ENOUGH)}`]);
    });

    it('all get in through PgBouncer, though the server has room for a few, and bring it no more connections than the pool has', async () => {
      const { ran, connections } = await world.storm('pooled');
      const refused = ran.filter(({ code }) => code !== 0);
      assert.deepEqual(refused, []);
      assert.ok(connections <= POOL_SIZE, String(connections));
      assert.equal(Number(world.server.sql('SELECT sum(seq) FROM notp.chain', 'notp')) >= PEOPLE, true);
    });

    it('bring it one each, without it', async () => {
      world.server.sql('ALTER SYSTEM SET max_connections TO 200');
      await world.server.stop();
      await world.server.start();
      const { ran, connections } = await world.storm('straight');
      assert.deepEqual(
        ran.filter(({ code }) => code !== 0),
        [],
      );
      assert.equal(connections, PEOPLE);
    });
  },
);

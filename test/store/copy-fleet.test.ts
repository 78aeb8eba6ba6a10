/** Other hosts of a fleet go on while one copies: what they decide is never lost, and never written over. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { copyStore } from '../../src/store/copy.ts';
import { copyStores } from '../../src/store/open.ts';
import { migratePostgresStore, openPostgresStore } from '../../src/store/postgres/postgres.ts';
import type { Store } from '../../src/store/store.ts';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { sleep } from '../support/process.ts';
import { ALICE, askAndSave } from './alice.ts';
import { placeOf } from './engines.ts';

const QUIET = { dryRun: false, onProgress: () => undefined } as const;

describe('a copy of a store that other hosts have too', { skip: lacksPostgres() }, () => {
  let server: Postgres;
  let databases = 0;
  before(async () => {
    server = await startPostgres('copy-fleet');
  });

  const empty = async (): Promise<string> => {
    const database = `fleet${String(databases++)}`;
    server.createDatabase(database);
    await migratePostgresStore(placeOf(server, database));
    return database;
  };
  const open = (database: string, host: string): Store => openPostgresStore(placeOf(server, database, host));
  /** Until `work` has ended or waits for a lock in the database: gives which. */
  const endedOrWaits = async (work: Promise<unknown>, database: string): Promise<'ended' | 'waits'> => {
    const ended = { yet: false };
    const end = (): void => {
      ended.yet = true;
    };
    work.then(end, end);
    const waiting = `SELECT count(*) FROM pg_stat_activity WHERE datname = '${database}' AND wait_event_type = 'Lock'`;
    for (;;) {
      await sleep(20);
      if (ended.yet) return 'ended';
      if (server.sql(waiting) !== '0') return 'waits';
    }
  };

  it('lets no code of another host be accepted in between', async () => {
    const [from, to] = [await empty(), await empty()];
    const [source, other, target] = [open(from, 'one'), open(from, 'two'), open(to, 'one')];
    await source.exclusively((transaction) => transaction.insert(ALICE));
    const spent = { ...ALICE, state: { ...ALICE.state, lastStep: ALICE.state.lastStep + 1 } };
    let decision: Promise<void> | undefined;
    const meanwhile: Store['exclusively'] = async (work) => {
      decision = other.exclusively((transaction) => askAndSave(transaction, spent));
      assert.equal(await endedOrWaits(decision, from), 'waits');
      return await target.exclusively(work);
    };
    await copyStore(source, { ...target, exclusively: meanwhile }, QUIET);
    await decision;
    for (const store of [source, other, target]) store.close();
  });

  it('writes nothing over that another host enrolls meanwhile', async () => {
    const [from, to] = [await empty(), await empty()];
    const [source, target, other] = [open(from, 'one'), open(to, 'one'), open(to, 'two')];
    await source.exclusively((transaction) => transaction.insert(ALICE));
    let enrolment: Promise<void> | undefined;
    const between: Store['exclusively'] = (work) =>
      target.exclusively((transaction) =>
        work({
          ...transaction,
          add: async (contents, onProgress) => {
            enrolment = other.exclusively((theirs) => theirs.insert({ ...ALICE, status: 'revoked' }));
            await endedOrWaits(enrolment, to);
            await transaction.add(contents, onProgress);
          },
        }),
      );
    await copyStore(source, { ...target, exclusively: between }, QUIET);
    await assert.rejects(enrolment ?? Promise.resolve(), /duplicate key/);
    for (const store of [source, target, other]) store.close();
  });

  it('is refused, and keeps nobody waiting for long, where both are one database under two names', async () => {
    const place = { kind: 'postgres', ...placeOf(server, await empty()) } as const;
    const again = { ...place, servers: [{ host: '127.0.0.1', port: server.port }] };
    await assert.rejects(copyStores(place, again, QUIET), { code: 'store_unavailable', message: /somebody else holds what is needed/ });
  });
});

/** The counters of HOTP secrets: each value is taken once, whoever asks at the same time. */
import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Store } from '../../src/store/store.ts';
import { run } from '../support/process.ts';
import { ENGINES, type Database } from './engines.ts';

const PROCESSES = 8;
const EACH = 15;
const [BANK, MAIL] = ['1'.repeat(32), '2'.repeat(32)] as const;

for (const { name, skip, ready } of ENGINES)
  describe(`the counter of a sealed file, in ${name}`, { skip }, () => {
    let make: () => Promise<Database>;
    let database: Database;
    let store: Store;
    before(async () => {
      make = await ready('counters');
    });
    beforeEach(async () => {
      database = await make();
      store = database.open();
    });
    afterEach(() => {
      store.close();
    });
    const counter = (id: string): Promise<number | undefined> => store.exclusively((transaction) => transaction.counter(id));

    it('is none before it was set, and its own for each file', async () => {
      assert.equal(await counter(BANK), undefined);
      await store.exclusively(async (transaction) => {
        await transaction.setCounter(BANK, 0);
        await transaction.setCounter(MAIL, Number.MAX_SAFE_INTEGER);
      });
      assert.deepEqual([await counter(BANK), await counter(MAIL)], [0, Number.MAX_SAFE_INTEGER]);
      await store.exclusively((transaction) => transaction.setCounter(BANK, 5));
      store = database.open();
      assert.deepEqual([await counter(BANK), await counter(MAIL)], [5, Number.MAX_SAFE_INTEGER]);
    });

    it('is forgotten with its file, and not the others with it', async () => {
      await store.exclusively(async (transaction) => {
        await transaction.setCounter(BANK, 1);
        await transaction.setCounter(MAIL, 2);
        await transaction.dropCounter(BANK);
        await transaction.dropCounter('never there');
      });
      assert.deepEqual([await counter(BANK), await counter(MAIL)], [undefined, 2]);
    });

    it('stays where it was where the work throws', async () => {
      await store.exclusively((transaction) => transaction.setCounter(BANK, 3));
      const broken = store.exclusively(async (transaction) => {
        await transaction.setCounter(BANK, 4);
        throw new Error('no code was shown');
      });
      await assert.rejects(broken, /no code was shown/);
      assert.equal(await counter(BANK), 3);
    });

    it(`is taken once each by ${PROCESSES} processes at the same time, and none is left out`, async () => {
      await store.exclusively((transaction) => transaction.setCounter(BANK, 1000));
      const program = `
      ${database.opening}
      for (let i = 0; i < ${EACH}; i++) {
        const taken = await store.exclusively(async (transaction) => {
          const next = await transaction.counter('${BANK}');
          await new Promise((resolve) => setTimeout(resolve, 1));
          await transaction.setCounter('${BANK}', next + 1);
          return next;
        });
        console.log(taken);
      }
      store.close();`;
      const ran = await Promise.all(Array.from({ length: PROCESSES }, () => run([process.execPath, '--input-type=module', '-e', program])));
      for (const { code, stderr } of ran) assert.equal(code, 0, stderr);
      const taken = ran.flatMap(({ stdout }) => stdout.trim().split('\n').map(Number)).toSorted((a, b) => a - b);
      assert.deepEqual(
        taken,
        Array.from({ length: PROCESSES * EACH }, (_, i) => 1000 + i),
      );
      assert.equal(await counter(BANK), 1000 + PROCESSES * EACH);
    });
  });

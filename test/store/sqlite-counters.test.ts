/** The counters of HOTP secrets: each value is taken once, whoever asks at the same time. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { ROOT, run } from '../support/process.ts';
import { scratchFolder } from '../support/world.ts';

const PROCESSES = 8;
const EACH = 15;
const [BANK, MAIL] = ['1'.repeat(32), '2'.repeat(32)] as const;

describe('the counter of a sealed file', () => {
  let folder: string;
  let file: string;
  let store: Store;
  let count = 0;
  before(() => {
    folder = scratchFolder('store-counters');
  });
  beforeEach(() => {
    file = path.join(folder, `${String(count++)}.db`);
    store = openSqliteStore(file, { create: true });
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
    store.close();
    store = openSqliteStore(file, { create: false });
    assert.deepEqual([await counter(BANK), await counter(MAIL)], [5, Number.MAX_SAFE_INTEGER]);
    store.close();
  });

  it('is forgotten with its file, and not the others with it', async () => {
    await store.exclusively(async (transaction) => {
      await transaction.setCounter(BANK, 1);
      await transaction.setCounter(MAIL, 2);
      await transaction.dropCounter(BANK);
      await transaction.dropCounter('never there');
    });
    assert.deepEqual([await counter(BANK), await counter(MAIL)], [undefined, 2]);
    store.close();
  });

  it('stays where it was where the work throws', async () => {
    await store.exclusively((transaction) => transaction.setCounter(BANK, 3));
    const broken = store.exclusively(async (transaction) => {
      await transaction.setCounter(BANK, 4);
      throw new Error('no code was shown');
    });
    await assert.rejects(broken, /no code was shown/);
    assert.equal(await counter(BANK), 3);
    store.close();
  });

  it(`is taken once each by ${PROCESSES} processes at the same time, and none is left out`, async () => {
    await store.exclusively((transaction) => transaction.setCounter(BANK, 1000));
    const program = `
      import { openSqliteStore } from ${JSON.stringify(path.join(ROOT, 'src/store/sqlite.ts'))};
      const store = openSqliteStore(process.argv[1], { create: false });
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
    const ran = await Promise.all(
      Array.from({ length: PROCESSES }, () => run([process.execPath, '--input-type=module', '-e', program, file])),
    );
    for (const { code, stderr } of ran) assert.equal(code, 0, stderr);
    const taken = ran.flatMap(({ stdout }) => stdout.trim().split('\n').map(Number)).toSorted((a, b) => a - b);
    assert.deepEqual(
      taken,
      Array.from({ length: PROCESSES * EACH }, (_, i) => 1000 + i),
    );
    assert.equal(await counter(BANK), 1000 + PROCESSES * EACH);
    store.close();
  });
});

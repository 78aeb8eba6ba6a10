/** What the store keeps of changes that are under way, and of keys that were replaced. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { Enrolment, Store } from '../../src/store/store.ts';
import { scratchFolder } from '../support/world.ts';
import { ALICE } from './alice.ts';

describe('the store', () => {
  let folder: string;
  let file: string;
  let store: Store;
  let count = 0;
  before(() => {
    folder = scratchFolder('store-pending');
  });
  beforeEach(() => {
    file = path.join(folder, `${String(count++)}.db`);
    store = openSqliteStore(file, { create: true });
  });
  const present = (): Promise<Enrolment | undefined> => store.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));

  it('keeps that a pending file goes on with the state there is, or begins with one of its own', async () => {
    const inherits: Enrolment = { ...ALICE, pendingId: 'cd'.repeat(16), pendingState: {} };
    await store.exclusively((transaction) => transaction.insert(inherits));
    assert.deepEqual(await present(), inherits);
    await store.exclusively((transaction) => transaction.save({ ...ALICE, pendingId: 'ef'.repeat(16) }));
    assert.deepEqual(await present(), { ...ALICE, pendingId: 'ef'.repeat(16) });
    await store.exclusively((transaction) => transaction.save(inherits));
    assert.deepEqual(await present(), inherits);
    store.close();
  });

  it('keeps what a pending file starts with: new recovery codes alone, or the counter of a token', async () => {
    const pending = { ...ALICE, pendingId: 'cd'.repeat(16) };
    const states: readonly Enrolment['pendingState'][] = [
      { spent: '0000' },
      { spent: '' },
      { ...ALICE.pendingState, ...{ lastStep: 41, bucket: { tokens: 5, asOfMs: ALICE.state.bucket.asOfMs }, spent: '00' } },
      { lastStep: -1, bucket: ALICE.state.bucket, spent: '' },
      {},
    ];
    await store.exclusively((transaction) => transaction.insert({ ...pending, pendingState: { spent: '1' } }));
    assert.deepEqual(await present(), { ...pending, pendingState: { spent: '1' } });
    for (const pendingState of states) {
      await store.exclusively((transaction) => transaction.save({ ...pending, pendingState }));
      assert.deepEqual(await present(), { ...pending, pendingState });
    }
    store.close();
  });

  it('keeps the keys that the audit chain had before, each once', async () => {
    const keys = [9, 3, 255].map((byte) => new Uint8Array(32).fill(byte));
    const kept = (from = store): Promise<readonly Uint8Array[]> => from.exclusively((transaction) => transaction.formerChainKeys());
    assert.deepEqual(await kept(), []);
    for (const key of [...keys, ...keys]) await store.exclusively((transaction) => transaction.keepChainKey(key));
    store.close();
    const again = openSqliteStore(file, { create: false });
    assert.deepEqual(
      await kept(again),
      [3, 9, 255].map((byte) => new Uint8Array(32).fill(byte)),
    );
    await assert.rejects(
      again.exclusively(async (transaction) => {
        await transaction.keepChainKey(new Uint8Array(32));
        throw new Error('the key was not changed');
      }),
      /not changed/,
    );
    assert.equal((await kept(again)).length, 3);
    again.close();
  });
});

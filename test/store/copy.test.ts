/** A store that is copied into another kind and back is the same, and what is there already is not overwritten. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { copyStore } from '../../src/store/copy.ts';
import type { Contents, Tally, Store } from '../../src/store/store.ts';
import { lacksPostgres } from '../support/postgres.ts';
import { ALICE } from './alice.ts';
import { ENGINES, type Database } from './engines.ts';

const BOB = { ...ALICE, user: 'bob', id: 'b'.repeat(32), pendingId: 'c'.repeat(32), status: 'revoked' } as const;
const COUNTED: Tally = {
  ...{ user: 'alice', records: { tokens: 0.25, asOfMs: 1_700_000_000_123 }, count: 12_345, sinceMs: 1_700_000_000_000 },
  ...{ untilMs: 1_700_000_000_456, ref: '0123abcd', shared: '{"event":"login.refused","rhost":"2001:db8::1"}' },
};
const CONNECTION = { pid: 4711, startTicks: 123_456, bootId: '12345678-1234-1234-1234-123456789abc' };
const PEER = { digest: 'd'.repeat(64), acceptedMs: 1_700_000_000_456 };
const HEAD = { seq: 1_234, hash: 'e'.repeat(64) };
const QUIET = { dryRun: false, onProgress: () => undefined } as const;

const GRANT = {
  ...{ id: '1a2b3c4d', user: 'alice', uid: 1000, madeMs: 1_700_000_000_000, untilMs: 1_700_003_600_000 },
  ...{ from: '2001:db8::/32', key: 'ab'.repeat(32), service: 'sshd', reason: 'é' },
};
const IMPORTED = { uid: 1000, mark: '0123456789abcdef', key: 'fedcba9876543210', lastStep: 59_000_001, codes: 'c0de5000', spent: '0110' };

async function fill(store: Store): Promise<void> {
  await store.exclusively(async (transaction) => {
    await transaction.insert(ALICE);
    await transaction.insert(BOB);
    await transaction.saveTally('refusals', COUNTED);
    await transaction.remember(ALICE, CONNECTION);
    await transaction.rememberPeer(ALICE, PEER);
    await transaction.setCounter(ALICE.id, Number.MAX_SAFE_INTEGER);
    await transaction.putSealed('alice', 'ssh', '{"a":"é\\n"}');
    await transaction.approve({ user: 'alice', asOfMs: 1_700_000_000_789 });
    await transaction.keepGrant(GRANT);
    await transaction.putRules({ text: '[[rule]]\nask = "code"\n', asOfMs: 1_700_000_000_000 });
    await transaction.noteMember({ host: 'web1', untilMs: 1_700_000_000_000, seenMs: 1_690_000_000_000 });
    await transaction.keepImport(IMPORTED);
    await transaction.keepChainKey(new Uint8Array(32).fill(7));
    await transaction.moveHead(HEAD);
  });
}

const interrupt = (rows: number): void => {
  if (rows > 30) throw new Error('interrupted');
};

const contentsOf = (store: Store): Promise<Contents> => store.exclusively((transaction) => transaction.contents());

describe('a copy of a store', { skip: lacksPostgres() }, () => {
  const make: (() => Promise<Database>)[] = [];
  before(async () => {
    for (const { ready } of ENGINES) make.push(await ready('copy'));
  });
  const empty = async (engine: number): Promise<Store> => {
    const database = await make[engine]?.();
    if (database === undefined) throw new Error('no such engine');
    return database.open();
  };

  for (const [first, second] of [
    [0, 1],
    [1, 0],
  ] as const) {
    it(`keeps each record that waits for the log, in ${ENGINES[second]?.name ?? ''}`, async () => {
      const [source, target] = [await empty(first), await empty(second)];
      await fill(source);
      await source.exclusively(async (transaction) => {
        for (const [i, length] of [20, 600, 1_500, 20].entries()) {
          await transaction.keepLine({ seq: HEAD.seq + 1 + i, line: `${String(i).repeat(length)}\n` });
          await transaction.moveHead({ ...HEAD, seq: HEAD.seq + 1 + i }, i + 1);
        }
      });
      await copyStore(source, target, QUIET);
      const { backlog } = await contentsOf(target);
      assert.equal(backlog.length, 4);
      assert.deepEqual(backlog, (await contentsOf(source)).backlog);
    });

    it(`holds all that it held, in ${ENGINES[second]?.name ?? ''} and back in ${ENGINES[first]?.name ?? ''}`, async () => {
      const stores = [await empty(first), await empty(second), await empty(first)] as const;
      const [source, there, back] = stores;
      await fill(source);
      const rows: number[] = [];
      const counts = await copyStore(source, there, { dryRun: false, onProgress: (done, total) => void rows.push(done / total) });
      assert.deepEqual(counts, {
        enrolment: 2,
        connection: 1,
        peer: 1,
        counter: 1,
        sealed: 1,
        approved: 1,
        granted: 1,
        rules: 1,
        member: 1,
        imported: 1,
        former_chain_key: 1,
        refusals: 1,
        acceptances: 0,
      });
      assert.equal(rows.at(-1), 1);
      await copyStore(there, back, QUIET);
      assert.deepEqual(await contentsOf(back), await contentsOf(source));
      await back.exclusively(async (transaction) => {
        assert.deepEqual(await transaction.enrolmentsOf('alice'), [ALICE]);
        assert.deepEqual(await transaction.enrolment('bob', 'ssh'), BOB);
        assert.deepEqual(await transaction.tally('refusals', 'alice'), COUNTED);
        assert.deepEqual(await transaction.imports(1000), [IMPORTED]);
        assert.deepEqual(await transaction.imports(1001), []);
        assert.deepEqual(await transaction.head(), HEAD);
        assert.ok(await transaction.remembers(ALICE, CONNECTION));
        assert.equal(await transaction.lastAccepted(ALICE, PEER.digest), PEER.acceptedMs);
        assert.equal(await transaction.counter(ALICE.id), Number.MAX_SAFE_INTEGER);
        // A login finds the places that it needs.
        for (let pid = 1; pid <= 8; pid++) await transaction.remember(BOB, { ...CONNECTION, pid });
        for (let pid = 1; pid <= 8; pid++) assert.ok(await transaction.remembers(BOB, { ...CONNECTION, pid }));
      });
      for (const store of stores) store.close();
    });
  }

  it('adds nothing where it is there already, and where it shall only be said', async () => {
    const [source, target] = [await empty(0), await empty(1)];
    await fill(source);
    const counts = await copyStore(source, target, { ...QUIET, dryRun: true });
    assert.equal(counts['enrolment'], 2);
    assert.deepEqual((await contentsOf(target)).tables['enrolment'], []);
    await copyStore(source, target, QUIET);
    const again = await copyStore(source, target, QUIET);
    assert.deepEqual(new Set(Object.values(again)), new Set([0]));
    for (const store of [source, target]) store.close();
  });

  for (const [first, second] of [
    [0, 1],
    [1, 0],
  ] as const)
    it(`leaves nothing in ${ENGINES[second]?.name ?? ''} where it is interrupted, and is made whole by another`, async () => {
      const [source, target] = [await empty(first), await empty(second)];
      // What is pending takes over nothing, all, or all but the recovery codes.
      const pending = [ALICE.pendingState, {}, { spent: '1' }];
      const many = Array.from({ length: 60 }, (_, i) => ({ ...ALICE, user: `u${String(i)}`, pendingState: pending[i % 3] ?? {} }));
      await source.exclusively(async (transaction) => {
        for (const each of many) await transaction.insert(each);
      });
      await assert.rejects(copyStore(source, target, { dryRun: false, onProgress: interrupt }), { message: 'interrupted' });
      assert.deepEqual((await contentsOf(target)).tables['enrolment'], []);
      await copyStore(source, target, QUIET);
      assert.deepEqual(await contentsOf(target), await contentsOf(source));
      const copied = await target.exclusively((transaction) => transaction.enrolments());
      assert.deepEqual(
        copied,
        many.toSorted((a, b) => (a.user < b.user ? -1 : 1)),
      );
      for (const store of [source, target]) store.close();
    });

  it('is refused as a whole where the target has an enrolment otherwise, or a chain of its own', async () => {
    const [source, target] = [await empty(0), await empty(1)];
    await fill(source);
    await target.exclusively((transaction) => transaction.insert({ ...BOB, status: 'active' }));
    await assert.rejects(copyStore(source, target, QUIET), {
      code: 'refused',
      message: 'the target has other values for enrolment bob ssh',
    });
    assert.equal((await contentsOf(target)).tables['enrolment']?.length, 1);
    const other = await empty(1);
    await other.exclusively((transaction) => transaction.moveHead({ seq: 5, hash: 'f'.repeat(64) }));
    await assert.rejects(copyStore(source, other, QUIET), /the audit chain of this host, at record 5/);
    for (const store of [source, target, other]) store.close();
  });

  it('adds the users of a second host to those of the first', async () => {
    const [source, target] = [await empty(0), await empty(1)];
    await target.exclusively((transaction) => transaction.insert({ ...ALICE, user: 'carol' }));
    await fill(source);
    await copyStore(source, target, QUIET);
    const users = (await contentsOf(target)).tables['enrolment']?.map(([user]) => user);
    assert.deepEqual(users, ['alice', 'bob', 'carol']);
    for (const store of [source, target]) store.close();
  });
});

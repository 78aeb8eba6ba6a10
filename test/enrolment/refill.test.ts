/** `notp unlock` of many contexts: each gets a record, and a crash leaves a log that is whole. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { verifyLog } from '../../src/audit/verify.ts';
import { refill } from '../../src/enrolment/refill.ts';
import { chainKeys, type State } from '../../src/state/state.ts';
import { localWorld, ORIGIN, POLICY } from '../login/local-world.ts';

const CONTEXTS = 66;

/** The state with a disk that dies when a transaction commits. */
const failing = (state: State): State => ({
  ...state,
  store: {
    ...state.store,
    exclusively: (work) =>
      state.store.exclusively(async (transaction) => {
        await work(transaction);
        throw new Error('the disk has died');
      }),
  },
});

describe('budgets of more enrolments than one transaction may have records', () => {
  it('are refilled, each with a record, and a commit that failed leaves no broken log', async () => {
    const world = localWorld('refill-many');
    for (let i = 0; i < CONTEXTS; i++) await world.enrol(`c${String(i)}`);
    const unlock = (change: (state: State) => State = (state) => state): Promise<readonly unknown[]> =>
      world.withState((state) => refill(change(state), ORIGIN, undefined, { policy: POLICY, contexts: ['ssh'] }, world.nowMs));
    await assert.rejects(unlock(failing), /the disk has died/);
    assert.equal((await unlock()).length, CONTEXTS);
    await world.withState(async (state) => {
      const known = await state.store.exclusively((transaction) => transaction.head());
      const keys = chainKeys(state, []);
      const { problems } = await verifyLog(world.place.auditFile, { known, keys, headNow: () => Promise.resolve(known) });
      assert.deepEqual(problems, []);
    });
    const unlocked = world.records().slice(-CONTEXTS);
    assert.ok(unlocked.every(({ event }) => event === 'unlock'));
    assert.equal(new Set(unlocked.map(({ context }) => context)).size, CONTEXTS);
  });
});

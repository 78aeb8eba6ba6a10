/** A state that was put back: the log beside it tells what is forgotten, whatever it was, and what a crash leaves is none of it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { verifyLog, type Report } from '../../src/audit/verify.ts';
import { isLost, moveToLast } from '../../src/audit/resume.ts';
import { refill } from '../../src/enrolment/refill.ts';
import { invite, revoke } from '../../src/enrolment/registrar.ts';
import { chainKeys, type State } from '../../src/state/state.ts';
import { localWorld, ORIGIN, POLICY, recoveryProof, type LocalWorld } from '../login/local-world.ts';

const CONTEXTS = ['ssh', 'phone', 'key', 'desk'];

/** What `notp audit verify` finds. */
async function verified(world: LocalWorld): Promise<Report> {
  return await world.withState(async (state) => {
    const head = await state.store.exclusively((transaction) => transaction.head());
    return await verifyLog(world.place.auditFile, { known: head, headNow: () => Promise.resolve(head), keys: chainKeys(state, []) });
  });
}

/** The same state, whose power fails when a transaction has written all of its records and is not committed. */
function failing(state: State): State {
  const exclusively: State['store']['exclusively'] = (work) =>
    state.store.exclusively(async (transaction) => {
      await work(transaction);
      throw new Error('the power failed');
    });
  return { ...state, store: { ...state.store, exclusively } };
}

describe('a state that was put back', () => {
  it('was called whole where revocations, enrolments and unlocks were forgotten, so that who was revoked logged in again', async () => {
    const world = localWorld('put-back-changes');
    for (const context of CONTEXTS) await world.enrol(context);
    const changes: readonly ((state: State, context: string) => Promise<unknown>)[] = [
      (state, context) => revoke(state, { ...ORIGIN, context }),
      (_, context) => world.enrol(context),
      (state, context) => refill(state, ORIGIN, undefined, { policy: POLICY, contexts: [context] }, world.nowMs),
    ];
    for (const [i, change] of changes.entries()) {
      const kept = fs.readFileSync(databaseOf(world));
      for (const context of CONTEXTS.slice(0, 2)) await world.withState((state) => change(state, context));
      fs.writeFileSync(databaseOf(world), kept);
      // At once, and after the next record.
      for (let record = 0; record < 2; record++) {
        const { problems } = await verified(world);
        assert.equal(problems.length, i + 1, problems.join('\n'));
        assert.match(problems.at(-1) ?? '', /were written and answered, but the state does not know them: an earlier state was restored/);
        await world.verify({ kind: 'absent' }, recoveryProof('0'));
      }
    }
  });

  it('is not told from what a crash left where a single change was forgotten, which stands there as cut off', async () => {
    const world = localWorld('put-back-one');
    await world.enrol();
    const kept = fs.readFileSync(databaseOf(world));
    await world.withState((state) => revoke(state, ORIGIN));
    fs.writeFileSync(databaseOf(world), kept);
    for (let record = 0; record < 2; record++) {
      const { problems, cutOff, cutOffAt } = await verified(world);
      assert.deepEqual([problems, cutOff, cutOffAt], [[], 1, [`${world.place.auditFile}:2`]]);
      await world.verify({ kind: 'absent' }, recoveryProof('0'));
    }
  });

  it('is none where the power failed in the middle of an unlock of many devices', async () => {
    const world = localWorld('put-back-unlock');
    for (const context of CONTEXTS) await world.enrol(context);
    await world.withState(async (state) => {
      const unlock = refill(failing(state), ORIGIN, undefined, { policy: POLICY, contexts: CONTEXTS }, world.nowMs);
      await assert.rejects(unlock, /the power failed/);
    });
    for (let record = 0; record < 2; record++) {
      const { problems, cutOff } = await verified(world);
      assert.deepEqual([problems, cutOff], [[], CONTEXTS.length]);
      await world.verify({ kind: 'absent' }, recoveryProof('0'));
    }
  });
});

describe('a head that says that there is no record', () => {
  it('was believed beside a log that has some, which was broken for ever', async () => {
    const world = localWorld('put-back-none');
    for (const context of CONTEXTS) await world.enrol(context);
    const none = '0'.repeat(64);
    const database = new DatabaseSync(databaseOf(world));
    database.exec(`UPDATE chain SET seq = 0, hash = '${none}', mac = '${none}'`);
    database.close();
    const before = world.records().length;
    assert.equal(await world.verify({ kind: 'absent' }, recoveryProof('0')), 'store_unavailable');
    assert.match(String(world.records().at(-1)?.['detail']), /the store knows no record of \S+audit\.log, which has \d+: the store is new/);
    // Nor behind as many lines outside the chain as refusals without a store make in an hour.
    const unlinked = `${fs.readFileSync(world.place.auditFile, 'utf8').trim().split('\n').at(-1) ?? ''}\n`;
    fs.appendFileSync(world.place.auditFile, unlinked.repeat(Math.ceil(600_000 / unlinked.length)));
    assert.equal(await world.verify({ kind: 'absent' }, recoveryProof('0')), 'store_unavailable');
    const { problems } = await verified(world);
    assert.match(problems.join(), /the state does not know them: an earlier state was restored/);
    await world.withState((state) =>
      state.store.exclusively(async (transaction) => {
        const keys = chainKeys(state, []);
        assert.ok(isLost(world.place.auditFile, await transaction.head()));
        assert.equal(await moveToLast(world.place.auditFile, transaction, keys), before);
      }),
    );
    assert.equal(await world.verify({ kind: 'absent' }, recoveryProof('0')), 'bad_secret_file');
    assert.deepEqual((await verified(world)).problems, []);
  });

  it('is that of a host whose first record a crash cut off', async () => {
    const world = localWorld('put-back-first');
    await world.withState(async (state) => {
      await assert.rejects(invite(failing(state), ORIGIN, POLICY, world.nowMs), /the power failed/);
    });
    await world.enrol();
    const { problems, cutOff } = await verified(world);
    assert.deepEqual([problems, cutOff], [[], 1]);
  });
});

function databaseOf({ place }: LocalWorld): string {
  return place.store.kind === 'sqlite' ? place.store.path : '';
}

/** A clock that was ahead while somebody logged in: when it is right again, an administrator can bring the account back to the present. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refill } from '../../src/enrolment/care.ts';
import { lacks } from '../support/world.ts';
import { localWorld, ORIGIN, PERIOD_MS, POLICY } from './local-world.ts';

const AHEAD_MS = 48 * 3_600_000;

describe('a clock that was ahead', { skip: lacks({ programs: ['getent'] }) }, () => {
  it('kept the owner out for as long as it was ahead, and unlock changed nothing', async () => {
    const world = localWorld('clock-ahead');
    const owner = await world.enrol();
    world.nowMs += AHEAD_MS;
    assert.equal(await world.verify(owner, world.code(owner)), 'totp');
    world.nowMs -= AHEAD_MS;
    assert.equal(await world.verify(owner, world.code(owner)), 'replayed');
    const config = { policy: POLICY, contexts: ['ssh'] };
    const unlocked = await world.withState((state) => refill(state, ORIGIN, 'ssh', config, world.nowMs));
    assert.deepEqual(
      unlocked.map(({ stepsAhead, budget }) => [stepsAhead, budget]),
      [[AHEAD_MS / PERIOD_MS, 5]],
    );
    assert.match(JSON.stringify(world.records().at(-1)), /a clock 5760 steps ahead/);
    assert.equal(await world.verify(owner, world.code(owner)), 'replayed', 'a code of the present stays used');
    assert.equal(await world.verify(owner, world.code(owner, -1)), 'replayed', 'and one of the past');
    world.nowMs += PERIOD_MS;
    assert.equal(await world.verify(owner, world.code(owner)), 'totp');
  });

  it('moves nothing where it was right all the time', async () => {
    const world = localWorld('clock-right');
    const owner = await world.enrol();
    assert.equal(await world.verify(owner, world.code(owner)), 'totp');
    const before = (await world.enrolment())?.state.lastStep;
    await world.withState((state) => refill(state, ORIGIN, 'ssh', { policy: POLICY, contexts: ['ssh'] }, world.nowMs));
    assert.equal((await world.enrolment())?.state.lastStep, before);
  });
});

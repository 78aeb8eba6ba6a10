/** A clock that was ahead while somebody logged in: when it is right again, an administrator can bring the account back to the present. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refill } from '../../src/enrolment/refill.ts';
import { lacks } from '../support/world.ts';
import { revoke } from '../../src/enrolment/registrar.ts';
import { localWorld, ORIGIN, PERIOD_MS, POLICY, type Secret } from './local-world.ts';

const AHEAD_MS = 48 * 3_600_000;
const CONFIG = { policy: POLICY, contexts: ['ssh'] };

describe('a clock that was ahead', { skip: lacks({ programs: ['getent'] }) }, () => {
  it('kept the owner out for as long as it was ahead, and unlock changed nothing', async () => {
    const world = localWorld('clock-ahead');
    const owner = await world.enrol();
    world.nowMs += AHEAD_MS;
    assert.equal(await world.verify(owner, world.code(owner)), 'totp');
    world.nowMs -= AHEAD_MS;
    assert.equal(await world.verify(owner, world.code(owner)), 'replayed');
    const unlocked = await world.withState((state) => refill(state, ORIGIN, 'ssh', CONFIG, world.nowMs));
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

  it('was taken for the reason where the window had let a code in, which logged in again after an unlock', async () => {
    const world = localWorld('clock-window');
    const owner = await world.enrol();
    const next = world.code(owner, 1);
    assert.equal(await world.verify(owner, next), 'totp', 'a phone that is some seconds ahead');
    const unlocked = await world.withState((state) => refill(state, ORIGIN, undefined, CONFIG, world.nowMs));
    assert.deepEqual(
      unlocked.map(({ stepsAhead }) => stepsAhead),
      [0],
    );
    for (const ms of [0, PERIOD_MS, PERIOD_MS]) {
      world.nowMs += ms;
      assert.equal(await world.verify(owner, next), 'replayed');
    }
  });

  it('kept the owner out by a second device that was revoked since, past every unlock', async () => {
    const world = localWorld('clock-revoked');
    const contexts = ['ssh', 'phone'];
    const old = await world.enrol();
    const phone = await world.enrol('phone');
    const login = (secret: Secret, context: string): Promise<string> =>
      world.verify(secret, world.code(secret), { files: [{ context, found: { kind: 'sealed', file: secret.file } }], account: contexts });
    world.nowMs += AHEAD_MS;
    assert.equal(await login(old, 'ssh'), 'totp');
    world.nowMs -= AHEAD_MS;
    await world.withState((state) => revoke(state, ORIGIN));
    assert.equal(await login(phone, 'phone'), 'replayed');
    await world.withState((state) => refill(state, ORIGIN, 'phone', { policy: POLICY, contexts }, world.nowMs));
    world.nowMs += PERIOD_MS;
    assert.equal(await login(phone, 'phone'), 'totp');
    assert.equal((await world.enrolment())?.status, 'revoked');
  });

  it('moves nothing where it was right all the time', async () => {
    const world = localWorld('clock-right');
    const owner = await world.enrol();
    assert.equal(await world.verify(owner, world.code(owner)), 'totp');
    const before = (await world.enrolment())?.state.lastStep;
    await world.withState((state) => refill(state, ORIGIN, 'ssh', CONFIG, world.nowMs));
    assert.equal((await world.enrolment())?.state.lastStep, before);
  });
});

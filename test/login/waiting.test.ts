/** A code is judged as of when it came: it does not age while its question waits for its turn. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { before, describe, it } from 'node:test';
import { uptimeMs } from '../../src/store/clock.ts';
import { lacks } from '../support/world.ts';
import { localWorld, PERIOD_MS, POLICY, type LocalWorld, type Secret } from './local-world.ts';

describe('a question that waited', { skip: lacks({}) }, () => {
  let world: LocalWorld;
  let phone: Secret;
  before(async () => {
    world = localWorld('waiting');
    phone = await world.enrol();
  });

  it('is judged by the code that was right when it came, for 20 seconds, and by no older one', async () => {
    // The first millisecond in which the code of the present step is over.
    const code = world.code(phone);
    const overMs = (Math.floor(world.nowMs / PERIOD_MS) + POLICY.window + 1) * PERIOD_MS;
    world.nowMs = overMs;
    assert.equal(await world.verify(phone, code, { askedMs: overMs }), 'wrong_code');
    assert.equal(await world.verify(phone, code), 'wrong_code');
    world.nowMs = overMs + 20_000;
    assert.equal(await world.verify(phone, code, { askedMs: overMs - 1 }), 'wrong_code');
    world.nowMs = overMs + 19_999;
    assert.equal(await world.verify(phone, code, { askedMs: overMs - 1 }), 'totp');
    assert.equal(await world.verify(phone, code, { askedMs: overMs - 1 }), 'replayed');
  });

  it('for longer than anybody waits for the answer is refused, and its code was accepted and spent afterwards', async () => {
    world.nowMs += 2 * PERIOD_MS;
    const code = world.code(phone);
    assert.equal(await world.verify(phone, code, { untilMs: uptimeMs() }), 'store_unavailable');
    assert.equal(await world.verify(phone, code, { untilMs: uptimeMs() + 60_000 }), 'totp');
  });

  it('is given up while somebody else holds the state, however many steps its decision has left', async () => {
    world.nowMs += 2 * PERIOD_MS;
    const code = world.code(phone);
    const { path } = world.place.store.kind === 'sqlite' ? world.place.store : assert.fail();
    const source = `const { DatabaseSync } = require('node:sqlite');
      new DatabaseSync(process.argv[1]).exec('BEGIN EXCLUSIVE'); console.log('held'); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ['-e', source, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    // Without an end it would wait for 20 seconds for each step.
    assert.equal(await world.verify(phone, code, { untilMs: uptimeMs() + 500 }), 'store_unavailable');
    assert.equal(holder.exitCode, null);
    const ended = once(holder, 'exit');
    holder.kill('SIGKILL');
    await ended;
    assert.equal(await world.verify(phone, code), 'totp');
  });

  it('gives no guesses back, and takes no step back', async () => {
    world.nowMs += 2 * PERIOD_MS;
    const later = world.code(phone);
    assert.equal(await world.verify(phone, later), 'totp');
    const { state } = (await world.enrolment()) ?? assert.fail();
    world.nowMs += 1_000;
    const earlier = world.code(phone, -1);
    assert.equal(await world.verify(phone, earlier, { askedMs: world.nowMs - 20_000 }), 'replayed');
    const after = (await world.enrolment())?.state ?? assert.fail();
    assert.equal(after.lastStep, state.lastStep);
    assert.ok(after.bucket.tokens < state.bucket.tokens - 0.9 && after.bucket.asOfMs === world.nowMs);
  });

  it('that comes from a time to come did not wait', async () => {
    world.nowMs += 10 * POLICY.refillMs;
    assert.equal(await world.verify(phone, world.code(phone, 2), { askedMs: world.nowMs + PERIOD_MS }), 'wrong_code');
    assert.equal(await world.verify(phone, world.code(phone), { askedMs: world.nowMs + PERIOD_MS }), 'totp');
  });
});

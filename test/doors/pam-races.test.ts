/** Many at once, and ends at the worst moment, at the PAM door: one code, one login, and every try counted. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { before, describe, it } from 'node:test';
import { run } from '../support/process.ts';
import { addUser, installNotp, lacks, oathCode, untilFreshStep, type TestUser } from '../support/world.ts';
import { codeLine, pamService, pamWorld, PERMITTED, wrongCode, type PamWorld } from './pam-world.ts';

const CROWD = 40;
const KILLS = 25;

describe('the PAM door holds under a crowd and under kill -9', { skip: lacks({ root: true, programs: ['oathtool', 'pamtester'] }) }, () => {
  let world: PamWorld;
  let user: TestUser;

  before(async () => {
    world = await pamWorld('races');
    user = addUser();
  });

  it('accepts one right code once, of 40 that present it to PAM at the same time', async () => {
    const checker = `${installNotp(world.folder)} pam --config ${world.config}`;
    const service = pamService([codeLine(checker), ...PERMITTED]);
    const { secret } = await world.enroll(user);
    await untilFreshStep();
    const code = oathCode(secret);
    const ran = await Promise.all(
      Array.from({ length: CROWD }, () => run(['pamtester', service, user.name, 'authenticate'], { input: `${code}\n` })),
    );
    assert.equal(ran.filter(({ code: status }) => status === 0).length, 1);
    const records = world.records().filter((record) => record.service === service);
    assert.equal(records.length, CROWD);
    assert.equal(records.filter(({ result }) => result === 'accepted').length, 1);
    assert.equal(records.filter(({ reason }) => reason === 'replayed').length, 5);
  });

  it('judges five of 40 simultaneous wrong codes and counts them all; then one code is not enough, two are', async () => {
    const { secret, recovery } = await world.enroll(user);
    const wrong = wrongCode(secret);
    const before = world.records().length;
    const ran = await Promise.all(Array.from({ length: CROWD }, () => world.pam(user.name, wrong)));
    assert.deepEqual(
      ran.map(({ code }) => code),
      Array<number>(CROWD).fill(1),
    );
    const reasons = world
      .records()
      .slice(before)
      .map(({ reason }) => reason);
    assert.equal(reasons.length, CROWD);
    assert.equal(reasons.filter((reason) => reason === 'wrong_code').length, 5);
    assert.equal(reasons.filter((reason) => reason === 'step_up_required').length, CROWD - 5);

    await untilFreshStep();
    const single = await world.pam(user.name, oathCode(secret));
    assert.equal(world.recordIn(single.stdout).reason, 'step_up_required');
    const two = `${oathCode(secret, { offsetSeconds: -30 })} ${oathCode(secret)}`;
    assert.equal((await world.pam(user.name, two)).code, 0);

    const code = recovery[3] ?? '';
    const recovered = await Promise.all(Array.from({ length: 20 }, () => world.pam(user.name, code)));
    assert.equal(recovered.filter(({ code: status }) => status === 0).length, 1);
  });

  it('never accepts a code twice when it is killed at any moment, and the next login works', async () => {
    const { recovery } = await world.enroll(user, ['--recovery', String(KILLS + 1)]);
    const startMs = performance.now();
    assert.equal((await world.pam(user.name, recovery[KILLS] ?? '')).code, 0);
    const usualMs = performance.now() - startMs;
    let killed = 0;
    for (const [i, code] of recovery.slice(0, KILLS).entries()) {
      // Most of the time is the program's start: the later moments are the closer ones.
      const first = await world.pam(user.name, code, { timeoutMs: usualMs * (i / KILLS) ** 0.5 });
      killed += first.signal === 'SIGKILL' ? 1 : 0;
      const second = await world.pam(user.name, code);
      const reason = second.code === 0 ? undefined : world.recordIn(second.stdout).reason;
      // Spent by the first where it was told so, or where it was killed between the commit and the telling.
      assert.ok(reason === 'replayed' || (reason === undefined && first.code !== 0), `${String(first.code)}, then ${String(reason)}`);
    }
    assert.ok(killed > KILLS / 2, `only ${String(killed)} were killed`);
    const { secret } = await world.enroll(user);
    await untilFreshStep();
    assert.equal((await world.pam(user.name, oathCode(secret))).code, 0);
    const database = new DatabaseSync(`${world.folder}/var/state.db`, { readOnly: true });
    assert.deepEqual({ ...database.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
    database.close();
  });
});

/** Many at once, and ends at the worst moment, at the PAM door: one code, one login, and every try counted. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { before, beforeEach, describe, it } from 'node:test';
import { gathering } from '../support/gathering.ts';
import { run, type Ran } from '../support/process.ts';
import { addUser, installNotp, lacks, oathCode, untilFreshStep, type TestUser } from '../support/world.ts';
import { codeLine, pamService, pamWorld, PERMITTED, wrongCode, type PamOptions, type PamWorld } from './pam-world.ts';

const CROWD = 40;
const KILLS = 25;
/** Logins that show how long one takes: the shortest counts, whatever else the machine does. */
const MEASURED = 3;

describe('the PAM door holds under a crowd and under kill -9', { skip: lacks({ root: true, programs: ['oathtool', 'pamtester'] }) }, () => {
  let world: PamWorld;
  let user: TestUser;
  let notp: string;

  before(async () => {
    world = await pamWorld('races');
    notp = installNotp(world.folder);
  });
  beforeEach(() => {
    user = addUser();
  });

  /** `notp pam` as it is installed: the start from the sources takes longer than all the rest. */
  const present = async (proof: string, options: PamOptions = {}): Promise<Ran> =>
    await world.pam(user.name, proof, { program: [process.execPath, `${path.dirname(path.dirname(notp))}/dist/notp.cjs`], ...options });

  it('accepts one right code once, of 40 that present it to PAM at the same time', async () => {
    const service = pamService([codeLine(`${notp} pam --config ${world.config}`), ...PERMITTED]);
    const { secret } = await world.enroll(user);
    await untilFreshStep();
    const code = oathCode(secret);
    const [ran] = await Promise.all([
      Promise.all(Array.from({ length: CROWD }, () => run(['pamtester', service, user.name, 'authenticate'], { input: `${code}\n` }))),
      gathering(`${world.folder}/var/state.db`, CROWD),
    ]);
    assert.equal(ran.filter(({ code: status }) => status === 0).length, 1);
    const records = world.records().filter((record) => record.service === service);
    assert.equal(records.length, CROWD);
    assert.equal(records.filter(({ result }) => result === 'accepted').length, 1);
    assert.equal(records.filter(({ reason }) => reason === 'replayed').length, 5);
  });

  it('judges five of 40 simultaneous wrong codes and counts them all; then one code is not enough, two are', async () => {
    const { secret, recovery } = await world.enroll(user);
    const wrong = wrongCode(secret);
    const recorded = world.records().length;
    const ran = await Promise.all(Array.from({ length: CROWD }, () => present(wrong)));
    assert.deepEqual(
      ran.map(({ code }) => code),
      Array<number>(CROWD).fill(1),
    );
    const reasons = world
      .records()
      .slice(recorded)
      .map(({ reason }) => reason);
    assert.equal(reasons.length, CROWD);
    assert.equal(reasons.filter((reason) => reason === 'wrong_code').length, 5);
    assert.equal(reasons.filter((reason) => reason === 'step_up_required').length, CROWD - 5);

    await untilFreshStep();
    const single = await present(oathCode(secret));
    assert.equal(world.recordIn(single.stdout).reason, 'step_up_required');
    const two = `${oathCode(secret, { offsetSeconds: -30 })} ${oathCode(secret)}`;
    assert.equal((await present(two)).code, 0);

    const code = recovery[3] ?? '';
    const recovered = await Promise.all(Array.from({ length: 20 }, () => present(code)));
    assert.equal(recovered.filter(({ code: status }) => status === 0).length, 1);
  });

  it('never accepts a code twice when it is killed at any moment, and the next login works', async () => {
    const { recovery } = await world.enroll(user, ['--recovery', String(KILLS + MEASURED)]);
    const durations: number[] = [];
    for (const code of recovery.slice(KILLS)) {
      const startMs = performance.now();
      assert.equal((await present(code)).code, 0);
      durations.push(performance.now() - startMs);
    }
    const usualMs = Math.min(...durations);
    let killed = 0;
    for (const [i, code] of recovery.slice(0, KILLS).entries()) {
      // Most of the time is the program's start: the later moments are the closer ones.
      const first = await present(code, {
        timeoutMs: usualMs * (i / KILLS) ** 0.5,
      });
      killed += first.signal === 'SIGKILL' ? 1 : 0;
      const second = await present(code);
      const reason = second.code === 0 ? undefined : world.recordIn(second.stdout).reason;
      // Spent by the first where it was told so, or where it was killed between the commit and the telling.
      assert.ok(reason === 'replayed' || (reason === undefined && first.code !== 0), `${String(first.code)}, then ${String(reason)}`);
    }
    assert.ok(killed >= KILLS / 4, `only ${String(killed)} were killed`);
    const { secret } = await world.enroll(user);
    await untilFreshStep();
    assert.equal((await present(oathCode(secret))).code, 0);
    const database = new DatabaseSync(`${world.folder}/var/state.db`, { readOnly: true });
    assert.deepEqual({ ...database.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
    database.close();
  });
});

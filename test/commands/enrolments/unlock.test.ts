/** `notp unlock`: an empty budget asks for two codes, a refilled one for one again; what is used stays used, and it is on record. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { acrossLines } from '../../support/process.ts';
import { lacks, oathCode, type Enrolled } from '../../support/world.ts';
import { assertRefused } from '../codes/own-codes.ts';
import { ownState, type OwnState } from '../own-state.ts';

/** Long, so that a code that was used stays in the window until the end of a test, however slow the machine is. */
const PERIOD_SECONDS = 300;

describe('unlocking one’s own enrolment', { skip: lacks({ programs: ['oathtool', 'python3'] }) }, () => {
  let own: OwnState;
  let ssh: Enrolled;
  before(async () => {
    own = ownState('unlock');
    ssh = await own.enrol('ssh', ['--period', String(PERIOD_SECONDS)]);
  });
  const facts = async (): Promise<Record<string, unknown>> =>
    JSON.parse((await own.notp(['status', 'ssh', '--json'])).stdout) as Record<string, unknown>;
  const reasonOf = async (code: string): Promise<string> => {
    const { reason, method } = JSON.parse((await own.verify(code)).stdout) as Record<string, unknown>;
    return String(reason ?? method);
  };

  /** The code of ssh so many steps from now. */
  const code = (steps: number): string =>
    oathCode(ssh.secret, { offsetSeconds: steps * PERIOD_SECONDS, options: [`--time-step-size=${String(PERIOD_SECONDS)}s`] });

  it('after six wrong tries lets a single code log in again, but none that was used', async () => {
    const [used, spent = ''] = [code(0), ssh.recovery[0]];
    assert.equal(await reasonOf(used), 'totp');
    assert.equal(await reasonOf(spent), 'recovery');
    const reasons = [];
    for (let i = 0; i < 6; i++) reasons.push(await reasonOf(code(-20)));
    assert.deepEqual(reasons, [...Array<string>(5).fill('wrong_code'), 'step_up_required']);
    const empty = await facts();
    assert.deepEqual([empty['budget'], empty['step_up']], [0, true]);
    assert.match((await own.notp(['status'])).stdout, /0 of 5; one more in 59 minutes\n[^]*two consecutive codes[^]*\n {2}run +\S.*unlock/);

    const { stdout, stderr, ...ended } = await own.notp(['unlock']);
    assert.deepEqual([ended.code, stdout], [0, '']);
    assert.match(stderr, /^Unlocked: \w+ has 5 tries with ssh again \(0 were left\)\nnotp: hint: notp audit shows the refused tries/);
    const full = await facts();
    assert.deepEqual([full['budget'], full['step_up'], full['recovery_left']], [5, false, 9]);
    assert.equal(full['last_accepted'], empty['last_accepted']);
    assert.equal(await reasonOf(used), 'replayed');
    assert.equal(await reasonOf(spent), 'replayed');
    assert.equal(await reasonOf(code(1)), 'totp');
  });

  it('is on record each time, with what was left', () => {
    const record = own.records().find(({ event }) => event === 'unlock');
    const { user, context, door, result, detail } = record ?? {};
    assert.equal(typeof user, 'string');
    assert.deepEqual({ context, door, result, detail }, { context: 'ssh', door: 'cli', result: 'done', detail: '0 of 5 tries were left' });
  });

  it('that has all its tries does no harm, in JSON too', async () => {
    const known = own.records().filter(({ event }) => event === 'unlock').length;
    for (const left of [3, 5]) {
      const { stdout, stderr, ...ended } = await own.notp(['unlock', 'ssh', '--json']);
      assert.deepEqual([ended.code, stderr], [0, '']);
      const { user, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
      assert.equal(typeof user, 'string');
      assert.deepEqual(rest, { context: 'ssh', unlocked: true, budget_before: left, budget: 5 });
    }
    assert.equal(own.records().filter(({ event }) => event === 'unlock').length, known + 2);
    assert.equal((await own.notp(['audit', 'verify'])).code, 0);
  });

  it('without a context is all of them that are not revoked, with one the other is left alone', async () => {
    const deploy = await own.enrol('deploy');
    await own.enrol('gone');
    assert.equal((await own.notp(['revoke', 'gone', '--yes'])).code, 0);
    await own.verify(oathCode(deploy.secret, { offsetSeconds: -6000 }), 'deploy');
    const budget = async (): Promise<unknown> =>
      (JSON.parse((await own.notp(['status', 'deploy', '--json'])).stdout) as Record<string, unknown>)['budget'];
    assert.equal(await budget(), 4);
    await own.notp(['unlock', 'ssh']);
    assert.equal(await budget(), 4);
    const { stdout } = await own.notp(['unlock', '--json']);
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as Record<string, unknown>)['context']),
      ['deploy', 'ssh'],
    );
    assert.equal(await budget(), 5);
    assertRefused(await own.notp(['unlock', 'gone']), 1, /the enrolment of \w+ is revoked/);
  });

  it('says on a terminal what it did, at 40 columns too', async () => {
    const terminal = own.inTerminal(['unlock', 'ssh'], 40);
    await terminal.expect(acrossLines(/Unlocked: \w+ has 5 tries with ssh again/));
    assert.equal(await terminal.exited, 0);
    assert.ok(!terminal.output().includes('\x1b'));
  });

  it('is recorded in the state where the log takes no line, and in the log when it does', async () => {
    const other = ownState('unlock-unrecorded');
    const { secret } = await other.enrol();
    await other.verify(oathCode(secret, { offsetSeconds: -6000 }));
    const log = path.join(other.secrets, '.audit.log');
    fs.renameSync(log, `${log}.1`);
    fs.mkdirSync(log);
    assert.equal((await other.notp(['unlock'])).code, 0);
    assert.equal((JSON.parse((await other.notp(['status', '--json'])).stdout) as Record<string, unknown>)['budget'], 5);
    fs.rmdirSync(log);
    fs.renameSync(`${log}.1`, log);
    await other.verify(oathCode(secret, { offsetSeconds: -6000 }));
    const events = fs
      .readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { event: string }).event);
    assert.deepEqual(events.slice(-3), ['login.refused', 'unlock', 'login.refused']);
    assert.equal((await other.notp(['audit', 'verify'])).code, 0);
  });

  it('says where there is nothing to unlock', async () => {
    assertRefused(await own.notp(['unlock', 'other']), 1, /is not enrolled for other\nnotp: hint: enrolled: deploy, gone, ssh/);
    assertRefused(await own.notp(['unlock', '../x']), 2, /is not a context name/);
    assertRefused(await own.notp(['unlock', '--user', 'nobody-of-that-name']), 2, /there is no user/);
    assertRefused(await ownState('unlock-nobody').notp(['unlock']), 1, /is not enrolled/);
  });
});

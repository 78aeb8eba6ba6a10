/** `notp pam` in real stacks of PAM, asked by pamtester. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { run, type Ran } from '../support/process.ts';
import { addUser, installNotp, lacks, oathCode, runAs, untilFreshStep, type TestUser } from '../support/world.ts';
import { codeLine, pamService, pamWorld, PASSPHRASE, PERMITTED, wrongCode, type PamWorld } from './pam-world.ts';

describe('a code guards whatever asks PAM', { skip: lacks({ root: true, programs: ['pamtester', 'oathtool'] }) }, () => {
  let world: PamWorld;
  let user: TestUser;
  let checker: string;
  let service: string;

  before(async () => {
    world = await pamWorld('pamtester');
    user = addUser();
    checker = `${installNotp(world.folder)} pam --config ${world.config}`;
    service = pamService([codeLine(checker), ...PERMITTED]);
  });

  const ask = async (name: string, answer: string, stack = service, operation = 'authenticate'): Promise<Ran> =>
    await run(['pamtester', stack, name, operation], { input: `${answer}\n` });

  it('accepts a code once, and shows why it refuses it the second time', async () => {
    const { secret } = await world.enroll(user);
    await untilFreshStep();
    const code = oathCode(secret);
    const first = await ask(user.name, code);
    assert.equal(first.code, 0, first.stderr);
    const again = await ask(user.name, code);
    assert.notEqual(again.code, 0);
    assert.match(again.stdout + again.stderr, /notp: code already used/);
    assert.equal(world.recordIn(again.stdout + again.stderr).service, service);
  });

  it('takes passphrase and code in one line', async () => {
    const { secret } = await world.enrollWithPassphrase(user);
    await untilFreshStep();
    assert.equal((await ask(user.name, `${PASSPHRASE} ${oathCode(secret)}`)).code, 0);
  });

  it('refuses a wrong code, an unknown user and an unenrolled one', async () => {
    const { secret } = await world.enroll(user);
    const stranger = addUser();
    const known = await ask(user.name, wrongCode(secret));
    const unknown = await ask('nobody-of-that-name', oathCode(secret));
    const unenrolled = await ask(stranger.name, oathCode(secret));
    for (const { code } of [known, unknown, unenrolled]) assert.notEqual(code, 0);
    assert.match(known.stdout + known.stderr, /notp: code not accepted \(ref /);
    assert.match(unknown.stdout + unknown.stderr, /notp: code not accepted \(ref /);
    assert.equal(world.recordIn(unenrolled.stdout + unenrolled.stderr).reason, 'not_enrolled');
  });

  it('never lets another phase than auth pass', async () => {
    const { secret } = await world.enroll(user);
    await untilFreshStep();
    const line = codeLine(checker).replace('auth requisite', '');
    const phases = pamService([`account requisite ${line}`, `session requisite ${line}`, 'auth required pam_permit.so']);
    for (const operation of ['acct_mgmt', 'open_session']) {
      assert.notEqual((await ask(user.name, oathCode(secret), phases, operation)).code, 0, operation);
      assert.equal(world.lastRecord().reason, 'not_permitted');
    }
  });

  it('refuses when a user runs the stack without root', async () => {
    const { secret } = await world.enroll(user);
    await untilFreshStep();
    const ran = await runAs(user, ['pamtester', service, user.name, 'authenticate'], { input: `${oathCode(secret)}\n` });
    assert.notEqual(ran.code, 0);
    assert.match(ran.stdout + ran.stderr, /notp: not permitted/);
    assert.equal((await ask(user.name, oathCode(secret))).code, 0);
  });

  it('denies when the checker is missing, cannot run, or dies', async () => {
    const { secret } = await world.enroll(user);
    await untilFreshStep();
    const broken = `${world.folder}/broken`;
    fs.writeFileSync(broken, 'no program', { mode: 0o755 });
    for (const program of [`${world.folder}/no-such-program`, broken, `${checker} --no-such-option`, '/bin/sh -c kill\\ -9\\ $$']) {
      const stack = pamService([codeLine(program), 'auth required pam_permit.so', ...PERMITTED]);
      assert.notEqual((await ask(user.name, oathCode(secret), stack)).code, 0, program);
    }
  });
});

/** A login of people whose entries in the passwd database are not UTF-8, or are beside such entries. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, it } from 'node:test';
import { pamWorld, type PamWorld } from '../doors/pam-world.ts';
import { run } from '../support/process.ts';
import { addUser, lacks, oathCode, SOURCE_NOTP, untilFreshStep, type TestUser } from '../support/world.ts';
import { report } from '../trials/trial.ts';

const LATIN_1 = 'Jos\xe9 Mu\xf1oz';

describe('a passwd database that is not UTF-8', { skip: lacks({ root: true, programs: ['oathtool', 'usermod'] }) }, () => {
  let world: PamWorld;
  let held = 0;
  before(async () => {
    world = await pamWorld('names');
  });

  it('keeps nobody out whose real name is so', async () => {
    const user = addUser();
    usermod(user, '--comment', LATIN_1);
    const enrolled = await world.enroll(user);
    await untilFreshStep();
    assert.equal((await world.pam(user.name, oathCode(enrolled.secret))).code, 0);
    held++;
  });

  it('lets nobody in by a home whose name is so, and says so', async () => {
    const user = addUser();
    const enrolled = await world.enroll(user);
    usermod(user, '--move-home', '--home', `${user.home}\xe9`);
    await untilFreshStep();
    const code = oathCode(enrolled.secret);
    const { code: exit, stdout } = await world.pam(user.name, code);
    assert.equal(exit, 1);
    assert.equal(world.recordIn(stdout).detail, 'the sealed file is missing');
    const enroll = ['enroll', '--config', world.config, '--user', user.name, '--no-confirm', '--replace'];
    const { code: failed, stderr } = await run([...SOURCE_NOTP, ...enroll]);
    assert.equal(failed, 3);
    assert.match(
      stderr,
      new RegExp(`${user.home}\ufffd/.notp: no such file or directory \\(ENOENT\\)\\nnotp: hint: nothing was changed\\n$`),
    );
    usermod(user, '--move-home', '--home', user.home);
    assert.equal((await world.pam(user.name, code)).code, 0);
    held += 2;
  });

  it('is told how often', () => {
    report({ part: 'environment', tried: 'a login of a user whose real name or home is not UTF-8', times: 3, failed: 3 - held });
    assert.equal(held, 3);
  });
});

/** usermod(8), with words that are no text. */
function usermod(user: TestUser, ...words: string[]): void {
  const script = `usermod ${words.map((word) => `'${word}'`).join(' ')} ${user.name}\n`;
  const { status, stderr } = spawnSync('/bin/sh', {
    input: Buffer.from(script, 'latin1'),
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  assert.equal(status, 0, stderr.toString());
}

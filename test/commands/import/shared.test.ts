/** Two accounts have the same secret, and each has codes of its own: what one has used tells nothing of the other. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { pamWorld, type PamWorld } from '../../doors/pam-world.ts';
import { addUser, lacks, must, untilFreshStep } from '../../support/world.ts';
import { done, EMERGENCY, importing, left, leftIn, login, on } from './left.ts';

const [FIRST, SECOND] = EMERGENCY;

describe('a secret that another account has too', { skip: lacks({ root: true, programs: ['oathtool'] }) }, () => {
  let world: PamWorld;
  before(async () => {
    world = await pamWorld('shared', { top: 'context = ["ssh", "phone"]' });
  });
  const retire = async (): Promise<void> => {
    for (const words of [
      ['host-key', 'rotate'],
      ['reseal', '--all'],
      ['host-key', 'retire'],
    ])
      await done(on(world, ...words));
  };

  it('takes no used code again where the host key of its mark was retired, whatever the other account has used', async () => {
    const [alice, admin] = [addUser(), addUser()];
    const secret = left(world.folder);
    await done(importing(world, alice, secret));
    assert.equal(await login(world, alice, FIRST), 'in');
    await retire();
    await done(importing(world, admin, secret));
    await untilFreshStep(20);
    const code = secret.code();
    assert.equal(await login(world, alice, code), 'in');
    await done(on(world, 'enroll', '--replace', '--no-confirm', '--json', '--user', alice.name));
    assert.equal(await leftIn(importing(world, alice, secret, '--replace')), 0);
    for (const used of [code, FIRST]) assert.equal(await login(world, alice, used), 'replayed');
    // The other account has used none of them.
    assert.equal(await login(world, admin, FIRST), 'in');
  });

  it('takes no used counter again after it was revoked, whatever the other account has used', async () => {
    const [alice, admin] = [addUser(), addUser()];
    const token = left(world.folder, 1);
    await done(importing(world, alice, token));
    await retire();
    await done(importing(world, admin, token));
    for (const proof of [token.at(1), token.at(2), FIRST]) assert.equal(await login(world, alice, proof), 'in');
    await done(on(world, 'revoke', 'ssh', '--yes', '--user', alice.name));
    assert.equal(await leftIn(importing(world, alice, token, '--replace')), 0);
    for (const used of [token.at(1), token.at(2), FIRST]) assert.equal(await login(world, alice, used), 'replayed');
    assert.equal(await login(world, alice, token.at(3)), 'in');
  });

  it('takes no used code again where this account had it from notp, and only the other has imported it', async () => {
    const [alice, admin] = [addUser(), addUser()];
    const { secret } = JSON.parse(await done(on(world, 'enroll', '--no-confirm', '--json', '--user', alice.name))) as { secret: string };
    const of = left(world.folder);
    fs.writeFileSync(of.file, `${secret}\n" TOTP_AUTH\n`, { mode: 0o600 });
    await done(importing(world, admin, of));
    await untilFreshStep(20);
    const code = must(['oathtool', '--totp', '--base32', secret]).trim();
    assert.equal(await login(world, alice, code), 'in');
    await done(on(world, 'revoke', 'ssh', '--yes', '--user', alice.name));
    await done(importing(world, alice, of, '--replace'));
    assert.equal(await login(world, alice, code), 'replayed');
  });

  it('counts as used where the other account has used it, as it may have been this account under another uid', async () => {
    const [alice, admin] = [addUser(), addUser()];
    const secret = left(world.folder);
    await done(importing(world, admin, secret));
    assert.equal(await login(world, admin, FIRST), 'in');
    assert.equal(await leftIn(importing(world, alice, secret)), 3);
    assert.deepEqual([await login(world, alice, FIRST), await login(world, alice, SECOND)], ['replayed', 'in']);
  });

  it('takes no used code again under another uid, where the host key of its mark was retired and no code came in between', async () => {
    const alice = addUser();
    const secret = left(world.folder);
    await done(importing(world, alice, secret));
    assert.equal(await login(world, alice, FIRST), 'in');
    await retire();
    await done(on(world, 'enroll', '--replace', '--no-confirm', '--json', '--user', alice.name));
    must(['usermod', '--uid', String(alice.uid + 20_000), alice.name]);
    assert.equal(await leftIn(importing(world, alice, secret, 'phone')), 0);
    assert.equal(await login(world, alice, FIRST), 'replayed');
  });
});

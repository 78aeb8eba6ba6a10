/** Enrolling through the service: the confirmation, and that the old or the new enrolment works, whole, wherever it ends. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { codeAt } from '../../src/otp/code.ts';
import { hostSealKey } from '../../src/seal/keys.ts';
import { open } from '../../src/seal/seal.ts';
import { lacks } from '../support/world.ts';
import { localWorld, PERIOD_MS, WANTED, type LocalWorld, type Secret } from '../login/local-world.ts';
import { BEGIN, Client, inviteAlice, replacing, works } from './self-client.ts';

const NEEDS = lacks({ programs: ['getent'] });

let world: LocalWorld;
beforeEach(async () => {
  world = localWorld('self');
  await world.withState(() => Promise.resolve());
});

describe('the confirmation', { skip: NEEDS }, () => {
  let client: Client;
  beforeEach(async () => {
    await inviteAlice(world);
    client = new Client(world);
    await client.say(BEGIN);
  });

  it('takes a code of the step before and after, and none further away', async () => {
    for (const steps of [-2, 2]) assert.equal(await client.confirm(steps), 'wrong_code');
    assert.equal(await client.confirm(-1), 'sealed');
    await client.say(BEGIN);
    assert.equal(await client.confirm(1), 'sealed');
  });

  it('has three tries; then the secret is forgotten', async () => {
    for (let i = 0; i < 3; i++) assert.equal(await client.say({ step: 'confirm', code: '000000' }), 'wrong_code');
    await assert.rejects(client.confirm(), { code: 'usage', message: 'no enrolment was begun' });
    assert.equal((await world.enrolment())?.pendingId, '');
    assert.equal(await new Client(world).say(BEGIN), 'offer', 'the invitation stands');
  });

  it('is of the secret that was offered last', async () => {
    const first = client.secret;
    await client.say(BEGIN);
    assert.notDeepEqual(client.secret, first);
    assert.equal(await client.say({ step: 'confirm', code: codeAt(first, Math.floor(world.nowMs / PERIOD_MS), WANTED) }), 'wrong_code');
    assert.equal(await client.confirm(), 'sealed');
  });

  it('comes before the end', async () => {
    await assert.rejects(client.say({ step: 'complete' }), { code: 'usage', message: 'the enrolment was not confirmed' });
    assert.equal(await client.say({ step: 'abandon' }), 'done');
    await assert.rejects(client.confirm(), { code: 'usage' });
    const other = new Client(world);
    for (const step of ['complete', 'abandon'] as const) await assert.rejects(other.say({ step }), { code: 'usage' });
    await assert.rejects(other.say({ step: 'confirm', code: '123456' }), { code: 'usage' });
  });

  it('gives a file that the host key of this host opens, with that secret in it', async () => {
    await client.confirm();
    const { file } = client.made();
    await world.withState((state) => {
      assert.ok(state.hostKey !== undefined);
      const payload = open(file, hostSealKey(state.hostKey.key, file.id));
      assert.deepEqual(payload?.secret, client.secret);
      return Promise.resolve();
    });
    assert.deepEqual([file.user, file.context, file.seal.kind], ['alice', 'ssh', 'host']);
  });
});

describe('a replacement that breaks off', { skip: NEEDS }, () => {
  let old: Secret;
  let client: Client;
  beforeEach(async () => {
    old = await world.enrol();
    client = new Client(world, old);
    await client.say(replacing(world, old));
  });

  it('when the connection is lost before the confirmation leaves the old one', async () => {
    client.lose();
    assert.ok(await works(world, old));
    await assert.rejects(client.confirm(), { code: 'usage' });
  });

  it('when it is lost after the confirmation leaves whichever file is in place', async () => {
    await client.confirm();
    client.lose();
    assert.ok(await works(world, old), 'the old file is still there');
    const made = client.made();
    assert.ok(await works(world, made), 'the new file was put in its place');
    assert.ok(!(await works(world, old)), 'which ends the old one');
    assert.equal((await world.enrolment())?.id, made.file.id);
  });

  it('when it is abandoned leaves the old one, and the new file logs nobody in', async () => {
    await client.confirm();
    assert.equal(await client.say({ step: 'abandon' }), 'done');
    assert.ok(await works(world, old));
    assert.ok(!(await works(world, client.made())));
    assert.equal(
      world.records().some(({ event }) => event === 'enroll.failed'),
      true,
    );
  });

  it('can be done again, by somebody who shows a code again', async () => {
    await client.confirm();
    client.lose();
    world.nowMs += PERIOD_MS;
    const again = new Client(world, old);
    assert.equal(await again.say(replacing(world, old)), 'offer');
    assert.equal(await again.confirm(), 'sealed');
    await again.say({ step: 'complete' });
    assert.ok(await works(world, again.made()));
    assert.ok(!(await works(world, client.made())));
  });
});

/** Enrolling through the service: who may, and what it costs. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { lacks } from '../support/world.ts';
import { localWorld, POLICY, recoveryProof, type LocalWorld, type Secret } from '../login/local-world.ts';
import type { Reading } from '../../src/otp/proof.ts';
import { WRONG } from '../login/account-world.ts';
import { BEGIN, Client, inviteAlice, replacing, revokeAlice, works } from './self-client.ts';

/** New recovery codes, and nothing else. */
const NEW_CODES = { event: 'recovery', passphrase: undefined, recovery: 3 } as const;

const NEEDS = lacks({ programs: ['getent'] });

function byRecovery(code: string | undefined): { readonly readings: readonly Reading[] } {
  return { readings: [{ passphrase: undefined, proof: recoveryProof(code) }] };
}

let world: LocalWorld;
beforeEach(async () => {
  world = localWorld('self');
  await world.withState(() => Promise.resolve());
});

describe('somebody who is not enrolled', { skip: NEEDS }, () => {
  it('is not let enrol without an invitation, with or without --replace', async () => {
    assert.equal(await new Client(world).say(BEGIN), 'not_permitted');
    assert.equal(await new Client(world).say({ ...BEGIN, replace: true }), 'not_permitted');
    assert.equal(await world.enrolment(), undefined);
  });

  it('was refused with a reference that no record had', async () => {
    const client = new Client(world);
    await client.say(BEGIN);
    const found = (): unknown[] => world.records().map(({ event, result, reason, ref }) => [event, result, reason, ref === client.ref]);
    assert.deepEqual(found(), [['enroll.failed', 'refused', 'not_permitted', true]]);
    await inviteAlice(world);
    await client.say(BEGIN);
    await client.say({ step: 'confirm', code: '000000' });
    assert.deepEqual(found().at(-1), ['enroll.failed', 'refused', 'wrong_code', true]);
  });

  it('had a record for each of the questions of a flood', async () => {
    for (let i = 0; i < 150; i++) assert.equal(await new Client(world).say(BEGIN), 'not_permitted');
    assert.equal(world.records().length, 100);
    assert.match(String(world.records().at(-1)?.['detail']), /further refusals may only be counted/);
  });

  it('who was invited gets a secret sealed by the host, which logs in from then on', async () => {
    await inviteAlice(world);
    const client = new Client(world);
    assert.equal(await client.say(BEGIN), 'offer');
    assert.equal(client.recovery.length, 3);
    assert.equal((await world.enrolment())?.status, 'invited', 'nothing is registered before it is confirmed');
    assert.equal(await client.confirm(), 'sealed');
    assert.equal(await client.say({ step: 'complete' }), 'done');
    const { id, status, pendingId } = (await world.enrolment()) ?? {};
    assert.deepEqual([id, status, pendingId], [client.file?.id, 'active', '']);
    assert.ok(await works(world, client.made()));
    assert.equal(await world.verify(client.made(), recoveryProof(client.recovery[0])), 'recovery');
  });

  it('who was invited enrols once: the second time needs a code', async () => {
    await inviteAlice(world);
    const client = new Client(world);
    await client.say(BEGIN);
    await client.confirm();
    await client.say({ step: 'complete' });
    assert.equal(await new Client(world).say(BEGIN), 'not_permitted');
    assert.equal(await new Client(world, client.made()).say({ ...BEGIN, replace: true }), 'no_proof');
    assert.ok(await works(world, client.made()));
  });

  it('who was invited filled the log by enrolling and giving up again and again', async () => {
    await inviteAlice(world);
    const tries: string[] = [];
    for (let i = 0; i < 8; i++) {
      const client = new Client(world);
      await client.say(BEGIN);
      tries.push(await client.confirm());
      if (tries.at(-1) !== 'sealed') continue;
      await assert.rejects(client.confirm(), /no enrolment was begun/, 'one offer, one file');
      await client.say({ step: 'abandon' });
    }
    assert.deepEqual(tries, [...Array<string>(5).fill('sealed'), ...Array<string>(3).fill('not_permitted')]);
    assert.match(String(world.records().at(-1)?.['detail']), /made too often/);
    world.nowMs += POLICY.refillMs;
    const client = new Client(world);
    await client.say(BEGIN);
    assert.equal(await client.confirm(), 'sealed');
  });

  it('who was revoked is not let enrol, unless invited again', async () => {
    const old = await world.enrol();
    await revokeAlice(world);
    assert.equal(await new Client(world, old).say(replacing(world, old)), 'not_permitted');
    await inviteAlice(world);
    const client = new Client(world, old);
    assert.equal(await client.say(BEGIN), 'offer');
    assert.equal(await client.confirm(), 'sealed');
    await client.say({ step: 'complete' });
    assert.ok(await works(world, client.made()));
    assert.ok(!(await works(world, old)));
  });

  it('whose invitation was taken back is not let confirm', async () => {
    await inviteAlice(world);
    const client = new Client(world);
    await client.say(BEGIN);
    await revokeAlice(world);
    assert.equal(await client.confirm(), 'not_permitted');
    assert.equal((await world.enrolment())?.status, 'revoked');
  });
});

describe('somebody who is enrolled', { skip: NEEDS }, () => {
  let old: Secret;
  beforeEach(async () => {
    old = await world.enrol();
  });

  it('replaces with a code, which is spent by it', async () => {
    const client = new Client(world, old);
    assert.equal(await client.say(BEGIN), 'not_permitted', 'not without --replace');
    assert.equal(await client.say(replacing(world, old)), 'offer');
    assert.equal(await world.verify(old, world.code(old)), 'replayed');
    assert.equal(await client.confirm(), 'sealed');
    assert.ok(await works(world, old), 'until it is complete, the old one logs in');
    await client.say({ step: 'complete' });
    assert.equal(await world.verify(old, world.code(old, 1)), 'stale_enrolment');
    assert.ok(await works(world, client.made()));
  });

  it('replaces with a recovery code', async () => {
    const readings = [{ passphrase: undefined, proof: recoveryProof(old.recovery[0]) }];
    assert.equal(await new Client(world, old).say({ ...BEGIN, replace: true, readings }), 'offer');
    assert.equal(await new Client(world, old).say({ ...BEGIN, replace: true, readings }), 'replayed');
  });

  it('filled the log by recovery codes that paid for the next ones, and by secrets that did', async () => {
    const done = { recovery: 0, replace: 0 };
    for (const how of ['recovery', 'replace'] as const) {
      world = localWorld(`self-${how}`);
      let secret = await world.enrol();
      for (let i = 0; i < 9; i++) {
        const readings = [{ passphrase: undefined, proof: recoveryProof(secret.recovery[0]) }];
        const client = new Client(world, secret);
        const offered = how === 'replace' ? await client.say({ ...BEGIN, replace: true, readings }) : 'none';
        const answer =
          how === 'replace'
            ? offered === 'offer'
              ? await client.confirm()
              : offered
            : await client.say({ step: 'change', context: 'ssh', sealed: '', wrong: '', readings, change: NEW_CODES });
        if (!['sealed', 'anew'].includes(answer)) {
          assert.equal(answer, 'not_permitted');
          assert.match(String(world.records().at(-1)?.['detail']), /too often for the time being/);
          break;
        }
        await client.say({ step: 'complete' });
        secret = how === 'replace' ? client.made() : { ...secret, file: client.file ?? secret.file, recovery: client.recovery };
        done[how]++;
      }
      // Each of these codes logs in all the same.
      assert.equal(await world.verify(secret, recoveryProof(secret.recovery[1])), 'recovery');
      world.nowMs += POLICY.refillMs;
    }
    assert.deepEqual(done, { recovery: POLICY.budget, replace: POLICY.budget });
  });

  it('spent recovery codes for nothing, and could not replace a lost phone, while strangers kept the budget empty', async () => {
    const guess = async (): Promise<void> => {
      for (let i = 0; i < 6; i++) await world.verify(old, WRONG);
    };
    await guess();
    const change = { step: 'change', context: 'ssh', sealed: '', wrong: '', change: NEW_CODES } as const;
    const [first, second, third] = old.recovery;
    for (const refused of [
      { ...BEGIN, replace: true, ...byRecovery(first) },
      { ...change, ...byRecovery(first) },
    ])
      assert.equal(await new Client(world, old).say(refused), 'not_permitted', 'the file is new');
    for (let hour = 0; hour < 3; hour++) {
      world.nowMs += POLICY.refillMs;
      await guess();
    }
    assert.equal(await world.verify(old, recoveryProof(third)), 'recovery');
    const changing = new Client(world, old);
    assert.equal(await changing.say({ ...change, ...byRecovery(first) }), 'anew', 'nothing was spent for it');
    await changing.say({ step: 'abandon' });
    const client = new Client(world, old);
    assert.equal(await client.say({ ...BEGIN, replace: true, ...byRecovery(second) }), 'offer');
    assert.equal(await client.confirm(), 'sealed');
    await client.say({ step: 'complete' });
    assert.equal(await world.verify(client.made(), recoveryProof(client.recovery[0])), 'recovery');
    const again = { ...BEGIN, replace: true, ...byRecovery(client.recovery[1]) };
    assert.equal(await new Client(world, client.made()).say(again), 'not_permitted', 'one is free, and no more');
  });

  it('pays for wrong codes from the same budget as logins, and needs two codes when it is empty', async () => {
    world.nowMs += POLICY.refillMs;
    const wrong = { ...BEGIN, replace: true, readings: [{ passphrase: undefined, proof: { kind: 'code', code: '000000' } as const }] };
    for (let i = 0; i < 5; i++) assert.equal(await new Client(world, old).say(wrong), 'wrong_code');
    assert.equal(await new Client(world, old).say(replacing(world, old)), 'step_up_required');
    assert.equal(await world.verify(old, world.code(old)), 'step_up_required', 'a login too');
    const [first, second] = [world.code(old).code, world.code(old, 1).code];
    const readings = [{ passphrase: undefined, proof: { kind: 'codes', codes: [first, second] } as const }];
    assert.equal(await new Client(world, old).say({ ...BEGIN, replace: true, readings }), 'offer');
  });

  it('does not replace by an older file and its code, nor without a file', async () => {
    const current = await world.enrol();
    assert.equal(await new Client(world, old).say(replacing(world, old)), 'stale_enrolment');
    assert.equal(await new Client(world).say(replacing(world, current)), 'bad_secret_file');
    assert.ok(await works(world, current));
  });

  it('who was revoked with a new secret on its way stays revoked', async () => {
    const client = new Client(world, old);
    await client.say(replacing(world, old));
    assert.equal(await client.confirm(), 'sealed');
    await revokeAlice(world);
    assert.equal(await client.say({ step: 'complete' }), 'stale_enrolment');
    assert.ok(!(await works(world, client.made())));
    assert.equal((await world.enrolment())?.status, 'revoked');
  });

  it('who was revoked with an offer open did come back by confirming it', async () => {
    const client = new Client(world, old);
    await client.say(replacing(world, old));
    await revokeAlice(world);
    assert.equal(await client.confirm(), 'not_permitted');
    assert.deepEqual([(await world.enrolment())?.status, (await world.enrolment())?.pendingId], ['revoked', '']);
  });
});

describe('an offer that is kept open', { skip: NEEDS }, () => {
  it('did replace the enrolment that was made meanwhile, without a code of it', async () => {
    await inviteAlice(world);
    const [thief, owner] = [new Client(world), new Client(world)];
    assert.equal(await thief.say(BEGIN), 'offer');
    assert.equal(await owner.say(BEGIN), 'offer');
    assert.equal(await owner.confirm(), 'sealed');
    await owner.say({ step: 'complete' });
    assert.equal(await thief.confirm(), 'not_permitted');
    assert.ok(await works(world, owner.made()));
  });
});

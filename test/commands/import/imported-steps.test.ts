/** The steps of an imported login are known as steps: a clock that was ahead can be mended, and no token counts on from them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { storeLogin, type Storing } from '../../../src/commands/import/login.ts';
import type { Target } from '../../../src/commands/import/login-plan.ts';
import { refill } from '../../../src/enrolment/refill.ts';
import { begin, complete, firstState } from '../../../src/enrolment/registrar.ts';
import { codeAt } from '../../../src/otp/code.ts';
import type { Credential, HotpCredential, TotpCredential } from '../../../src/otp/uri.ts';
import { registrationOf } from '../../../src/seal/file.ts';
import { defaultConfig } from '../../../src/system/config.ts';
import type { User } from '../../../src/system/users.ts';
import type { LoginState } from '../../../src/verdict/decide.ts';
import { localWorld, ORIGIN, POLICY } from '../../login/local-world.ts';

const DAY_MS = 86_400_000;
const ALICE: User = { name: 'alice', uid: 1000, gid: 1000, home: '/nonexistent', shell: '/bin/sh' };
const CONFIG = { ...defaultConfig(), secretsInStore: true };

const NAMES = { issuer: 'bastion', account: 'alice' } as const;
const TOKEN: HotpCredential = { type: 'hotp', secret: new Uint8Array(20).fill(8), ...NAMES, algorithm: 'SHA1', digits: 6, counter: 3 };

function phone(periodSeconds: number): TotpCredential {
  return { type: 'totp', secret: new Uint8Array(20).fill(7), ...NAMES, algorithm: 'SHA1', digits: 6, periodSeconds };
}

describe('an imported login with steps', () => {
  const storing: Storing = { passphrase: undefined, replace: true, otherThan: undefined };
  const worldWith = (name: string) => {
    const world = localWorld(`imported-steps-${name}`);
    const origin = { ...ORIGIN, door: 'cli' } as const;
    const target: Target = { config: CONFIG, user: ALICE, place: world.place, origin, file: 'the store', now: () => world.nowMs };
    return {
      world,
      imported: (credential: Credential, lastStep?: number) =>
        world.withState((state) => storeLogin(target, state, { credential, emergency: [], lastStep, notes: [] }, storing)),
      unlock: async () =>
        (await world.withState((state) => refill(state, ORIGIN, undefined, { policy: POLICY, contexts: ['ssh'] }, world.nowMs)))[0]
          ?.stepsAhead,
      login: (credential: Credential, counter: number) => {
        const proof = { kind: 'code', code: codeAt(credential.secret, counter, credential) } as const;
        return world.verify({ kind: 'absent' }, proof, { inStore: true });
      },
    };
  };

  for (const periodSeconds of [30, 60])
    it(`was not let in again by notp unlock after a clock that was ahead, with steps of ${String(periodSeconds)} seconds`, async () => {
      const { world, imported, unlock, login } = worldWith(String(periodSeconds));
      const credential = phone(periodSeconds);
      const step = (): number => Math.floor(world.nowMs / 1000 / periodSeconds);
      await imported(credential, step() + DAY_MS / 1000 / periodSeconds);
      world.nowMs += 2 * 60_000;
      assert.equal(await login(credential, step()), 'replayed');
      assert.equal(await unlock(), DAY_MS / 1000 / periodSeconds - 120 / periodSeconds);
      assert.equal(await login(credential, step()), 'replayed');
      world.nowMs += 2 * 60_000;
      assert.equal(await login(credential, step()), 'totp');
      assert.equal(await login(credential, step()), 'replayed');
    });

  it('left its step as the counter of a token in its place', async () => {
    const { world, imported, login } = worldWith('token');
    await imported(phone(30), Math.floor(world.nowMs / 30_000) - 1);
    assert.deepEqual((await imported(TOKEN)).notes, []);
    assert.equal(await login(TOKEN, 3), 'hotp');
  });

  it('left the step of a code that was accepted while the file of the token was on its way', async () => {
    const { world } = worldWith('between');
    const { file, payload } = await world.enrol();
    const next = {
      ...{ origin: ORIGIN, ...registrationOf({ ...file, id: 'cd'.repeat(16) }), replace: true },
      state: firstState(POLICY, 0, world.nowMs, TOKEN),
      goOn: (fresh: LoginState) => Promise.resolve({ ...fresh, goesOn: true } as const),
    };
    await world.withState((state) => begin(state, next, undefined));
    assert.equal(await world.verify({ kind: 'sealed', file }, world.code({ payload })), 'totp');
    await world.withState((state) => complete(state, next));
    assert.equal((await world.enrolment())?.state.lastStep, -1);
  });

  it('is unlocked where its file is not in place yet', async () => {
    const { world, unlock } = worldWith('pending');
    const { file } = await world.enrol();
    const ahead = Math.floor(world.nowMs / 30_000) + 5_000;
    const state = { lastStep: ahead, bucket: { tokens: 1, asOfMs: world.nowMs }, spent: '', periodSeconds: 30 };
    await world.withState((opened) =>
      begin(opened, { origin: ORIGIN, ...registrationOf({ ...file, id: 'cd'.repeat(16) }), state, replace: true }, undefined),
    );
    assert.deepEqual((await world.enrolment())?.pendingState, state);
    await unlock();
    assert.equal((await world.enrolment())?.pendingState.lastStep, ahead - 5_000);
  });
});

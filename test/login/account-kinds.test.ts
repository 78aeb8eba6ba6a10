/** Devices of different kinds in one account: sealed in other ways, broken, or counting. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import crypto, { randomBytes } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { codeAt } from '../../src/otp/code.ts';
import type { Proof } from '../../src/otp/proof.ts';
import type { HotpPayload } from '../../src/seal/seal.ts';
import { registrationOf, type SealedFile } from '../../src/seal/file.ts';
import { fullBucket } from '../../src/verdict/budget.ts';
import { localVerifier } from '../../src/login/login.ts';
import { begin, complete } from '../../src/enrolment/registrar.ts';
import { newHeader, sealByHost } from '../../src/enrolment/sealing.ts';
import { lacks } from '../support/world.ts';
import { deviceFile, on, tokens, WRONG } from './account-world.ts';
import { localWorld, ORIGIN, POLICY, type LocalWorld, type Secret } from './local-world.ts';

const NEEDS = { skip: lacks({ programs: ['getent'] }) };

let world: LocalWorld;
beforeEach(() => {
  world = localWorld('account-kinds');
});
const lastCounter = async (): Promise<number | undefined> => (await world.enrolment('backup'))?.state.lastStep;
const last = (key: string): unknown => world.records().at(-1)?.[key];

describe('devices with passphrases', NEEDS, () => {
  let phone: Secret;
  let backup: Secret;
  beforeEach(async () => {
    [phone, backup] = [await world.enrol('ssh', 'one'), await world.enrol('backup', 'two')];
  });
  const type = (
    passphrase: string | undefined,
    proof: Proof,
    options = on([deviceFile(phone.file), deviceFile(backup.file)]),
  ): Promise<string> => world.verify(phone, proof, options, undefined, passphrase);

  it('take each its own, and say the same of a code of the other as of a wrong one', async () => {
    assert.equal(await type('one', world.code(backup)), 'wrong_code');
    assert.equal(await type('none', world.code(backup)), 'wrong_passphrase');
    assert.deepEqual(await tokens(world), [1, 1]);
    world.nowMs += 10 * POLICY.refillMs;
    assert.equal(await type('two', world.code(backup)), 'totp');
    assert.deepEqual([last('context'), await tokens(world)], ['backup', [5, 5]]);
  });

  it('had a key derived for each code of a flood that the budget does not judge, which kept the owner waiting', async (t) => {
    for (let i = 0; i < 2; i++) await type('guess', WRONG);
    const derive = t.mock.method(crypto, 'argon2Sync');
    syncBuiltinESMExports();
    assert.equal(await type('guess', WRONG), 'step_up_required');
    assert.equal(await type('one', world.code(phone)), 'step_up_required');
    assert.equal(derive.mock.callCount(), 0);
    assert.equal(await type('guess', { kind: 'codes', codes: ['111111', '222222'] }), 'wrong_code');
    assert.equal(derive.mock.callCount(), 2);
    // A right one in a pair, and a wrong passphrase is a try again when the budget is refilled.
    world.nowMs += 10 * POLICY.refillMs;
    assert.equal(await type('guess', WRONG), 'wrong_passphrase');
    assert.deepEqual(await tokens(world), [3, 3]);
    assert.equal(await type('one', world.code(phone)), 'totp');
  });

  it('may share one passphrase: a code of either goes with it', async () => {
    backup = await world.enrol('backup', 'one');
    assert.equal(await type('one', world.code(backup)), 'totp');
    assert.equal(await type('one', world.code(phone)), 'totp');
  });

  it('beside one that the host seals need none for that one', async () => {
    backup = await world.enrol('backup');
    assert.equal(localVerifier(...world.options({ kind: 'absent' }, on([deviceFile(phone.file), deviceFile(backup.file)]))).seal, 'either');
    assert.equal(await type(undefined, world.code(backup)), 'totp');
    assert.equal(await type('wrong', world.code(phone)), 'wrong_code', 'a file was opened, so the passphrase is not spoken of');
    assert.equal(await type('one', world.code(phone)), 'totp');
  });

  it('are not given away by a changed file beside them, which does not count: every passphrase is answered, and paid for, alike', async () => {
    backup = await world.enrol('backup');
    const broken: SealedFile = { ...backup.file, ciphertext: backup.file.ciphertext.with(3, (backup.file.ciphertext[3] ?? 0) ^ 1) };
    const options = on([deviceFile(phone.file), deviceFile(broken)]);
    assert.equal(await world.before(phone, options), 'ask');
    assert.equal(await type('guess', WRONG, options), 'wrong_passphrase');
    assert.equal(await type('guess', world.code(backup), options), 'wrong_passphrase');
    assert.deepEqual(await tokens(world), [3, 3]);
    assert.equal(await type('one', world.code(phone), options), 'totp');
    assert.equal(
      await type('one', world.code(phone), on([deviceFile(broken)])),
      'stale_enrolment',
      'where it is the only one, that is said',
    );
  });

  it('log in on a user’s own state beside a file that only a host can open', async () => {
    const own = { ...world.place, kind: 'user', hostKeyFiles: [] } as const;
    backup = await world.enrol('backup');
    const options = { ...on([deviceFile(phone.file), deviceFile(backup.file)]), place: own };
    assert.equal(await type('one', world.code(backup), options), 'wrong_code');
    assert.equal(await type('one', world.code(phone), options), 'totp');
    assert.equal(await type('one', world.code(backup), { ...on([deviceFile(backup.file)]), place: own }), 'store_unavailable');
  });
});

describe('a token that counts', NEEDS, () => {
  const payload: HotpPayload = {
    ...{ type: 'hotp', secret: randomBytes(20), algorithm: 'SHA1', digits: 6, issuer: '', account: 'alice' },
    recovery: { salt: new Uint8Array(16), hashes: [] },
  };
  const counted = (counter: number): Proof => ({ kind: 'code', code: codeAt(payload.secret, counter, payload) });
  const two = (first: number): Proof => ({
    kind: 'codes',
    codes: [codeAt(payload.secret, first, payload), codeAt(payload.secret, first + 1, payload)],
  });
  let phone: Secret;
  let token: SealedFile;
  /** Carried over with 41 as its next counter. */
  beforeEach(async () => {
    phone = await world.enrol();
    await world.withState(async (state) => {
      assert.ok(state.hostKey !== undefined);
      token = sealByHost(newHeader('alice', 'backup', world.nowMs), payload, state.hostKey);
      const first = { lastStep: 40, bucket: fullBucket(POLICY, world.nowMs), spent: '' };
      const enrolment = { origin: { ...ORIGIN, context: 'backup' }, ...registrationOf(token), state: first, replace: true };
      await begin(state, enrolment, undefined);
      await complete(state, enrolment);
    });
  });
  const type = (proof: Proof): Promise<string> => world.verify(phone, proof, on([deviceFile(phone.file), deviceFile(token)]));

  it('logs in from the counter that was carried over on, and that is kept in the store', async () => {
    assert.deepEqual([await type(counted(40)), await type(counted(41))], ['replayed', 'hotp']);
    assert.equal(await lastCounter(), 41);
    assert.equal(await type(counted(44)), 'hotp');
    assert.deepEqual([await lastCounter(), last('method'), last('context'), last('step_offset')], [44, 'hotp', 'backup', 2]);
    assert.equal(await type(world.code(phone)), 'totp');
    assert.equal(await type(counted(44)), 'replayed');
    assert.equal(await lastCounter(), 44);
  });

  it('is found again by two codes in a row, and logs in with two on an empty budget', async () => {
    assert.deepEqual([await type(counted(55)), await type(two(55)), await lastCounter()], ['wrong_code', 'step_up', 56]);
    assert.deepEqual([await type(two(55)), await type(counted(57))], ['replayed', 'step_up_required']);
    assert.deepEqual([await type(two(70)), await type(two(57)), await lastCounter()], ['wrong_code', 'step_up', 58]);
  });

  it('logs in once with one code, however many type it at the same time', async () => {
    const words = await Promise.all(Array.from({ length: 10 }, () => type(counted(41))));
    assert.equal(words.filter((each) => each === 'hotp').length, 1, words.join());
  });
});

/** Several devices of one account, on the service's state: which of them can be judged, and what is recorded. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { DeviceFile, Found } from '../../src/system/secrets.ts';
import type { Login, Terms } from '../../src/login/terms.ts';
import type { SshSession } from '../../src/wire/verifier.ts';
import { lacks } from '../support/world.ts';
import { ACCOUNT, deviceFile, end, on, tokens, WRONG } from './account-world.ts';
import {
  localWorld,
  PERIOD_MS,
  POLICY,
  recoveryProof,
  type LocalWorld,
  type Secret,
  remembering,
  UNENROLLED_GET_IN,
} from './local-world.ts';

const ABSENT: Found = { kind: 'absent' };
const BAD: Found = { kind: 'bad', why: 'it is a symlink' };
const NEEDS = { skip: lacks({ programs: ['getent'] }) };
const KEY: SshSession = { connection: { pid: 7, startTicks: 5, bootId: 'b'.repeat(36) }, keyDigest: 'ab'.repeat(32) };

let world: LocalWorld;
let phone: Secret;
let backup: Secret;
beforeEach(async () => {
  world = localWorld('account');
  [phone, backup] = [await world.enrol('ssh'), await world.enrol('backup')];
});

const both = (): Partial<Login & Terms> => on([deviceFile(phone.file), deviceFile(backup.file)]);
const lastRecord = (...keys: string[]): unknown[] => keys.map((key) => world.records().at(-1)?.[key]);

describe('an account with two devices', NEEDS, () => {
  it('is logged into with a code of either, and the record names the one that answered', async () => {
    for (const [secret, context] of [
      [backup, 'backup'],
      [phone, 'ssh'],
    ] as const) {
      assert.equal(await world.verify(phone, world.code(secret), both()), 'totp');
      assert.deepEqual(lastRecord('event', 'context', 'method'), ['login.accepted', context, 'totp']);
      assert.equal(await world.verify(phone, world.code(secret), both()), 'replayed');
    }
    assert.equal(await world.verify(phone, recoveryProof(backup.recovery[0]), both()), 'recovery');
    assert.deepEqual(lastRecord('event', 'context'), ['recovery.used', 'backup']);
  });

  it('takes a code once that two devices have, whichever of their files is moved away meanwhile', async () => {
    for (const [first, then] of [
      [['ssh', 'backup'], ['backup']],
      [['ssh'], ['backup']],
      [['backup'], ['ssh']],
      [['backup'], ['backup', 'ssh']],
    ] as const) {
      world.nowMs += 10 * POLICY.refillMs;
      const copy = await world.enrol('backup', undefined, phone);
      const files = (contexts: readonly string[]): Partial<Login & Terms> =>
        on(contexts.map((context) => deviceFile(context === 'ssh' ? phone.file : copy.file)));
      const code = world.code(phone);
      assert.equal(await world.verify(phone, code, files(first)), 'totp');
      assert.equal(await world.verify(phone, code, files(then)), 'replayed', `${first.join()} then ${then.join()}`);
      world.nowMs += PERIOD_MS;
      assert.equal(await world.verify(phone, world.code(phone), files(then)), 'totp');
    }
  });

  it('moves the one that answered, and no other', async () => {
    const before = await world.enrolment('ssh');
    await world.verify(phone, world.code(backup), both());
    const [untouched, moved] = [await world.enrolment('ssh'), await world.enrolment('backup')];
    assert.deepEqual([untouched?.state.lastStep, untouched?.lastAcceptedMs], [before?.state.lastStep, 0]);
    assert.deepEqual([moved?.state.lastStep, moved?.lastAcceptedMs], [Math.floor(world.nowMs / PERIOD_MS), world.nowMs]);
  });

  it('counts wrong tries together, each for both, and names the first in their record', async () => {
    assert.equal(await world.verify(phone, WRONG, both()), 'wrong_code');
    assert.deepEqual(await tokens(world), [3, 3]);
    assert.deepEqual(lastRecord('context', 'reason'), ['ssh', 'wrong_code']);
    assert.equal(await world.verify(phone, WRONG, both()), 'wrong_code');
    assert.equal(await world.verify(phone, world.code(backup), both()), 'step_up_required');
    assert.deepEqual(await tokens(world), [1, 1]);
  });

  it('has no more judged of many tries at the same time', async () => {
    const words = await Promise.all(Array.from({ length: 10 }, () => world.verify(phone, WRONG, both())));
    assert.deepEqual(words.toSorted(), [...Array<string>(8).fill('step_up_required'), ...Array<string>(2).fill('wrong_code')]);
  });

  it('lets one of many in who type the same code at the same time', async () => {
    const words = await Promise.all(Array.from({ length: 10 }, () => world.verify(phone, world.code(backup), both())));
    assert.equal(words.filter((each) => each === 'totp').length, 1, words.join());
  });

  it('is not asked again on a connection, or from a source, that showed a code of either', async () => {
    const options = { ...both(), ...remembering(3_600_000) };
    assert.equal(await world.before(phone, options, KEY), 'ask');
    assert.equal(await world.verify(phone, world.code(backup), options, KEY), 'totp');
    assert.equal(await world.before(phone, options, KEY), 'same_connection');
    assert.deepEqual(lastRecord('context', 'method'), ['backup', 'same_connection']);
    assert.equal(await world.before(phone, options, { ...KEY, connection: undefined }), 'remembered');
    assert.deepEqual(lastRecord('context', 'method'), ['backup', 'remembered']);
    assert.equal(await world.before(phone, on([deviceFile(phone.file)]), KEY), 'ask', 'with the other device alone');
  });
});

/** Another device beside the backup: it is not judged, and a try leaves so many tokens. */
const besideBackup = async (other: DeviceFile, left: readonly (number | undefined)[]): Promise<void> => {
  const files = on([other, deviceFile(backup.file)]);
  assert.equal(await world.before(backup, files), 'ask');
  assert.equal(await world.verify(backup, world.code(phone), files), 'wrong_code');
  assert.deepEqual(lastRecord('context', 'reason'), ['backup', 'wrong_code']);
  assert.deepEqual(await tokens(world), left);
  assert.equal(await world.verify(backup, world.code(backup), files), 'totp');
  assert.deepEqual(lastRecord('context', 'method'), ['backup', 'totp']);
};

describe('beside a device that is good', NEEDS, () => {
  it('one that was revoked is not judged, and its state is left alone', async () => {
    await end(world, 'ssh');
    await besideBackup(deviceFile(phone.file), [5, 4]);
    assert.equal((await world.enrolment('ssh'))?.state.lastStep, -1);
  });

  it('an old copy of a file is not judged, and its enrolment pays for the tries', async () => {
    await world.enrol('ssh');
    await besideBackup(deviceFile(phone.file), [4, 4]);
  });

  it('one whose file is missing, or cannot be read, is not judged, and pays for the tries', async () => {
    await besideBackup({ context: 'ssh', found: ABSENT }, [4, 4]);
    world.nowMs += 10 * 3_600_000;
    await besideBackup({ context: 'ssh', found: BAD }, [4, 4]);
  });

  it('one that was never enrolled changes nothing', async () => {
    const files = on([deviceFile(backup.file), { context: 'tablet', found: ABSENT }], [...ACCOUNT, 'tablet']);
    assert.equal(await world.verify(backup, WRONG, files), 'wrong_code');
    assert.deepEqual(await tokens(world), [4, 4]);
    assert.equal(await world.enrolment('tablet'), undefined);
  });
});

const STRANGER: DeviceFile = { context: 'tablet', found: ABSENT };
/** What comes before asking, and of a code. */
const refusal = async (...files: DeviceFile[]): Promise<string> => {
  const options = on(files, [...ACCOUNT, 'tablet']);
  assert.equal(await world.verify(phone, world.code(phone), options), await world.before(phone, options));
  return await world.before(phone, options);
};

describe('where no device is good', NEEDS, () => {
  it('the refusal is about one that was enrolled', async () => {
    assert.equal(await refusal(STRANGER), 'not_enrolled');
    assert.equal(await refusal(STRANGER, { context: 'ssh', found: BAD }), 'bad_secret_file');
    await end(world, 'ssh');
    assert.equal(await refusal(deviceFile(phone.file), STRANGER), 'revoked');
    assert.equal(await refusal(STRANGER, deviceFile(phone.file)), 'revoked');
    await world.enrol('backup');
    assert.equal(await refusal(STRANGER, deviceFile(backup.file)), 'stale_enrolment');
    assert.deepEqual(await tokens(world), [5, 5], 'and takes nobody’s tokens');
  });

  it('nobody is let in as unenrolled who was enrolled with any of them', async () => {
    const allowed = (...files: DeviceFile[]): Promise<string> =>
      world.before(phone, { ...on(files, [...ACCOUNT, 'tablet']), ...UNENROLLED_GET_IN });
    await end(world, 'ssh');
    assert.equal(await allowed(STRANGER, deviceFile(phone.file)), 'revoked');
    assert.equal(await allowed(STRANGER, { context: 'backup', found: ABSENT }), 'bad_secret_file');
  });
});

/** The guess budget of an account with several devices: who pays for a try, and that nobody gets a second one. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { accountContexts } from '../../src/login/account.ts';
import type { Login, Terms } from '../../src/login/terms.ts';
import { lacks } from '../support/world.ts';
import { deviceFile, end, on, tokens, WRONG } from './account-world.ts';
import { localWorld, type LocalWorld, type Secret } from './local-world.ts';

const NEEDS = { skip: lacks({ programs: ['getent'] }) };

let world: LocalWorld;
let phone: Secret;
let backup: Secret;
beforeEach(async () => {
  world = localWorld('account-budget');
  [phone, backup] = [await world.enrol('ssh'), await world.enrol('backup')];
});

const both = (): Partial<Login & Terms> => on([deviceFile(phone.file), deviceFile(backup.file)]);

describe('who pays for a try', NEEDS, () => {
  it('are all contexts of logins, where one of them is asked for alone', () => {
    const config = { contexts: ['ssh', 'backup'] };
    assert.deepEqual(accountContexts(config, ['ssh', 'backup']), ['ssh', 'backup']);
    assert.deepEqual(accountContexts(config, ['backup']), ['ssh', 'backup']);
    assert.deepEqual(accountContexts(config, ['deploy', 'backup']), ['ssh', 'backup', 'deploy']);
    assert.deepEqual(accountContexts(config, ['deploy']), ['deploy']);
  });

  it('is the whole account, also where one device is asked for alone: no second budget', async () => {
    const alone = on([deviceFile(backup.file)]);
    for (let i = 0; i < 5; i++) assert.equal(await world.verify(backup, WRONG, alone), 'wrong_code');
    assert.deepEqual(await tokens(world), [0, 0]);
    assert.equal(await world.verify(phone, world.code(phone), both()), 'step_up_required');
    assert.equal(await world.verify(phone, world.code(phone), on([deviceFile(phone.file)])), 'step_up_required');
  });

  it('is a context of its own where it is none of the logins', async () => {
    const deploy = await world.enrol('deploy');
    for (let i = 0; i < 5; i++) await world.verify(deploy, WRONG, on([deviceFile(deploy.file)], ['deploy']));
    assert.equal(await world.verify(deploy, world.code(deploy), on([deviceFile(deploy.file)], ['deploy'])), 'step_up_required');
    assert.deepEqual(await tokens(world), [5, 5]);
    assert.equal(await world.verify(phone, world.code(phone), both()), 'totp');
  });

  it('is not refilled by enrolling one of the devices anew', async () => {
    for (let i = 0; i < 2; i++) await world.verify(phone, WRONG, both());
    backup = await world.enrol('backup');
    assert.deepEqual(await tokens(world), [1, 5]);
    assert.equal(await world.verify(phone, world.code(backup), both()), 'step_up_required');
    assert.deepEqual(await tokens(world), [1, 1]);
  });

  it('is the one with the fewest tokens, also where that one is not asked', async () => {
    for (let i = 0; i < 2; i++) await world.verify(phone, WRONG, both());
    backup = await world.enrol('backup');
    const alone = on([deviceFile(backup.file)]);
    assert.deepEqual([await world.verify(backup, WRONG, alone), await tokens(world)], ['wrong_code', [0, 0]]);
    assert.equal(await world.verify(backup, world.code(backup), alone), 'step_up_required');
  });

  it('is nobody who was merely invited, or revoked', async () => {
    await world.withState((state) =>
      state.store.exclusively(async (transaction) => {
        const known = await transaction.enrolment('alice', 'ssh');
        assert.ok(known !== undefined);
        const bucket = { tokens: 0, asOfMs: world.nowMs };
        await transaction.save({ ...known, status: 'invited', id: '', state: { ...known.state, bucket } });
      }),
    );
    assert.equal(await world.verify(backup, world.code(backup), on([deviceFile(backup.file)])), 'totp');
    assert.deepEqual(await tokens(world), [0, 5]);
    await end(world, 'ssh');
    assert.equal(await world.verify(backup, WRONG, on([deviceFile(backup.file)])), 'wrong_code');
    assert.deepEqual(await tokens(world), [0, 4]);
  });

  it('gets no token back for the time that a try waited for its turn, as each of many at once did', async () => {
    const arrivedMs = world.nowMs;
    let asked = 0;
    // The key derivation and the others take 20 seconds of each try's time.
    const now = (): number => arrivedMs + (asked++ === 0 ? 0 : 20_000);
    const words: string[] = [];
    for (let i = 0; i < 40; i++) {
      asked = 0;
      words.push(await world.verify(phone, WRONG, { ...both(), now, policy: { window: 1, budget: 5, refillMs: 60_000 } }));
    }
    assert.equal(words.filter((each) => each === 'wrong_code').length, 2, words.join());
  });
});

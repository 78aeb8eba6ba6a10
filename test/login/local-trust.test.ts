/** `remember` of a rule and the memory of connections: an accepted code stands for the same source and key, for a while, and for nothing else. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { lacks } from '../support/world.ts';
import { forgetSources } from '../../src/enrolment/forget.ts';
import type { SshSession } from '../../src/wire/verifier.ts';
import type { Login, Terms } from '../../src/login/terms.ts';
import { localWorld, ORIGIN, PERIOD_MS, remembering, type LocalWorld, type Secret } from './local-world.ts';

const HOUR_MS = 3_600_000;
const TRUST = remembering(HOUR_MS);
const KEY: SshSession = { connection: undefined, keyDigest: 'ab'.repeat(32) };
const OTHER_KEY: SshSession = { connection: undefined, keyDigest: 'cd'.repeat(32) };
const NO_KEY: SshSession = { connection: undefined, keyDigest: undefined };
const from = (rhost: string): Pick<Login & Terms, 'rules' | 'origin'> => ({
  ...TRUST,
  origin: { ...ORIGIN, rhost },
});
const NOWHERE = { user: 'alice', uid: 1000, context: 'ssh', door: 'gate' } as const;
const connected = (pid: number): SshSession => ({ connection: { pid, startTicks: 5, bootId: 'b'.repeat(36) }, keyDigest: undefined });

let world: LocalWorld;
let secret: Secret;
beforeEach(async () => {
  world = localWorld('trust');
  secret = await world.enrol();
});
/** A code from there, later than all before. */
const logIn = async (options: Parameters<LocalWorld['verify']>[2] = TRUST, session = KEY): Promise<void> => {
  world.nowMs += PERIOD_MS;
  assert.equal(await world.verify(secret, world.code(secret), options, session), 'totp');
};

describe('a source that showed a code', { skip: lacks({ programs: ['getent'] }) }, () => {
  it('is trusted with the same key from the same address, until the time is over', async () => {
    assert.equal(await world.before(secret, TRUST, KEY), 'ask');
    await logIn();
    assert.equal(await world.before(secret, TRUST, KEY), 'remembered');
    assert.deepEqual(world.records().at(-1)?.['method'], 'remembered');
    world.nowMs += HOUR_MS - 1;
    assert.equal(await world.before(secret, TRUST, KEY), 'remembered', 'to the last millisecond');
    world.nowMs += 1;
    assert.equal(await world.before(secret, TRUST, KEY), 'ask');
  });

  it('is forgotten with the connections when somebody says so, which a record says once', async () => {
    const forget = (): Promise<void> => world.withState((state) => forgetSources(state, { user: 'alice', uid: 1000, door: 'cli' }));
    const session = { ...KEY, ...connected(7), keyDigest: KEY.keyDigest };
    await logIn(TRUST, session);
    assert.equal(await world.before(secret, TRUST, KEY), 'remembered');
    assert.equal(await world.before(secret, {}, session), 'same_connection');
    await world.withState((state) => forgetSources(state, { user: 'bob', uid: 1001, door: 'cli' }));
    assert.equal(await world.before(secret, TRUST, KEY), 'remembered');
    await forget();
    assert.equal(world.records().at(-1)?.['event'], 'forget');
    assert.equal(await world.before(secret, TRUST, KEY), 'ask');
    assert.equal(await world.before(secret, {}, session), 'ask');
    const known = world.records().length;
    await forget();
    assert.equal(world.records().length, known);
    await logIn();
    assert.equal(await world.before(secret, TRUST, KEY), 'remembered');
  });

  it('is not trusted for longer by being trusted', async () => {
    await logIn();
    for (let i = 0; i < 3; i++) {
      world.nowMs += HOUR_MS / 3 - 1;
      assert.equal(await world.before(secret, TRUST, KEY), 'remembered');
    }
    world.nowMs += 10;
    assert.equal(await world.before(secret, TRUST, KEY), 'ask');
  });

  it('is not trusted with another key, from another address, or where either is unknown', async () => {
    await logIn();
    assert.equal(await world.before(secret, TRUST, OTHER_KEY), 'ask');
    for (const rhost of ['192.0.2.8', '192.0.2.70', '192.0.2.7 ', ''])
      assert.equal(await world.before(secret, from(rhost), KEY), 'ask', rhost);
    assert.equal(await world.before(secret, { ...TRUST, origin: NOWHERE }, KEY), 'ask');
    assert.equal(await world.before(secret, TRUST, NO_KEY), 'ask');
    assert.equal(await world.before(secret, TRUST, undefined), 'ask');
  });

  it('is nobody where address or key is unknown: two unknowns are not the same', async () => {
    await logIn(TRUST, NO_KEY);
    assert.equal(await world.before(secret, TRUST, NO_KEY), 'ask');
    await logIn({ ...TRUST, origin: NOWHERE }, KEY);
    assert.equal(await world.before(secret, { ...TRUST, origin: NOWHERE }, KEY), 'ask');
  });

  it('is not trusted where nothing is to be, then or now', async () => {
    await logIn({});
    assert.equal(await world.before(secret, TRUST, KEY), 'ask', 'it was not remembered');
    await logIn();
    assert.equal(await world.before(secret, {}, KEY), 'ask');
  });

  it('is not trusted while the clock is before that code: a time in the future is none', async () => {
    await logIn();
    world.nowMs -= 1;
    assert.equal(await world.before(secret, TRUST, KEY), 'ask');
    world.nowMs += 1;
    assert.equal(await world.before(secret, TRUST, KEY), 'remembered');
  });

  it('is not trusted for a code that was refused', async () => {
    for (const code of ['000000', world.code(secret, 9).code]) {
      assert.equal(await world.verify(secret, { kind: 'code', code }, TRUST, KEY), 'wrong_code');
    }
    assert.equal(await world.before(secret, TRUST, KEY), 'ask');
  });

  it('is forgotten with a new enrolment', async () => {
    await logIn();
    secret = await world.enrol();
    assert.equal(await world.before(secret, TRUST, KEY), 'ask');
  });

  it('is one of eight: the ninth takes the place of the oldest', async () => {
    for (let i = 0; i < 9; i++) await logIn(from(`192.0.2.${String(i)}`));
    const found = await Promise.all(Array.from({ length: 9 }, (_, i) => world.before(secret, from(`192.0.2.${String(i)}`), KEY)));
    assert.deepEqual(found, ['ask', ...Array<string>(8).fill('remembered')]);
  });

  it('does not mix up address and key where one ends as the other begins', async () => {
    await logIn(from('192.0.2.1'), { connection: undefined, keyDigest: '1' + 'a'.repeat(63) });
    assert.equal(await world.before(secret, from('192.0.2.11'), { connection: undefined, keyDigest: 'a'.repeat(63) }), 'ask');
  });
});

describe('a connection that showed a code', { skip: lacks({ programs: ['getent'] }) }, () => {
  it('is not asked again, and others are', async () => {
    await logIn(undefined, connected(7));
    assert.equal(await world.before(secret, undefined, connected(7)), 'same_connection');
    assert.equal(await world.before(secret, undefined, connected(8)), 'ask');
    secret = await world.enrol();
    assert.equal(await world.before(secret, undefined, connected(7)), 'ask');
  });
});

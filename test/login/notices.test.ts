/** What the owner of an account reads after a login: how many codes were refused since the last accepted one. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Login, Terms } from '../../src/login/terms.ts';
import { localVerifier } from '../../src/login/login.ts';
import type { Notice } from '../../src/wire/verifier.ts';
import { localWorld, ORIGIN, PERIOD_MS, UNENROLLED_GET_IN, type LocalWorld, type Secret } from './local-world.ts';
import type { Proof } from '../../src/otp/proof.ts';

describe('an accepted login', () => {
  let world: LocalWorld;
  let secret: Secret;

  beforeEach(async () => {
    world = localWorld('notices');
    secret = await world.enrol();
  });

  const wrong = (): Proof => ({ kind: 'code', code: String((Number(world.code(secret).code) + 1) % 1e6).padStart(6, '0') });

  const noticeOf = async (proof: Proof, other: Partial<Login & Terms> = {}, from: Secret = secret): Promise<Notice | undefined> => {
    const verifier = localVerifier(...world.options({ kind: 'sealed', file: from.file }, other));
    const outcome = await verifier.verify({ readings: [{ passphrase: undefined, proof }] });
    verifier.close();
    return outcome.notice;
  };

  it('tells nothing where nothing was refused, and nothing a second time', async () => {
    assert.equal(await noticeOf(world.code(secret)), undefined);
    world.nowMs += PERIOD_MS;
    await world.verify(secret, wrong());
    assert.equal((await noticeOf(world.code(secret)))?.kind, 'refused_tries');
    world.nowMs += PERIOD_MS;
    assert.equal(await noticeOf(world.code(secret)), undefined);
  });

  it('tells how many were refused, since when, and from where the last one came', async () => {
    const sinceMs = world.nowMs;
    for (const rhost of ['203.0.113.7', '203.0.113.8', '2001:db8::7']) {
      await world.verify(secret, wrong(), { origin: { ...ORIGIN, rhost } });
      world.nowMs += PERIOD_MS;
    }
    assert.deepEqual(await noticeOf(world.code(secret)), { kind: 'refused_tries', count: 3, sinceMs, from: '2001:db8::7' });
  });

  it('counts a code that was used already, and a single code where several are needed', async () => {
    const used = world.code(secret);
    await world.verify(secret, used);
    assert.equal(await world.verify(secret, used), 'replayed');
    for (let i = 0; i < 5; i++) await world.verify(secret, wrong());
    assert.equal(await world.verify(secret, wrong()), 'step_up_required');
    world.nowMs += 6 * 3_600_000;
    const notice = await noticeOf(world.code(secret));
    assert.equal(notice?.kind === 'refused_tries' ? notice.count : 0, 7);
  });

  it('tells no name that a stranger may have chosen, and no zone', async () => {
    for (const [rhost, from] of [
      ['evil\u001b[2Jhost.example', ''],
      ['fe80::1%eth0\u0007', 'fe80::1'],
      ['::ffff:203.0.113.7', '::ffff:203.0.113.7'],
      [undefined, ''],
    ] as const) {
      const { rhost: _, ...local } = ORIGIN;
      await world.verify(secret, wrong(), { origin: rhost === undefined ? local : { ...ORIGIN, rhost } });
      const notice = await noticeOf(world.code(secret));
      assert.equal(notice?.kind === 'refused_tries' ? notice.from : 'nothing', from);
      world.nowMs += PERIOD_MS;
    }
  });

  it('told a host name of hex digits as an address', async () => {
    for (const rhost of ['dead.beef', 'cafe', '1.2.3.4.5']) {
      await world.verify(secret, wrong(), { origin: { ...ORIGIN, rhost } });
      const notice = await noticeOf(world.code(secret));
      assert.equal(notice?.kind === 'refused_tries' ? notice.from : 'nothing', '', rhost);
      world.nowMs += PERIOD_MS;
    }
  });

  it('tells of tries at another device of the account', async () => {
    const second = await world.enrol('phone');
    const both: Partial<Login> = { account: ['ssh', 'phone'] };
    const files = [secret, second].map(({ file }, i) => ({ context: i === 0 ? 'ssh' : 'phone', found: { kind: 'sealed', file } as const }));
    await world.verify(secret, wrong(), both);
    const notice = await noticeOf(world.code(second), { ...both, files });
    assert.equal(notice?.kind === 'refused_tries' ? notice.count : 0, 1);
    world.nowMs += PERIOD_MS;
    assert.equal(await noticeOf(world.code(secret), { ...both, files }), undefined, 'told once, for all devices');
  });

  it('does not count a program that has a code checked, and tells it nothing', async () => {
    await world.verify(secret, wrong());
    await world.verify(secret, wrong(), { origin: { ...ORIGIN, door: 'cli' } });
    assert.equal(await noticeOf(world.code(secret), { origin: { ...ORIGIN, door: 'cli' } }), undefined);
    world.nowMs += PERIOD_MS;
    const notice = await noticeOf(world.code(secret));
    assert.equal(notice?.kind === 'refused_tries' ? notice.count : 0, 1);
  });

  it('says until when, where no enrolment is needed', async () => {
    const verifier = localVerifier(
      ...world.options({ kind: 'absent' }, { ...UNENROLLED_GET_IN, origin: { ...ORIGIN, user: 'bob', uid: 1001 } }),
    );
    assert.deepEqual((await verifier.beforeAsking(undefined))?.notice, { kind: 'enrol_by', untilMs: 4_000_000_000_000 });
    verifier.close();
  });
});

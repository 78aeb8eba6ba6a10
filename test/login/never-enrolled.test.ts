/** Whom policy lets in without an enrolment: those who never had one, under no name of the account and for no context. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Found } from '../../src/system/secrets.ts';
import { invite } from '../../src/enrolment/registrar.ts';
import { end } from './account-world.ts';
import { localWorld, ORIGIN, POLICY, UNENROLLED_GET_IN, type LocalWorld } from './local-world.ts';

const ABSENT: Found = { kind: 'absent' };
let count = 0;
let world: LocalWorld;
beforeEach(() => {
  world = localWorld(`never-enrolled-${String(count++)}`);
});

/** What becomes of a login of `user` with this uid, for whom nothing is found, by each way in. */
async function login(who: { user?: string; uid?: number; context?: string } = {}): Promise<string> {
  const origin = { ...ORIGIN, ...who };
  const options = { origin, files: [{ context: origin.context, found: ABSENT }], account: [origin.context] };
  const before = await world.before(ABSENT, { ...options, ...UNENROLLED_GET_IN });
  assert.equal(await world.verify(ABSENT, { kind: 'code', code: '000000' }, { ...options, ...UNENROLLED_GET_IN }), before);
  // Where the door would have them enrol.
  const instead = await world.before(ABSENT, { ...options, unenrolled: 'enroll' });
  assert.equal(instead, before === 'unenrolled' ? 'not_enrolled' : before);
  return before;
}

function detail(): unknown {
  return world.records().at(-1)?.['detail'];
}

describe('by a rule with enrol_by', () => {
  it('somebody who was never enrolled is let in, also beside others who were', async () => {
    await world.enrol();
    assert.equal(await login({ user: 'bob', uid: 1001 }), 'unenrolled');
  });

  it('somebody is not let in whose account has another name now than when it was enrolled', async () => {
    await world.enrol();
    assert.equal(await login({ user: 'alicia' }), 'stale_enrolment');
    assert.equal(
      detail(),
      'alice, which has the uid of alicia, was enrolled for ssh: notp-enroll alicia ssh makes an enrolment that counts here',
    );
    await end(world, 'ssh');
    assert.equal(await login({ user: 'alicia' }), 'revoked');
  });

  it('somebody is not let in whose account has another uid now, and then another name', async () => {
    const phone = await world.enrol();
    const moved = { ...ORIGIN, uid: 2000 };
    assert.equal(await world.verify(phone, world.code(phone), { origin: moved }), 'totp');
    assert.equal(await login({ user: 'alicia', uid: 2000 }), 'stale_enrolment');
    // Who has the uid now that was hers is somebody else.
    assert.equal(await login({ user: 'bob' }), 'unenrolled');
  });

  it('somebody is not let in who is enrolled for a context that the configuration lists no more', async () => {
    await world.enrol();
    assert.equal(await login({ context: 'phone' }), 'stale_enrolment');
    assert.equal(detail(), 'alice was enrolled for ssh: notp-enroll alice phone makes an enrolment that counts here');
    // Nor where the uid is another one since.
    assert.equal(await login({ context: 'phone', uid: 2000 }), 'stale_enrolment');
    await end(world, 'ssh');
    assert.equal(await login({ context: 'phone' }), 'revoked');
  });

  it('somebody is not let in who was revoked and is invited again, but who was only ever invited is', async () => {
    const invited = (): Promise<void> => world.withState((state) => invite(state, ORIGIN, POLICY, world.nowMs));
    await invited();
    assert.equal(await login(), 'unenrolled');
    const { file } = await world.enrol();
    await end(world, 'ssh');
    await invited();
    assert.equal(await login(), 'stale_enrolment');
    assert.equal(await world.before({ kind: 'sealed', file }, UNENROLLED_GET_IN), 'stale_enrolment');
    // The invitation is good for what it is for.
    await world.enrol();
    assert.equal((await world.enrolment())?.status, 'active');
  });
});

describe('an enrolment', () => {
  it('is of the account that it was made for last', async () => {
    await world.enrol();
    assert.equal((await world.enrolment())?.uid, ORIGIN.uid);
    assert.deepEqual(
      await world.withState(({ store }) =>
        store.exclusively(async (transaction) => (await transaction.enrolmentsOfUid(ORIGIN.uid)).map(({ user }) => user)),
      ),
      ['alice'],
    );
  });
});

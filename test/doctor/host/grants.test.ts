/** Doctor lists all grants that let somebody in without a code, until when and why, and those that somebody changed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { examineGrants, grantsIn } from '../../../src/doctor/host/grants.ts';
import { give } from '../../../src/enrolment/grants.ts';
import { realUser } from '../../../src/system/users.ts';
import { localWorld, ORIGIN } from '../../login/local-world.ts';

const WANTED = { from: '', key: '', service: 'sshd', reason: 'phone lost', forMs: 60_000 };

describe('doctor', () => {
  it('lists the grants in force, warns of those that were changed, and says nothing of a state that it cannot read', async () => {
    const { name, uid } = realUser();
    const world = localWorld('doctor-grants');
    const examine = async (atPam = false): Promise<(readonly [string, string])[]> =>
      examineGrants(await grantsIn(world.place, () => world.nowMs), { atPam }).map(({ id, severity }) => [id, severity]);
    assert.deepEqual(await examine(), [], 'there is no state yet');
    await world.enrol();
    assert.deepEqual(await examine(), [['grants', 'ok']]);
    const { id, untilMs } = await world.withState((state) => give(state, { ...ORIGIN, user: name, uid, door: 'cli' }, WANTED));
    const [finding] = examineGrants(await grantsIn(world.place, () => world.nowMs), { atPam: false });
    assert.equal(finding?.severity, 'info');
    assert.equal(finding.detail, `${id}: ${name} at sshd, until ${new Date(untilMs).toISOString()}: phone lost`);
    const stray = await world.withState((state) => give(state, { ...ORIGIN, user: name, uid: uid + 1, door: 'cli' }, WANTED));
    const [others] = examineGrants(await grantsIn(world.place, () => world.nowMs), { atPam: false }).filter(
      (each) => each.id === 'grant-stray',
    );
    assert.equal(others?.detail, `${stray.id}: ${name}: another account has the name now`);
    world.sql('DELETE FROM granted WHERE id = ?', stray.id);
    world.sql("UPDATE granted SET reason = 'other'");
    assert.deepEqual(
      await examine(),
      [
        ['grant-changed', 'warn'],
        ['grants', 'ok'],
      ].toReversed(),
    );
    world.sql('DROP TABLE granted');
    assert.deepEqual(await examine(), []);
    const now = (): number => untilMs;
    assert.deepEqual(examineGrants(await grantsIn({ ...world.place, hostKeyFiles: [] }, now), { atPam: false }), []);
  });
});

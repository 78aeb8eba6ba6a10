/** A change of an enrolment reaches the host's copy for outages, and codes used and tries spent on the copy stay so. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { append, newRef } from '../../src/audit/audit.ts';
import { refill } from '../../src/enrolment/refill.ts';
import { begin, complete, revoke } from '../../src/enrolment/registrar.ts';
import { copyApproved, reportOutage } from '../../src/outage/report.ts';
import { withPresentState } from '../../src/state/state.ts';
import { withBudget } from '../../src/store/enrolment.ts';
import type { Enrolment } from '../../src/store/store.ts';
import { ORIGIN, PERIOD_MS, POLICY } from '../login/local-world.ts';
import { outageHost, type OutageHost } from './outage-host.ts';

/** The enrolment of alice on both sides. */
async function inBoth({ world, copy }: OutageHost): Promise<{ readonly store: Enrolment; readonly copied: Enrolment }> {
  const store = await world.enrolment();
  const copied = await copy.store.exclusively((transaction) => transaction.enrolment(ORIGIN.user, ORIGIN.context));
  return { store: store ?? assert.fail(), copied: copied ?? assert.fail() };
}

/** Changes what the copy has as a login on it does. */
async function useCopy({ copy }: OutageHost, use: (enrolment: Enrolment) => Enrolment): Promise<void> {
  await copy.store.exclusively(async (transaction) => {
    await transaction.save(use((await transaction.enrolment(ORIGIN.user, ORIGIN.context)) ?? assert.fail()));
  });
}

describe('a change on a host with a copy for outages', () => {
  it('left the copy without tries, and with the step of a clock that was ahead, after notp unlock', async () => {
    const host = await outageHost('change-unlock');
    const { world, place, copy } = host;
    try {
      const present = Math.floor(world.nowMs / PERIOD_MS);
      const ahead = (lastStep: number) => (known: Enrolment) =>
        withBudget({ ...known, state: { ...known.state, lastStep, periodSeconds: PERIOD_MS / 1000 } }, { tokens: 0, asOfMs: world.nowMs });
      await useCopy(host, ahead(present + 5000));
      await world.withState((state) => refill({ ...state, place }, ORIGIN, undefined, { policy: POLICY, contexts: ['ssh'] }, world.nowMs));
      const { copied } = await inBoth(host);
      assert.equal(copied.state.bucket.tokens, POLICY.budget);
      assert.ok(copied.state.lastStep >= present && copied.state.lastStep <= present + POLICY.window, String(copied.state.lastStep));
      // What can be typed by now stays used.
      await useCopy(host, ahead(present));
      await world.withState((state) => refill({ ...state, place }, ORIGIN, undefined, { policy: POLICY, contexts: ['ssh'] }, world.nowMs));
      assert.equal((await inBoth(host)).copied.state.lastStep, present);
    } finally {
      copy.store.close();
    }
  });

  it('forgot what was used on the copy and not reported, where another secret or another list of codes took its place', async () => {
    const host = await outageHost('change-forgot');
    const { world, place, copy } = host;
    try {
      const used = {
        ...ORIGIN,
        event: 'login.accepted',
        result: 'accepted',
        method: 'recovery',
        recovery_codes: [1],
        ref: newRef(),
      } as const;
      await useCopy(host, (known) => ({ ...known, state: { ...known.state, spent: '010' } }));
      await copy.store.exclusively((transaction) => append(copy.log, transaction, used));
      const { copied: before, store } = await inBoth(host);
      const enrolment = { origin: ORIGIN, id: 'f'.repeat(32), digest: 'f'.repeat(64), state: store.state, replace: true };
      await world.withState((state) => begin({ ...state, place }, enrolment, undefined));
      const approved = (): Promise<readonly unknown[]> => copy.store.exclusively((transaction) => transaction.approved());
      assert.deepEqual([(await inBoth(host)).copied, await approved()], [before, []]);
      // The change does not come to its end, and the report finds what was used.
      await world.withState((state) => reportOutage({ ...state, place }, copy, POLICY));
      assert.equal((await inBoth(host)).store.state.spent, '010');
      await world.withState((state) => copyApproved(state, copy, POLICY, world.nowMs));
      assert.equal((await approved()).length, 1);
    } finally {
      copy.store.close();
    }
  });

  it('keeps codes used and tries spent on the copy, which may not be reported yet', async () => {
    const host = await outageHost('change-unreported');
    const { world, place, copy } = host;
    try {
      const spent = { tokens: 0.5, asOfMs: world.nowMs };
      await useCopy(host, (known) => withBudget({ ...known, state: { ...known.state, lastStep: 77, spent: '010' } }, spent));
      const { id: old } = (await inBoth(host)).store;
      for (const [kept, state, used] of [
        [24, {}, '010'],
        [16, { spent: '000' }, '000'],
      ] as const) {
        const id = old.slice(0, kept) + 'f'.repeat(32 - kept);
        const { id: present, digest } = (await inBoth(host)).store;
        const expected = { id: present, digest, status: 'active' } as const;
        const enrolment = { origin: ORIGIN, id, digest: id, state, replace: true, expected };
        await world.withState(async (opened) => {
          await begin({ ...opened, place }, enrolment, undefined);
          await complete({ ...opened, place }, enrolment);
        });
        const { copied } = await inBoth(host);
        assert.deepEqual([copied.id, copied.state.lastStep, copied.state.spent, copied.state.bucket], [id, 77, used, spent]);
      }
    } finally {
      copy.store.close();
    }
  });

  it('reaches the copy where root does not have the key of the host, if it is a revocation', async () => {
    const host = await outageHost('change-keyless');
    const { world, place, copy } = host;
    try {
      const keyless = { ...place, hostKeyFiles: [] };
      await withPresentState(
        { ...world.place, hostKeyFiles: [] },
        () => world.nowMs,
        (state) => revoke({ ...state, place: keyless }, ORIGIN),
      );
      const { store, copied } = await inBoth(host);
      assert.deepEqual([store.status, copied.status, copied.digest], ['revoked', 'revoked', '']);
    } finally {
      copy.store.close();
    }
  });
});

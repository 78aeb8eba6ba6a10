/** After an outage: nothing that was used on either side is unused, and what took the place of an enrolment is left alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assert as holds, boolean, integer, nat, property, record as object, stringMatching } from 'fast-check';
import type { AuditRecord } from '../../src/audit/record.ts';
import type { Enrolment } from '../../src/store/store.ts';
import { idForReseal } from '../../src/seal/id.ts';
import { asRecorded, conflictOf, merged, usedBy, usedOnEither } from '../../src/outage/merge.ts';

const POLICY = { window: 1, budget: 5, refillMs: 3_600_000 };
/** Later than everything here. */
const FAR = { nowMs: 1e12, hostMs: 1e12 };

function enrolment(changes: Partial<Enrolment> = {}, state: Partial<Enrolment['state']> = {}): Enrolment {
  return {
    ...{
      user: 'alice',
      context: 'ssh',
      id: 'a',
      digest: 'aa',
      pendingId: '',
      pendingDigest: '',
      status: 'active',
      pendingState: {},
      lastAcceptedMs: 0,
      uid: 1000,
    },
    state: { lastStep: 10, bucket: { tokens: 5, asOfMs: 1000 }, spent: '000', ...state },
    ...changes,
  };
}

const ANY = object({
  lastStep: integer({ min: -1, max: 20 }),
  spent: stringMatching(/^[01]{3}$/),
  lastAcceptedMs: nat(),
  tokens: nat(5),
}).map(({ lastStep, spent, lastAcceptedMs, tokens }) =>
  enrolment({ lastAcceptedMs }, { lastStep, spent, bucket: { tokens, asOfMs: 1000 } }),
);

describe('what is merged', () => {
  it('has everything used that either side has used, whichever comes first, and however often it is told', () => {
    holds(
      property(ANY, ANY, (store, copy) => {
        const both = merged(store, copy, POLICY, FAR);
        assert.equal(both.state.lastStep, Math.max(store.state.lastStep, copy.state.lastStep));
        for (const each of [store, copy]) {
          assert.ok(Array.from(each.state.spent).every((digit, i) => digit === '0' || both.state.spent[i] === '1'));
          assert.ok(both.lastAcceptedMs >= each.lastAcceptedMs && both.state.bucket.tokens <= each.state.bucket.tokens);
        }
        assert.deepEqual(merged(copy, store, POLICY, FAR), both);
        assert.deepEqual(merged(both, copy, POLICY, FAR), both);
      }),
    );
  });

  it('cut the step of a record as if it were of the secret that has taken its place, whose steps are longer', () => {
    const copy = enrolment({ id: 'a'.repeat(32), doubt: 'forged' }, { lastStep: -1 });
    const store = enrolment({ id: 'b'.repeat(32) }, { lastStep: 5, periodSeconds: 60 });
    const { state } = asRecorded(copy, store, [{ step: 33_000_000 }]);
    assert.deepEqual([state.lastStep, state.periodSeconds], [33_000_000, undefined]);
    const pending = { ...store, pendingId: copy.id, pendingState: { ...store.state, periodSeconds: 30 } };
    assert.equal(asRecorded(copy, pending, [{ step: 33_000_000 }]).state.periodSeconds, 30);
  });

  it('compares budgets as they are at one time', () => {
    const store = enrolment({}, { bucket: { tokens: 3, asOfMs: 3_601_000 } });
    const copy = enrolment({}, { bucket: { tokens: 2.5, asOfMs: 1000 } });
    assert.deepEqual(merged(store, copy, POLICY, FAR).state.bucket, { tokens: 3, asOfMs: 3_601_000 });
    assert.deepEqual(usedOnEither(copy, store).state.bucket, copy.state.bucket);
  });

  it('gave guesses back, and left a last step of a time to come, where the clock of the host was ahead in the outage', () => {
    const nowMs = 100 * 30_000;
    const store = enrolment({}, { bucket: { tokens: 0, asOfMs: nowMs } });
    const copy = enrolment({}, { lastStep: 5860, periodSeconds: 30, bucket: { tokens: 5, asOfMs: nowMs + 48 * 3_600_000 } });
    const { lastStep, bucket } = merged(store, copy, POLICY, { nowMs, hostMs: nowMs }).state;
    // What can be typed now stays used.
    assert.deepEqual([lastStep, bucket], [101, { tokens: 0, asOfMs: nowMs }]);
  });

  it('gave a code back on the host that had taken it, where the clock of the store was behind', () => {
    const nowMs = 100 * 30_000;
    const copy = enrolment({}, { lastStep: 103, periodSeconds: 30 });
    for (const [aheadMs, lastStep] of [
      [60_000, 103],
      [0, 101],
      // The host's was ahead in the outage, and is behind now.
      [-60_000, 101],
    ] as const)
      assert.equal(merged(enrolment(), copy, POLICY, { nowMs, hostMs: nowMs + aheadMs }).state.lastStep, lastStep);
  });

  it('is revoked where the store has it so', () => {
    assert.equal(merged(enrolment({ status: 'revoked' }), enrolment(), POLICY, FAR).status, 'revoked');
  });

  it('is the enrolment of the store where another has taken its place', () => {
    const store = enrolment({ id: 'b' }, { lastStep: -1 });
    assert.deepEqual(merged(store, enrolment({}, { lastStep: 90, spent: '111' }), POLICY, FAR), store);
  });

  it('had codes unused again that the other side had used, where the same secret was sealed anew since', () => {
    const id = 'a'.repeat(32);
    holds(
      property(ANY, ANY, boolean(), boolean(), (one, other, hasNewCodes, isStore) => {
        const old = { ...one, id };
        const anew = { ...other, id: idForReseal(id, 'b'.repeat(32), { hasNewCodes }) };
        const [store, copy] = isStore ? [anew, old] : [old, anew];
        for (const both of [merged(store, copy, POLICY, FAR), usedOnEither(store, copy)]) {
          assert.equal(both.id, store.id);
          assert.equal(both.state.lastStep, Math.max(one.state.lastStep, other.state.lastStep));
          for (const each of hasNewCodes ? [store] : [store, copy])
            assert.ok(Array.from(each.state.spent).every((digit, i) => digit === '0' || both.state.spent[i] === '1'));
          // A new recovery code is not spent because one of the earlier list was.
          if (hasNewCodes) assert.equal(both.state.spent, store.state.spent);
        }
        const { tokens } = merged(store, copy, POLICY, FAR).state.bucket;
        assert.equal(tokens, Math.min(one.state.bucket.tokens, other.state.bucket.tokens));
      }),
    );
  });

  it('is one that was on its way, where its file was in its place in the outage', () => {
    const pendingState = { lastStep: -1, bucket: { tokens: 5, asOfMs: 0 }, spent: '00' };
    const both = merged(enrolment({ pendingId: 'b', pendingState }), enrolment({ id: 'b' }, { lastStep: 7, spent: '01' }), POLICY, FAR);
    assert.deepEqual([both.id, both.pendingId, both.state.lastStep, both.state.spent], ['b', '', 7, '01']);
  });
});

function record(used: Partial<AuditRecord>): AuditRecord {
  return { user: 'alice', context: 'ssh', door: 'pam', event: 'login.accepted', result: 'accepted', ref: '00000000', ...used };
}

describe('a change that the store has not made, for its last answer was lost', () => {
  const id = 'a'.repeat(32);
  const pendingId = idForReseal(id, 'b'.repeat(32), { hasNewCodes: true });
  const store = enrolment({ id, pendingId, pendingState: { spent: '0000' } });
  const copy = enrolment({ id: pendingId }, { lastStep: 12, spent: '0100' });

  it('was made by the report of the copy, which had it already, where the file that belongs to it is in the store', () => {
    const both = merged(store, copy, POLICY, FAR, true);
    assert.deepEqual([both.id, both.pendingId, both.state.lastStep, both.state.spent], [id, pendingId, 12, '000']);
    assert.deepEqual(usedOnEither(store, copy, true).id, id);
    assert.equal(conflictOf(record({ recovery_codes: [0] }), enrolment({ ...store }, { spent: '100' }), copy, true), undefined);
  });

  it('is made where the file is in a home, and may be in its place', () => {
    const both = merged(store, copy, POLICY, FAR);
    assert.deepEqual([both.id, both.pendingId, both.state.lastStep, both.state.spent], [pendingId, '', 12, '0100']);
  });
});

describe('an acceptance in an outage', () => {
  it('takes both codes, or one recovery code', () => {
    const { state } = enrolment();
    assert.deepEqual(usedBy(state, { ...state, lastStep: 12 }), { step: 12 });
    assert.deepEqual(usedBy(state, { ...state, spent: '010' }), { recovery_codes: [1] });
    assert.deepEqual(usedBy(state, { ...state, spent: '110' }), { recovery_codes: [0, 1] });
  });

  it('is at odds with the store where either code may have been taken there', () => {
    for (const [lastStep, isConflict] of [
      [10, false],
      [11, true],
      [12, true],
    ] as const)
      assert.equal(conflictOf(record({ step: 12 }), enrolment({}, { lastStep }), enrolment()) !== undefined, isConflict, String(lastStep));
  });

  it('was told as none of two where the same secret was sealed anew on the other host', () => {
    const id = 'a'.repeat(32);
    for (const hasNewCodes of [false, true]) {
      const store = enrolment({ id: idForReseal(id, 'b'.repeat(32), { hasNewCodes }) }, { lastStep: 12, spent: '010' });
      assert.match(conflictOf(record({ step: 12 }), store, enrolment({ id })) ?? '', /accepted on two hosts/);
      assert.equal(conflictOf(record({ recovery_codes: [1] }), store, enrolment({ id })) !== undefined, !hasNewCodes);
    }
  });

  it('is at odds with it where the recovery code was spent there, and not where that is of another enrolment', () => {
    const spent = enrolment({}, { spent: '010' });
    for (const codes of [[1], [0, 1], [1, 2]])
      assert.match(conflictOf(record({ recovery_codes: codes }), spent, enrolment()) ?? '', /recovery code/);
    assert.equal(conflictOf(record({ recovery_codes: [2] }), spent, enrolment()), undefined);
    assert.equal(conflictOf(record({ recovery_codes: [1] }), { ...spent, id: 'b' }, enrolment()), undefined);
    assert.equal(conflictOf(record({ event: 'recovery.used', recovery_codes: [1] }), spent, enrolment()), undefined);
  });
});

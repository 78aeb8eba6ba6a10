/** What is told of an enrolment: its state with each file that may be found, its budget as it is now, and nothing secret. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { registrationOf, type SealedFile } from '../../src/seal/file.ts';
import type { Enrolment } from '../../src/store/store.ts';
import type { Found } from '../../src/system/secrets.ts';
import { factsOf, type Seen } from '../../src/enrolment/facts.ts';
import { HOST_HEADER, sealed } from '../seal/sealed.ts';
import { ALICE } from '../store/alice.ts';

const [CURRENT, PENDING, OTHER] = ['1'.repeat(32), '2'.repeat(32), '3'.repeat(32)] as const;
const NOW = 1_795_000_000_000;
const HOUR = 3_600_000;
const POLICY = { budget: 5, refillMs: HOUR };
const sealedFile = (id: string): SealedFile => sealed({ ...HOST_HEADER, id });
const fileOf = (id: string): Found => ({ kind: 'sealed', file: sealedFile(id) });
const ENROLLED: Enrolment = { ...ALICE, ...registrationOf(sealedFile(CURRENT)), pendingState: {} };
const REPLACING: Enrolment = { ...ENROLLED, pendingId: PENDING, pendingDigest: registrationOf(sealedFile(PENDING)).digest };
const FORGED = { ...sealedFile(CURRENT), created: '2026-11-23T17:00:01Z' };
const ABSENT: Found = { kind: 'absent' };
const BAD: Found = { kind: 'bad', why: 'a symlink' };

describe('the facts of an enrolment', () => {
  it('are these keys, with the file that logs in', () => {
    const bucket = { tokens: 0.25, asOfMs: NOW - HOUR };
    assert.deepEqual(factsOf({ ...ENROLLED, state: { ...ALICE.state, bucket } }, fileOf(CURRENT), POLICY, NOW), {
      id: CURRENT,
      user: 'alice',
      context: 'ssh',
      state: 'active',
      problem: null,
      registered: true,
      seal: 'host',
      created: '2026-11-23T17:00:00Z',
      last_accepted: new Date(ALICE.lastAcceptedMs).toISOString().replace('.000', ''),
      budget: 1,
      capacity: 5,
      next_try: new Date(NOW + 0.75 * HOUR).toISOString().replace('.000', ''),
      step_up: false,
      codes_needed: 1,
      recovery_left: 9,
      remembered: 0,
    });
  });

  it('count the sources of the file that logs in, and of no other user, context or file', () => {
    const source = { user: 'alice', context: 'ssh', id: CURRENT, acceptedMs: NOW };
    const others = [
      { ...source, user: 'bob' },
      { ...source, context: 'backup' },
      { ...source, id: OTHER },
    ];
    const count = (enrolment: Enrolment, seen: Seen): number =>
      factsOf(enrolment, seen, POLICY, NOW, { sources: [source, ...others, source] }).remembered;
    assert.equal(count(ENROLLED, fileOf(CURRENT)), 2);
    assert.equal(count(ENROLLED, ABSENT), 0);
    assert.equal(count({ ...ENROLLED, status: 'revoked' }, fileOf(CURRENT)), 0);
  });

  const states: readonly (readonly [string, Enrolment, Seen, string | null])[] = [
    ['active', ENROLLED, fileOf(CURRENT), null],
    ['active', { ...REPLACING, pendingState: ALICE.state }, fileOf(PENDING), null],
    ['stale', ENROLLED, fileOf(OTHER), `the file's id is ${OTHER}`],
    ['stale', ENROLLED, { kind: 'sealed', file: FORGED }, 'the file has the registered id and other content'],
    ['missing', ENROLLED, ABSENT, 'the sealed file is missing'],
    ['bad', ENROLLED, BAD, 'a symlink'],
    ['revoked', { ...ENROLLED, status: 'revoked' }, fileOf(CURRENT), null],
    ['invited', { ...ENROLLED, id: '', status: 'invited' }, ABSENT, 'an administrator has invited, and nobody has enrolled yet'],
    ['incomplete', { ...ENROLLED, id: '', pendingId: PENDING }, ABSENT, 'the enrolment was never completed'],
    ['orphaned', ENROLLED, { kind: 'nobody' }, 'there is no user alice'],
  ];
  for (const [state, enrolment, seen, problem] of states) {
    it(`say ${state} where it is ${seen.kind} for ${enrolment.status}${enrolment.pendingId === '' ? '' : ' with another one on its way'}`, () => {
      const facts = factsOf(enrolment, seen, POLICY, NOW);
      assert.deepEqual({ state: facts.state, problem: facts.problem }, { state, problem });
      assert.equal(facts.registered, state === 'active');
      assert.equal(facts.seal === null, state !== 'active');
      assert.equal(facts.created === null, state !== 'active');
      assert.equal(facts.id === null, enrolment.id === '');
    });
  }

  it('take the id of the file that has come into its place, and its budget and recovery codes', () => {
    const pendingState = { lastStep: -1, bucket: { tokens: 5, asOfMs: NOW }, spent: '000' };
    const facts = factsOf({ ...REPLACING, pendingState }, fileOf(PENDING), POLICY, NOW);
    assert.deepEqual([facts.id, facts.budget, facts.recovery_left, facts.last_accepted], [PENDING, 5, 3, null]);
  });

  it('count the budget as it is now: whole tries, step-up below one, three codes where nothing is left for two, and when there is one more', () => {
    const told = (tokens: number, ageMs: number): unknown[] => {
      const state = { ...ALICE.state, bucket: { tokens, asOfMs: NOW - ageMs } };
      const { budget, step_up, codes_needed, next_try } = factsOf({ ...ENROLLED, state }, fileOf(CURRENT), POLICY, NOW);
      assert.equal(step_up, codes_needed > 1);
      return [budget, codes_needed, next_try === null ? null : (Date.parse(next_try) - NOW) / HOUR];
    };
    assert.deepEqual(told(0, 0), [0, 2, 1]);
    assert.deepEqual(told(0.5, HOUR / 4), [0, 2, 0.25]);
    assert.deepEqual(told(0, HOUR), [1, 1, 1]);
    assert.deepEqual(told(5, 0), [5, 1, null]);
    assert.deepEqual(told(0, 100 * HOUR), [5, 1, null]);
    assert.deepEqual(told(2, -HOUR), [2, 1, 1]);
    assert.deepEqual(told(-1, 0), [0, 3, 2], 'after a flood of pairs');
    assert.deepEqual(told(-1, HOUR / 2), [0, 2, 1.5]);
  });

  it('hold nothing that is secret', () => {
    const text = JSON.stringify(factsOf(ENROLLED, fileOf(CURRENT), POLICY, NOW));
    assert.doesNotMatch(text, /secret|ciphertext|nonce|salt|spent/);
  });
});

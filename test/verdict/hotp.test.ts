/** Secrets that count (HOTP, RFC 4226): look-ahead, resynchronisation, and a counter that never goes back. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Proof } from '../../src/otp/proof.ts';
import type { HotpPayload } from '../../src/seal/seal.ts';
import { RESYNC_COUNTERS, type LoginState } from '../../src/verdict/decide.ts';
import { attempt, code, EMPTY, FRESH, NOW_MS, PAYLOAD, POLICY, recovery, sequence, two, word, WRONG, type Attempted } from './world.ts';

const { periodSeconds: _, ...SHARED } = PAYLOAD;
/** The secret of RFC 4226, appendix D. */
const payload: HotpPayload = { ...SHARED, type: 'hotp' };
const RFC_4226 = ['755224', '287082', '359152', '969429', '338314', '254676', '287922', '162583', '399871', '520489'];
/** After counter 49: the next is 50. */
const AT_50: LoginState = { ...FRESH, lastStep: 49 };
const AT_50_EMPTY: LoginState = { ...EMPTY, lastStep: 49 };

const counted = (state: LoginState, proof: Proof, policy = POLICY): Attempted => attempt(state, proof, { payload, policy });
const words = (state: LoginState, proofs: readonly Proof[]): string[] => sequence(state, proofs, { payload }).words;

describe('a code of a counter', () => {
  it('is the one that RFC 4226 prints, from 0 on, each once', () => {
    let state = FRESH;
    for (const [counter, text] of RFC_4226.entries()) {
      const { verdict, next } = counted(state, { kind: 'code', code: text });
      assert.deepEqual(verdict, { result: 'accepted', method: 'hotp', stepOffset: 0 });
      assert.deepEqual(next, { ...state, lastStep: counter });
      assert.equal(word(counted(next, { kind: 'code', code: text }).verdict), 'replayed');
      state = next;
    }
  });

  it('may be as many ahead as the clock’s window has steps, for that is what the budget counts on', () => {
    for (const window of [0, 1, 2, 10]) {
      const policy = { ...POLICY, window };
      const found = Array.from({ length: 30 }, (_each, i) => word(counted(AT_50, code(50 + i), policy).verdict));
      const ahead = 2 * window + 1;
      assert.deepEqual(found, [...Array<string>(ahead).fill('hotp'), ...Array<string>(30 - ahead).fill('wrong_code')]);
    }
  });

  it('that left others out says how many, and makes them used', () => {
    const { verdict, next } = counted(AT_50, code(52));
    assert.deepEqual(verdict, { result: 'accepted', method: 'hotp', stepOffset: 2 });
    assert.equal(next.lastStep, 52);
    assert.deepEqual(words(next, [code(50), code(51), code(52)]), ['replayed', 'replayed', 'replayed']);
    assert.equal(word(counted(next, code(53)).verdict), 'hotp');
  });

  it('that was used is told as that, without a wait, as far back as it could be ahead', () => {
    for (const counter of [47, 48, 49]) {
      assert.deepEqual(counted(AT_50, code(counter)).verdict, { result: 'refused', reason: 'replayed' });
    }
    assert.deepEqual(counted(AT_50, code(46)).verdict, { result: 'refused', reason: 'wrong_code' });
  });

  it('does not go by the clock', () => {
    for (const nowMs of [0, NOW_MS, NOW_MS * 2]) {
      const { verdict } = attempt(AT_50, code(50), { payload, nowMs });
      assert.deepEqual(verdict, { result: 'accepted', method: 'hotp', stepOffset: 0 });
      assert.deepEqual(attempt(AT_50, code(Math.floor(nowMs / 30_000)), { payload, nowMs }).verdict, {
        result: 'refused',
        reason: 'wrong_code',
      });
    }
  });

  it('that is wrong takes a token and moves no counter', () => {
    const { next } = counted(AT_50, WRONG);
    assert.deepEqual([next.lastStep, next.bucket.tokens], [49, 4]);
  });

  it('is not judged on an empty budget, right or wrong', () => {
    assert.deepEqual(counted(AT_50_EMPTY, code(50)), counted(AT_50_EMPTY, WRONG));
    assert.equal(word(counted(AT_50_EMPTY, code(50)).verdict), 'step_up_required');
  });
});

describe('two consecutive codes of a counter', () => {
  it('find a token again that was pressed too often, within so many counters', () => {
    const furthest = 50 + RESYNC_COUNTERS - 1;
    const { verdict, next } = counted(AT_50, two(furthest - 1, furthest));
    assert.deepEqual(verdict, { result: 'accepted', method: 'step_up', stepOffset: RESYNC_COUNTERS - 1 });
    assert.equal(next.lastStep, furthest);
    assert.equal(word(counted(AT_50, two(furthest, furthest + 1)).verdict), 'wrong_code');
    assert.deepEqual(words({ ...FRESH, lastStep: next.lastStep }, [code(furthest), two(furthest - 1, furthest)]), ['replayed', 'replayed']);
  });

  it('must be neighbours in their order, and both unused', () => {
    assert.deepEqual(
      [two(51, 50), two(50, 52), two(50, 50), two(49, 50), two(48, 49)].map((proof) => word(counted(AT_50_EMPTY, proof).verdict)),
      Array(5).fill('wrong_code'),
    );
    assert.equal(word(counted(AT_50, two(48, 49)).verdict), 'replayed');
    assert.equal(word(counted(AT_50_EMPTY, two(50, 51)).verdict), 'step_up');
  });

  it("reach no further than a clock's would with an empty budget, for then nobody pays for guesses", () => {
    const pairs = [50, 51, 52, 53].map((first) => word(counted(AT_50_EMPTY, two(first, first + 1)).verdict));
    assert.deepEqual(pairs, ['step_up', 'step_up', 'wrong_code', 'wrong_code']);
    const narrow = { ...POLICY, window: 0 };
    assert.deepEqual(
      [50, 51].map((first) => word(counted(AT_50_EMPTY, two(first, first + 1), narrow).verdict)),
      ['step_up', 'wrong_code'],
    );
  });

  it('work from the first counter on', () => {
    assert.deepEqual(counted(FRESH, two(0, 1)).verdict, { result: 'accepted', method: 'step_up', stepOffset: 1 });
  });
});

it('a recovery code leaves the counter where it was', () => {
  const { verdict, next } = counted(AT_50_EMPTY, recovery(1));
  assert.deepEqual([word(verdict), next.lastStep, next.spent], ['recovery', 49, '010']);
});

it('whatever is typed, the counter goes forward with what is accepted, and no code is accepted twice', () => {
  const typed = fc.record({
    kind: fc.constantFrom('code' as const, 'two' as const, 'wrong' as const),
    ahead: fc.integer({ min: -6, max: 22 }),
  });
  fc.assert(
    fc.property(fc.array(typed, { maxLength: 30 }), fc.integer({ min: 0, max: 3 }), (tries, window) => {
      let state: LoginState = { ...FRESH, lastStep: 10, bucket: { tokens: 100, asOfMs: NOW_MS } };
      const policy = { ...POLICY, window, budget: 100 };
      for (const { kind, ahead } of tries) {
        const counter = Math.max(0, state.lastStep + 1 + ahead);
        const proof = kind === 'wrong' ? WRONG : kind === 'code' ? code(counter) : two(counter, counter + 1);
        const { verdict, next } = counted(state, proof, policy);
        const reach = kind === 'code' ? 2 * window : RESYNC_COUNTERS - 2;
        const isFresh = kind !== 'wrong' && counter > state.lastStep && ahead <= reach;
        assert.equal(verdict.result === 'accepted', isFresh, `${kind} ${ahead}`);
        assert.equal(next.lastStep, isFresh ? counter + (kind === 'two' ? 1 : 0) : state.lastStep);
        state = next;
      }
    }),
    { numRuns: 100 },
  );
});

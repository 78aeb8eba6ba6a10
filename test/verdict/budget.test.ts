/** The guess budget: what takes a token, what gives it back, and that the defaults keep guessing under 1 in 10,000 a day. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultConfig } from '../../src/system/config.ts';
import { fullBucket, isEmpty, refilled, taken } from '../../src/verdict/budget.ts';
import { attempt, code, EMPTY, FRESH, HOUR_MS, NOW, NOW_MS, POLICY, recovery, sequence, two, WRONG } from './world.ts';

describe('the bucket', () => {
  it('is full at first and holds no more', () => {
    const full = fullBucket(POLICY, NOW_MS);
    assert.deepEqual(full, { tokens: 5, asOfMs: NOW_MS });
    assert.equal(refilled(full, POLICY, NOW_MS + 100 * HOUR_MS).tokens, 5);
  });

  it('is empty below one whole token, and keeps the part of a token that it has', () => {
    assert.equal(isEmpty({ tokens: 1, asOfMs: 0 }, 1), false);
    assert.equal(isEmpty({ tokens: 0.999, asOfMs: 0 }, 1), true);
    assert.deepEqual(taken({ tokens: 0.5, asOfMs: 7 }, 1), { tokens: 0.5 - 1e-6, asOfMs: 7 }, 'a millionth, which is what a pair is worth');
    assert.deepEqual(taken({ tokens: -1, asOfMs: 7 }, 1), { tokens: -1, asOfMs: 7 }, 'no more than the reserve is owed');
    assert.deepEqual(taken({ tokens: 3, asOfMs: 7 }, 1), { tokens: 2, asOfMs: 7 });
  });

  it('gains one token each refill time, in parts', () => {
    const empty = { tokens: 0, asOfMs: NOW_MS };
    assert.equal(refilled(empty, POLICY, NOW_MS + HOUR_MS).tokens, 1);
    assert.equal(refilled(empty, POLICY, NOW_MS + HOUR_MS / 2).tokens, 0.5);
    const inParts = Array.from({ length: 4 }, (_, i) => NOW_MS + ((i + 1) * HOUR_MS) / 4);
    assert.equal(inParts.reduce((bucket, at) => refilled(bucket, POLICY, at), empty).tokens, 1);
  });

  it('neither gains nor loses where the clock is set back', () => {
    assert.deepEqual(refilled({ tokens: 2, asOfMs: NOW_MS }, POLICY, NOW_MS - 10 * HOUR_MS), { tokens: 2, asOfMs: NOW_MS });
  });

  it('was refilled by the skew of two clocks that took turns', () => {
    let bucket = { tokens: 0, asOfMs: NOW_MS };
    for (let i = 0; i < 100; i++) bucket = refilled(bucket, POLICY, NOW_MS + (i % 2) * HOUR_MS);
    assert.equal(bucket.tokens, 1);
  });
});

describe('a try', () => {
  it('takes a token where it is refused, whatever was wrong with it', () => {
    const spent = attempt(attempt(FRESH, recovery(0)).next, code(NOW)).next;
    for (const proof of [WRONG, two(NOW, NOW), code(NOW), recovery(0), { kind: 'recovery', code: 'A'.repeat(13) } as const]) {
      const { verdict, next } = attempt(spent, proof);
      assert.equal(verdict.result, 'refused');
      assert.equal(next.bucket.tokens, 4, proof.kind);
    }
    for (const proof of [code(NOW), recovery(0)]) assert.equal(attempt(FRESH, proof, { opened: false }).next.bucket.tokens, 4);
  });

  it('gets its token back where it is accepted, and gives no other', () => {
    const three = { ...FRESH, bucket: { tokens: 3, asOfMs: NOW_MS } };
    for (const proof of [code(NOW), two(NOW, NOW + 1), recovery(0)]) assert.equal(attempt(three, proof).next.bucket.tokens, 3);
  });

  it('of one code is judged as often as there are tokens, then two codes are asked for', () => {
    const { words, state } = sequence(FRESH, [WRONG, WRONG, WRONG, WRONG, WRONG, WRONG, code(NOW)]);
    assert.deepEqual(words, [...Array<string>(5).fill('wrong_code'), 'step_up_required', 'step_up_required']);
    assert.equal(state.lastStep, -1);
    assert.equal(state.bucket.tokens, 0);
  });

  it('of one code is judged again after the refill time', () => {
    const almost = attempt(EMPTY, WRONG, { nowMs: NOW_MS + HOUR_MS - 1 });
    assert.equal(almost.verdict.result === 'refused' && almost.verdict.reason, 'step_up_required');
    const later = NOW + HOUR_MS / 30_000;
    assert.equal(attempt(EMPTY, code(later), { nowMs: NOW_MS + HOUR_MS }).verdict.result, 'accepted');
  });

  it('that is not judged does not put the refill off: nobody keeps an owner in step-up with single codes', () => {
    let state = EMPTY;
    for (let minute = 1; minute < 60; minute++) ({ next: state } = attempt(state, WRONG, { nowMs: NOW_MS + minute * 60_000 }));
    assert.equal(attempt(state, code(NOW + 120), { nowMs: NOW_MS + HOUR_MS }).verdict.result, 'accepted');
  });

  it('that logs in with two codes does not refill the budget', () => {
    const { words } = sequence(EMPTY, [two(NOW - 1, NOW), code(NOW + 1)]);
    assert.deepEqual(words, ['step_up', 'step_up_required']);
  });

  it('with a recovery code does not refill the budget', () => {
    assert.deepEqual(sequence(EMPTY, [recovery(0), code(NOW)]).words, ['recovery', 'step_up_required']);
  });

  it('with two wrong codes or a wrong recovery code counts while there are tokens', () => {
    const { words } = sequence(FRESH, [...Array<typeof WRONG>(4).fill(WRONG), two(NOW, NOW), code(NOW)]);
    assert.deepEqual(words.slice(-2), ['wrong_code', 'step_up_required']);
  });
});

describe('the arithmetic of the defaults', () => {
  const { policy, code: codes } = defaultConfig();
  const dayMs = 24 * HOUR_MS;
  const judgedADay = policy.budget + dayMs / policy.refillMs;
  const acceptable = 2 * policy.window + 1;

  it('keeps guessing single codes under 1 in 10,000 a day, from a full budget on', () => {
    assert.equal(judgedADay, 29);
    const chance = (judgedADay * acceptable) / 10 ** codes.digits;
    assert.ok(chance <= 1e-4, `${chance}`);
  });
});

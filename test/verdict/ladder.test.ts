/** One code, then two, then three in a row: what each is worth to somebody who guesses, and that a day of any mix stays under 1 in 10,000. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Proof } from '../../src/otp/proof.ts';
import { defaultConfig } from '../../src/system/config.ts';
import { codesNeeded, PAIRS_RESERVE, refilled, taken, type Bucket } from '../../src/verdict/budget.ts';
import { decide, type LoginState, type Policy } from '../../src/verdict/decide.ts';
import { codeOf, DEVICES, judged, twoOf } from './devices-world.ts';
import { attempt, code, EMPTY, FRESH, HOUR_MS, inARow, NOW, NOW_MS, PAYLOAD, POLICY, recovery, two, word, WRONG } from './world.ts';

/** Nothing is left, not even for a pair. */
const FLOODED: LoginState = { ...EMPTY, bucket: { tokens: -PAIRS_RESERVE, asOfMs: NOW_MS } };
const RIGHT = [inARow(NOW - 3, NOW - 2, NOW - 1), inARow(NOW - 2, NOW - 1, NOW), inARow(NOW - 1, NOW, NOW + 1)];

describe('a policy that never takes a single code', () => {
  const policy: Policy = { ...POLICY, alwaysStepUp: true };
  const tokens = (proof: Proof, opened = true): [string, number] => {
    const { verdict, next } = attempt(FRESH, proof, { policy, opened });
    return [word(verdict), next.bucket.tokens];
  };

  it('asks for two, which cost nothing where they are right, and a whole try where they are wrong', () => {
    assert.deepEqual(tokens(code(NOW)), ['step_up_required', 5]);
    assert.deepEqual(tokens(WRONG), ['step_up_required', 5]);
    assert.deepEqual(tokens(two(NOW - 1, NOW)), ['step_up', 5]);
    assert.deepEqual(tokens(two(NOW, NOW)), ['wrong_code', 4]);
    assert.deepEqual(tokens(two(NOW - 1, NOW), false), ['wrong_code', 4]);
    assert.deepEqual(tokens(recovery(0)), ['recovery', 5]);
  });

  it('asks two devices for the price of two', () => {
    const state = { ...FRESH, bucket: { tokens: 4, asOfMs: NOW_MS } };
    const { verdict, next } = decide([state, state], { proof: two(NOW, NOW), opened: [PAYLOAD, PAYLOAD] }, NOW_MS, policy);
    assert.deepEqual([word(verdict), next.map(({ bucket }) => bucket.tokens)], ['wrong_code', [2, 2]]);
  });

  it('asks for three where the budget does', () => {
    const { verdict } = attempt(FLOODED, two(NOW - 1, NOW), { policy });
    assert.equal('codesNeeded' in verdict && verdict.codesNeeded, 3);
  });
});

describe('three codes in a row', () => {
  it('are asked for where pairs come as a flood, and of single codes and pairs right and wrong ones look the same', () => {
    for (const proof of [WRONG, code(NOW), two(NOW - 1, NOW), two(NOW, NOW), two(NOW + 4, NOW + 5)]) {
      for (const opened of [true, false]) {
        const { verdict, next } = attempt(FLOODED, proof, { opened });
        assert.deepEqual([word(verdict), 'codesNeeded' in verdict && verdict.codesNeeded], ['step_up_required', 3]);
        assert.deepEqual(next, FLOODED);
      }
    }
    const atTwo = attempt(EMPTY, WRONG).verdict;
    assert.equal('codesNeeded' in atTwo && atTwo.codesNeeded, 2);
  });

  it('log in then, typed while the phone shows the last of them, a step later or a step before; a recovery code does too', () => {
    for (const proof of RIGHT) assert.equal(word(attempt(FLOODED, proof).verdict), 'step_up');
    for (const proof of RIGHT) assert.equal(word(attempt({ ...FLOODED, lastStep: NOW - 4 }, proof).verdict), 'step_up');
    assert.equal(word(attempt(FLOODED, recovery(0)).verdict), 'recovery');
  });

  it('must follow one another, lie in the window, and all be later than the last accepted one', () => {
    const wrong = [
      inARow(NOW - 4, NOW - 3, NOW - 2),
      inARow(NOW, NOW + 1, NOW + 2),
      inARow(NOW, NOW - 1, NOW - 2),
      inARow(NOW - 2, NOW - 2, NOW),
      inARow(NOW - 2, NOW - 1, NOW + 1),
    ];
    for (const proof of wrong)
      assert.deepEqual([word(attempt(FLOODED, proof).verdict), attempt(FLOODED, proof).next], ['wrong_code', FLOODED]);
    for (const lastStep of [NOW - 2, NOW - 1, NOW])
      assert.equal(word(attempt({ ...FLOODED, lastStep }, inARow(NOW - 2, NOW - 1, NOW)).verdict), 'wrong_code');
  });

  it('have steps to stand on where the window is 0', () => {
    const policy = { ...POLICY, window: 0 };
    assert.equal(word(attempt(FLOODED, inARow(NOW - 2, NOW - 1, NOW), { policy }).verdict), 'step_up');
    assert.equal(word(attempt(FLOODED, inARow(NOW - 3, NOW - 2, NOW - 1), { policy }).verdict), 'wrong_code');
  });

  it('of a line with a longer reading hide which passphrase was right', () => {
    const asThree = attempt(FLOODED, inARow(NOW - 9, NOW - 8, NOW - 7), { opened: false, longest: 3 });
    for (const proof of [code(NOW), two(NOW - 1, NOW)]) assert.deepEqual(attempt(FLOODED, proof, { longest: 3 }), asThree);
    const asTwo = attempt(EMPTY, two(NOW - 9, NOW - 8), { opened: false, longest: 2 });
    assert.deepEqual(attempt(EMPTY, code(NOW), { longest: 2 }), asTwo);
  });

  it('find a token that counts again, up to 20 presses ahead, with nothing left to pay with', () => {
    const [device] = DEVICES.filter(({ payload }) => payload.type === 'hotp');
    assert.ok(device !== undefined);
    const run = (first: number): Proof => {
      const each = [0, 1, 2].map((i) => codeOf(device, first + i));
      return { kind: 'codes', codes: each.flatMap((proof) => (proof.kind === 'code' ? [proof.code] : [])) };
    };
    assert.equal(word(judged([device], [FLOODED], run(17)).verdict), 'step_up');
    assert.equal(word(judged([device], [FLOODED], run(18)).verdict), 'wrong_code');
    assert.equal(word(judged([device], [FLOODED], twoOf(device, 0)).verdict), 'step_up_required');
  });

  it('are not asked for any more as soon as there is something for a pair again', () => {
    assert.equal(word(attempt(FLOODED, two(NOW - 1, NOW), { nowMs: NOW_MS + 3 }).verdict), 'step_up_required');
    assert.equal(word(attempt(FLOODED, two(NOW - 1, NOW), { nowMs: NOW_MS + 4 }).verdict), 'step_up');
    const singles = NOW + (2 * HOUR_MS) / 30_000;
    assert.equal(word(attempt(FLOODED, code(singles), { nowMs: NOW_MS + 2 * HOUR_MS }).verdict), 'totp');
  });
});

/** How many different proofs of `count` codes of steps near now are accepted, by trying all of them. */
function acceptedOf(count: number, policy: Policy): number {
  const steps = Array.from({ length: 2 * policy.window + 9 }, (_, i) => NOW - policy.window - 4 + i);
  const tuples = Array.from({ length: count }).reduce<number[][]>(
    (all) => all.flatMap((each) => steps.map((step) => [...each, step])),
    [[]],
  );
  const proofs = tuples.map((each): Proof => (count === 1 ? code(each[0] ?? 0) : inARow(...each)));
  return proofs.filter(
    (proof) => attempt({ ...EMPTY, bucket: { tokens: 5, asOfMs: NOW_MS } }, proof, { policy }).verdict.result === 'accepted',
  ).length;
}

describe('the arithmetic of the ladder', () => {
  const { policy, code: codes } = defaultConfig();
  const chanceOf = (count: number): number => acceptedOf(count, policy) / 10 ** (count * codes.digits);
  const dayTokens = policy.budget + PAIRS_RESERVE + (24 * HOUR_MS) / policy.refillMs;

  it('is that of docs/guessing.md: 3 single codes of 10^6, 2 pairs of 10^12 and 3 triples of 10^18 are right', () => {
    assert.deepEqual(
      [1, 2, 3].map((count) => acceptedOf(count, policy)),
      [3, 2, 3],
    );
  });

  it('makes a pair cost what it is worth, and more, by any window', () => {
    for (const window of [1, 2, 5, 10]) {
      const [single, pair] = [2 * window + 1, 2 * window];
      if (window < 5)
        assert.deepEqual(
          [1, 2].map((count) => acceptedOf(count, { ...policy, window })),
          [single, pair],
        );
      const cost = 0 - taken({ tokens: 0, asOfMs: 0 }, 1).tokens;
      assert.ok(cost >= pair / 10 ** 12 / (single / 10 ** 6), `${cost} by a window of ${window}`);
    }
    // Where the window is 0 a single code is worth a third, so that a pair may be worth two millionths of it.
    const strict = { ...policy, window: 0 };
    assert.ok((dayTokens * 1e6 * acceptedOf(2, strict)) / 10 ** 12 <= 1e-4);
  });

  it('keeps a day of single codes and pairs under 1 in 10,000, in any mix and however fast', () => {
    assert.equal(dayTokens, 30);
    assert.ok(dayTokens * chanceOf(1) <= 1e-4, String(dayTokens * chanceOf(1)));
  });

  it('makes a day of triples, a thousand a second, worth less than one in a thousand million', () => {
    assert.ok(1_000 * 86_400 * chanceOf(3) < 1e-9);
  });

  it('lets nobody judge more than the tokens of the time pay for, whatever the mix', () => {
    const moments = fc.array(fc.record({ movedMs: fc.nat(4 * HOUR_MS), pairs: fc.nat(6_000_000), singles: fc.nat(6) }), { maxLength: 40 });
    fc.assert(
      fc.property(moments, (all) => {
        let [bucket, nowMs, chance]: [Bucket, number, number] = [{ tokens: policy.budget, asOfMs: NOW_MS }, NOW_MS, 0];
        for (const { movedMs, pairs, singles } of all) {
          nowMs += movedMs;
          bucket = refilled(bucket, policy, nowMs);
          for (let i = 0; i < singles; i++) {
            if (codesNeeded(bucket, 1) !== 1) continue;
            bucket = taken(bucket, 1);
            chance += 3e-6;
          }
          if (codesNeeded(bucket, 1) !== 2) continue;
          // A flood, of which so many are judged; the next one leaves the bucket as it is.
          const some = Math.min(pairs, Math.floor((bucket.tokens + PAIRS_RESERVE) * 1e6));
          bucket = { ...bucket, tokens: bucket.tokens - some * 1e-6 };
          chance += some * 2e-12;
        }
        const tokens = policy.budget + PAIRS_RESERVE + (nowMs - NOW_MS) / policy.refillMs;
        assert.ok(chance <= tokens * 3e-6 + 1e-12, `${chance} in ${tokens} tokens`);
      }),
    );
  });

  it('that a pair is taken for is what the decision takes: one after the other until none is judged', () => {
    let state: LoginState = { ...EMPTY, bucket: { tokens: -PAIRS_RESERVE + 2.5e-6, asOfMs: NOW_MS } };
    const words = [1, 2, 3, 4].map(() => {
      const { verdict, next } = attempt(state, two(NOW, NOW));
      state = next;
      return word(verdict);
    });
    assert.deepEqual(words, ['wrong_code', 'wrong_code', 'step_up_required', 'step_up_required']);
  });
});

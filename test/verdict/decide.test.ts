/** The decision, case by case: which code is accepted when, and what a refusal says. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Proof } from '../../src/otp/proof.ts';
import { withoutClockAhead, withoutFutureSteps } from '../../src/verdict/decide.ts';
import { attempt, code, EMPTY, FRESH, NOW, NOW_MS, POLICY, recovery, sequence, two, word, WRONG } from './world.ts';

/** What becomes of the codes of five steps around now, with this window. */
function within(window: number): string[] {
  const policy = { ...POLICY, window };
  return [-2, -1, 0, 1, 2].map((offset) => word(attempt(FRESH, code(NOW + offset), { policy }).verdict));
}

describe('a code', () => {
  for (const offset of [-1, 0, 1]) {
    it(`of step ${offset} is accepted, and the verdict says how far off it was`, () => {
      const { verdict, next } = attempt(FRESH, code(NOW + offset));
      assert.deepEqual(verdict, { result: 'accepted', method: 'totp', stepOffset: offset });
      assert.equal(next.lastStep, NOW + offset);
      assert.equal(next.spent, FRESH.spent);
    });
  }

  for (const offset of [-3, -2, 2, 3]) {
    it(`of step ${offset} is outside the window`, () => {
      assert.equal(word(attempt(FRESH, code(NOW + offset)).verdict), 'wrong_code');
    });
  }

  it('counts in as many steps as the window has', () => {
    assert.deepEqual(within(0), ['wrong_code', 'wrong_code', 'totp', 'wrong_code', 'wrong_code']);
    assert.deepEqual(within(2), ['totp', 'totp', 'totp', 'totp', 'totp']);
  });

  it('is accepted in the first and the last millisecond of its step', () => {
    const policy = { ...POLICY, window: 0 };
    const at = (nowMs: number): string => word(attempt(FRESH, code(NOW), { nowMs, policy }).verdict);
    const first = NOW * 30_000;
    assert.deepEqual([first - 1, first, first + 29_999, first + 30_000].map(at), ['wrong_code', 'totp', 'totp', 'wrong_code']);
  });

  it('is accepted once', () => {
    assert.deepEqual(sequence(FRESH, [code(NOW), code(NOW), code(NOW)]).words, ['totp', 'replayed', 'replayed']);
  });

  it('is refused after a newer one was accepted, even where it was never used', () => {
    assert.deepEqual(sequence(FRESH, [code(NOW), code(NOW - 1), code(NOW + 1), code(NOW)]).words, ['totp', 'replayed', 'totp', 'replayed']);
  });

  it('that chance gives to two steps of the window counts for the later one, and so only once', () => {
    const window = 10;
    const [earlier, later] = [1_096_428, 1_096_430];
    assert.deepEqual(code(earlier), code(later));
    const circumstances = { nowMs: (earlier + window) * 30_000, policy: { ...POLICY, window } };
    const { words, state } = sequence(FRESH, [code(earlier), code(later)], circumstances);
    assert.deepEqual(words, ['totp', 'replayed']);
    assert.equal(state.lastStep, later);
  });

  it('that was used is told when the next one comes', () => {
    const { next } = attempt(FRESH, code(NOW));
    const { verdict } = attempt(next, code(NOW));
    assert.deepEqual(verdict, { result: 'refused', reason: 'replayed', waitSeconds: 15 });
  });

  it('of the next step that was used asks for a longer wait', () => {
    const { next } = attempt(FRESH, code(NOW + 1));
    assert.deepEqual(attempt(next, code(NOW)).verdict, { result: 'refused', reason: 'replayed', waitSeconds: 45 });
  });
});

/** The same codes, that at `index` a wrong one. */
function withWrong(proof: Proof, index: number): Proof {
  assert.ok(proof.kind === 'codes');
  return { ...proof, codes: proof.codes.with(index, '000000') };
}

describe('an empty budget', () => {
  it('makes a right and a wrong code look the same', () => {
    for (const proof of [code(NOW), WRONG, code(NOW - 1), code(NOW + 9)]) {
      assert.deepEqual(attempt(EMPTY, proof), attempt(EMPTY, WRONG));
      assert.equal(word(attempt(EMPTY, proof).verdict), 'step_up_required');
    }
  });

  it('hides whether the passphrase was right', () => {
    for (const proof of [WRONG, code(NOW), two(NOW - 1, NOW + 1), { kind: 'recovery', code: 'A'.repeat(13) } as const]) {
      const opened = attempt(EMPTY, proof.kind === 'code' ? code(NOW) : proof);
      assert.deepEqual(attempt(EMPTY, proof, { opened: false }), opened);
    }
  });

  it('answers a single code of a line that may hold two as it answers two', () => {
    const single = attempt(EMPTY, code(NOW), { opened: false, longest: 2 });
    assert.deepEqual(single, attempt(EMPTY, two(NOW - 5, NOW - 4)));
  });

  it('is no lock: two consecutive codes log in, and so does a recovery code', () => {
    assert.equal(word(attempt(EMPTY, two(NOW - 1, NOW)).verdict), 'step_up');
    assert.equal(word(attempt(EMPTY, two(NOW, NOW + 1)).verdict), 'step_up');
    assert.equal(word(attempt(EMPTY, recovery(0)).verdict), 'recovery');
  });
});

describe('two codes', () => {
  it('move the last accepted step to the second, and say how far off that was', () => {
    const { verdict, next } = attempt(EMPTY, two(NOW - 1, NOW));
    assert.deepEqual(verdict, { result: 'accepted', method: 'step_up', stepOffset: 0 });
    assert.equal(next.lastStep, NOW);
  });

  it('log in with budget left too', () => {
    assert.equal(word(attempt(FRESH, two(NOW - 1, NOW)).verdict), 'step_up');
  });

  const refused: readonly (readonly [what: string, proof: Proof])[] = [
    ['in the wrong order', two(NOW, NOW - 1)],
    ['not consecutive', two(NOW - 1, NOW + 1)],
    ['the same twice', two(NOW, NOW)],
    ['the first before the window', two(NOW - 2, NOW - 1)],
    ['the second after the window', two(NOW + 1, NOW + 2)],
    ['both outside the window', two(NOW + 5, NOW + 6)],
    ['only the first right', withWrong(two(NOW, NOW + 1), 1)],
    ['only the second right', withWrong(two(NOW, NOW + 1), 0)],
  ];
  for (const [what, proof] of refused) {
    it(`are refused: ${what}`, () => {
      assert.equal(word(attempt(EMPTY, proof).verdict), 'wrong_code');
      assert.equal(word(attempt(FRESH, proof).verdict), 'wrong_code');
    });
  }

  it('work once, and no part of them works again', () => {
    const wide = { policy: { ...POLICY, window: 2 } };
    const { words } = sequence(FRESH, [two(NOW - 1, NOW), two(NOW - 1, NOW), code(NOW), code(NOW - 1), two(NOW, NOW + 1)], wide);
    assert.deepEqual(words, ['step_up', 'replayed', 'replayed', 'replayed', 'replayed']);
  });

  it('must both be later than the last accepted step', () => {
    assert.deepEqual(sequence(FRESH, [code(NOW - 1), two(NOW - 1, NOW), two(NOW, NOW + 1)]).words, ['totp', 'replayed', 'step_up']);
  });

  it('have two steps to stand on where the window is 0', () => {
    const policy = { ...POLICY, window: 0 };
    assert.equal(word(attempt(EMPTY, two(NOW - 1, NOW), { policy }).verdict), 'step_up');
    assert.equal(word(attempt(EMPTY, two(NOW - 2, NOW - 1), { policy }).verdict), 'wrong_code');
  });
});

describe('a clock that was ahead', () => {
  it('leaves no step of a time to come, and those of the past, the present and the window as they are', () => {
    const steps = [NOW + 5_000, NOW + 2, NOW + 1, NOW, NOW - 3].map(
      (lastStep) => withoutFutureSteps({ ...FRESH, lastStep, periodSeconds: 30 }, NOW_MS, { window: 1 }).lastStep,
    );
    assert.deepEqual(steps, [NOW + 1, NOW + 1, NOW + 1, NOW, NOW - 3]);
    assert.equal(withoutFutureSteps({ ...FRESH, lastStep: NOW + 9 }, NOW_MS, { window: 1 }).lastStep, NOW + 9, 'a counter knows no time');
  });

  it('gave back the later one of two codes, where the window is 0', () => {
    for (const window of [0, 1, 2]) {
      const policy = { ...POLICY, window };
      const { next } = attempt({ ...EMPTY, periodSeconds: 30 }, two(NOW, NOW + 1), { policy });
      assert.equal(next.lastStep, NOW + 1);
      assert.equal(withoutClockAhead(next, NOW_MS, policy).lastStep, NOW + 1);
      assert.equal(withoutFutureSteps(next, NOW_MS, policy).lastStep, NOW + 1);
    }
  });

  it('is told from a window that let a code in, whose step stays', () => {
    const steps = [NOW + 5_000, NOW + 2, NOW + 1, NOW, NOW - 3].map(
      (lastStep) => withoutClockAhead({ ...FRESH, lastStep, periodSeconds: 30 }, NOW_MS, { window: 1 }).lastStep,
    );
    assert.deepEqual(steps, [NOW, NOW, NOW + 1, NOW, NOW - 3]);
  });
});

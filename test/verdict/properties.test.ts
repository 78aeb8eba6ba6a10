/** What holds of the decision whatever is typed and however the clock goes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { codeAt } from '../../src/otp/code.ts';
import type { Proof } from '../../src/otp/proof.ts';
import { keptRecoveryCodes } from '../../src/otp/recovery.ts';
import type { Payload } from '../../src/seal/seal.ts';
import { PAIRS_RESERVE } from '../../src/verdict/budget.ts';
import type { LoginState, Policy } from '../../src/verdict/decide.ts';
import { attempt, code, FRESH, HOUR_MS, inARow, NOW_MS, PAYLOAD, recovery, RECOVERY, two, WRONG, type Attempted } from './world.ts';

/** One try: what is typed, relative to the clock, and how far the clock moved before it. */
interface Try {
  readonly kind: 'code' | 'two' | 'three' | 'recovery' | 'wrong' | 'wrong_passphrase';
  readonly offset: number;
  readonly movedMs: number;
}

interface Step {
  readonly nowMs: number;
  readonly proof: Proof;
  readonly opened: boolean;
  readonly before: LoginState;
  readonly decision: Attempted;
}

const POLICIES: fc.Arbitrary<Policy> = fc.record({
  window: fc.integer({ min: 0, max: 3 }),
  budget: fc.integer({ min: 1, max: 6 }),
  refillMs: fc.constantFrom(60_000, 600_000, HOUR_MS),
});

function tries(movedMs: fc.Arbitrary<number>): fc.Arbitrary<Try[]> {
  const kind = fc.constantFrom<Try['kind'][]>('code', 'code', 'two', 'three', 'recovery', 'wrong', 'wrong', 'wrong_passphrase');
  return fc.array(fc.record({ kind, offset: fc.integer({ min: -3, max: 3 }), movedMs }), { minLength: 1, maxLength: 40 });
}

const ANY_CLOCK = tries(fc.integer({ min: -200_000, max: 200_000 }));
const FORWARD_CLOCK = tries(fc.nat(200_000));

function proofOf({ kind, offset }: Try, nowMs: number): Proof {
  const step = Math.floor(nowMs / 30_000) + offset;
  switch (kind) {
    case 'code':
    case 'wrong_passphrase':
      return code(step);
    case 'two':
      return two(step, step + 1);
    case 'three':
      return inARow(step, step + 1, step + 2);
    case 'recovery':
      return recovery(Math.abs(offset) % RECOVERY.length);
    case 'wrong':
      return WRONG;
  }
}

function play(all: readonly Try[], policy: Policy, tokens = policy.budget): Step[] {
  let state: LoginState = { ...FRESH, bucket: { tokens, asOfMs: NOW_MS } };
  let nowMs = NOW_MS;
  return all.map((each) => {
    nowMs += each.movedMs;
    const proof = proofOf(each, nowMs);
    const opened = each.kind !== 'wrong_passphrase';
    const decision = attempt(state, proof, { nowMs, policy, opened });
    const step = { nowMs, proof, opened, before: state, decision };
    state = decision.next;
    return step;
  });
}

function always(all: fc.Arbitrary<Try[]>, holds: (steps: readonly Step[], policy: Policy) => void): void {
  fc.assert(
    fc.property(all, POLICIES, (each, policy) => {
      holds(play(each, policy), policy);
    }),
    { numRuns: 150 },
  );
}

const accepted = (steps: readonly Step[]): Step[] => steps.filter(({ decision }) => decision.verdict.result === 'accepted');

describe('whatever is typed, and however the clock goes', () => {
  it('no step is accepted twice', () => {
    always(ANY_CLOCK, (steps) => {
      const used = accepted(steps).flatMap(({ proof, decision: { next } }) => {
        if (proof.kind === 'recovery') return [];
        const count = proof.kind === 'codes' ? proof.codes.length : 1;
        return Array.from({ length: count }, (_, i) => next.lastStep - i);
      });
      assert.equal(new Set(used).size, used.length);
    });
  });

  it('the last accepted step grows with each accepted code, and else stays', () => {
    always(ANY_CLOCK, (steps) => {
      for (const { proof, before, decision } of steps) {
        const grew = decision.next.lastStep > before.lastStep;
        assert.equal(grew, decision.verdict.result === 'accepted' && proof.kind !== 'recovery');
        if (!grew) assert.equal(decision.next.lastStep, before.lastStep);
      }
    });
  });

  it('an accepted code is of a step inside the window', () => {
    always(ANY_CLOCK, (steps, policy) => {
      for (const { proof, decision, nowMs } of accepted(steps)) {
        if (proof.kind === 'recovery') continue;
        const { stepOffset = NaN } = decision.verdict as { stepOffset?: number };
        assert.ok(
          Math.abs(stepOffset) <= (proof.kind === 'codes' && proof.codes.length === 2 ? Math.max(1, policy.window) : policy.window),
        );
        assert.equal(decision.next.lastStep, Math.floor(nowMs / 30_000) + stepOffset);
      }
    });
  });

  it('the tokens stay between the reserve and the budget', () => {
    always(ANY_CLOCK, (steps, { budget }) => {
      for (const { decision } of steps) assert.ok(decision.next.bucket.tokens >= -PAIRS_RESERVE && decision.next.bucket.tokens <= budget);
    });
  });

  it('each recovery code is accepted once at most', () => {
    always(ANY_CLOCK, (steps) => {
      const used = accepted(steps).flatMap(({ proof }) => (proof.kind === 'recovery' ? [proof.code] : []));
      assert.equal(new Set(used).size, used.length);
      const spent = steps.at(-1)?.decision.next.spent ?? '';
      assert.equal(spent.replaceAll('0', '').length, used.length);
    });
  });

  it('nothing is accepted with a wrong passphrase, and a refusal spends no recovery code', () => {
    always(ANY_CLOCK, (steps) => {
      for (const { opened, decision, before } of steps) {
        if (!opened) assert.equal(decision.verdict.result, 'refused');
        if (decision.verdict.result === 'refused') assert.equal(decision.next.spent, before.spent);
      }
    });
  });
});

describe('what is judged for less than a whole try', () => {
  const EMERGENCY = ['12345678', '23456789'];
  const payload: Payload = { ...PAYLOAD, recovery: keptRecoveryCodes(EMERGENCY, (length) => new Uint8Array(length)) };
  const step = Math.floor(NOW_MS / 30_000);
  const numbers = fc.oneof(
    ...[fc.integer({ min: -4, max: 3 }).map((offset) => codeAt(PAYLOAD.secret, step + offset, PAYLOAD)), fc.constant('000000')],
    ...[fc.constantFrom(...EMERGENCY), fc.constant('00000000')],
  );
  const proofs: fc.Arbitrary<Proof> = fc.oneof(
    fc.array(numbers, { minLength: 2, maxLength: 3 }).map((codes): Proof => ({ kind: 'codes', codes })),
    fc.constantFrom(...RECOVERY).map((each): Proof => ({ kind: 'recovery', code: each })),
    numbers.map((each): Proof => ({ kind: 'code', code: each })),
  );
  const states = fc.record({
    lastStep: fc.integer({ min: step - 5, max: step + 2 }),
    spent: fc.constantFrom('00', '01', '10', '11'),
    tokens: fc.double({ min: -PAIRS_RESERVE, max: 1, maxExcluded: true, noNaN: true }),
  });

  it('told that one number of several was right, or the passphrase: "already used" was said to a used code beside the next, or one unused number twice', () => {
    fc.assert(
      fc.property(proofs, states, fc.boolean(), (proof, { lastStep, spent, tokens }, opened) => {
        const state: LoginState = { lastStep, spent, bucket: { tokens, asOfMs: NOW_MS } };
        const { verdict } = attempt(state, proof, { payload, opened });
        if (verdict.result === 'accepted') return;
        assert.ok(verdict.reason === 'wrong_code' || verdict.reason === 'step_up_required', verdict.reason);
        assert.equal(verdict.waitSeconds, undefined);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('as long as the clock goes forward', () => {
  it('never more wrong single codes are judged than the budget and what has been refilled', () => {
    always(FORWARD_CLOCK, (steps, { budget, refillMs }) => {
      let judged = 0;
      for (const { proof, decision, nowMs } of steps) {
        const { verdict } = decision;
        if (proof.kind === 'code' && verdict.result === 'refused' && verdict.reason !== 'step_up_required') judged++;
        assert.ok(judged <= budget + (nowMs - NOW_MS) / refillMs + 1e-6, `${judged} were judged`);
      }
    });
  });

  it('two fresh consecutive codes log in, whatever was tried before', () => {
    always(FORWARD_CLOCK, (steps, policy) => {
      const { decision, nowMs } = steps.at(-1) ?? assert.fail('no step');
      const later = Math.max(nowMs, (decision.next.lastStep + 2) * 30_000);
      const now = Math.floor(later / 30_000);
      assert.equal(attempt(decision.next, two(now - 1, now), { nowMs: later, policy }).verdict.result, 'accepted');
    });
  });

  it('three fresh consecutive codes log in, also after any flood: nobody can lock the owner out', () => {
    const flooded = fc.record({ all: FORWARD_CLOCK, policy: POLICIES, tokens: fc.double({ min: -PAIRS_RESERVE, max: 1, noNaN: true }) });
    fc.assert(
      fc.property(flooded, ({ all, policy, tokens }) => {
        const { decision, nowMs } = play(all, policy, tokens).at(-1) ?? assert.fail('no step');
        const later = Math.max(nowMs, (decision.next.lastStep + 3) * 30_000);
        const now = Math.floor(later / 30_000);
        const { verdict, next } = attempt(decision.next, inARow(now - 2, now - 1, now), { nowMs: later, policy });
        assert.deepEqual([verdict.result, next.lastStep], ['accepted', now]);
      }),
    );
  });
});

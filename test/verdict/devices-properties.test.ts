/** What holds of several devices of one account whatever is typed: they are guessed at together, and move apart. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Proof } from '../../src/otp/proof.ts';
import type { Decision, LoginState, Policy } from '../../src/verdict/decide.ts';
import { codeOf, DEVICES, judged, recoveryOf, stateOf, twoOf, type Device } from './devices-world.ts';
import { HOUR_MS, NOW_MS, WRONG } from './world.ts';

/** One try: a proof of the device at `of`, `offset` from its next code, with the files of `opened` open, `movedMs` after the last. */
interface Try {
  readonly kind: 'code' | 'two' | 'recovery' | 'wrong';
  readonly of: number;
  readonly offset: number;
  readonly opened: readonly boolean[];
  readonly movedMs: number;
}

interface Account {
  readonly devices: readonly Device[];
  readonly tries: readonly Try[];
  readonly policy: Policy;
}

interface Step {
  readonly nowMs: number;
  readonly proof: Proof;
  readonly before: readonly LoginState[];
  readonly decision: Decision;
}

const TRY: fc.Arbitrary<Try> = fc.record({
  kind: fc.constantFrom<Try['kind'][]>('code', 'code', 'two', 'recovery', 'wrong', 'wrong'),
  of: fc.nat(3),
  offset: fc.integer({ min: -3, max: 3 }),
  opened: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  movedMs: fc.nat(200_000),
});

const ACCOUNT: fc.Arbitrary<Account> = fc.record({
  devices: fc.shuffledSubarray([...DEVICES], { minLength: 1 }),
  tries: fc.array(TRY, { minLength: 1, maxLength: 30 }),
  policy: fc.record({
    window: fc.integer({ min: 0, max: 2 }),
    budget: fc.integer({ min: 1, max: 8 }),
    refillMs: fc.constantFrom(60_000, 600_000, HOUR_MS),
  }),
});

/** The step or counter whose code the device shows now. */
function shown({ payload }: Device, state: LoginState | undefined, nowMs: number): number {
  return payload.type === 'hotp' ? (state?.lastStep ?? -1) + 1 : Math.floor(nowMs / 30_000);
}

function proofOf({ kind, offset }: Try, device: Device, state: LoginState | undefined, nowMs: number): Proof {
  const step = Math.max(0, shown(device, state, nowMs) + offset);
  switch (kind) {
    case 'code':
      return codeOf(device, step);
    case 'two':
      return twoOf(device, step);
    case 'recovery':
      return recoveryOf(device, Math.abs(offset) % 2);
    case 'wrong':
      return WRONG;
  }
}

function play({ devices, tries, policy }: Account): Step[] {
  let states: readonly LoginState[] = devices.map(() => stateOf(policy.budget));
  let nowMs = NOW_MS;
  return tries.map((each) => {
    nowMs += each.movedMs;
    const index = each.of % devices.length;
    const device = devices[index] ?? assert.fail('no device');
    const proof = proofOf(each, device, states[index], nowMs);
    const opened = devices.filter((_, i) => each.opened[i] === true);
    const step = { nowMs, proof, before: states, decision: judged(devices, states, proof, { nowMs, policy, opened }) };
    states = step.decision.next;
    return step;
  });
}

function always(holds: (steps: readonly Step[], account: Account) => void): void {
  fc.assert(
    fc.property(ACCOUNT, (account) => {
      holds(play(account), account);
    }),
    { numRuns: 120 },
  );
}

const withoutBucket = ({ lastStep, spent }: LoginState): object => ({ lastStep, spent });

describe('for any mix of devices', () => {
  it('single codes are never compared with more secrets than the budget and what has been refilled', () => {
    always((steps, { devices, policy: { budget, refillMs } }) => {
      let compared = 0;
      for (const { proof, decision, nowMs } of steps) {
        const { verdict } = decision;
        if (proof.kind === 'code' && verdict.result === 'refused' && verdict.reason !== 'step_up_required')
          compared += Math.min(devices.length, budget);
        assert.ok(compared <= budget + (nowMs - NOW_MS) / refillMs + 1e-6, `${compared} comparisons`);
      }
    });
  });

  it('a try moves the device that answered, and no other; a refusal moves none', () => {
    always((steps) => {
      for (const { before, decision } of steps) {
        for (const [i, state] of before.entries()) {
          const after = decision.next[i] ?? assert.fail('a device is lost');
          if (i === decision.device) assert.notDeepEqual(withoutBucket(after), withoutBucket(state));
          else assert.deepEqual(withoutBucket(after), withoutBucket(state));
        }
      }
    });
  });

  it('no step or counter of a device is accepted twice, and none goes back', () => {
    always((steps) => {
      for (const { before, decision, proof } of steps) {
        if (decision.device === undefined || proof.kind === 'recovery') continue;
        const [last = NaN, now = NaN] = [before[decision.device]?.lastStep, decision.next[decision.device]?.lastStep];
        assert.ok(now - (proof.kind === 'codes' ? proof.codes.length - 1 : 0) > last, `${last} to ${now}`);
      }
    });
  });

  it('an accepted code costs nothing, whichever device it is of', () => {
    always((steps, { policy: { refillMs, budget } }) => {
      for (const { before, decision, nowMs } of steps) {
        if (decision.device === undefined) continue;
        const [was, is] = [before[0]?.bucket, decision.next[0]?.bucket];
        assert.ok(was !== undefined && is !== undefined);
        assert.equal(is.tokens, Math.min(budget, was.tokens + (nowMs - was.asOfMs) / refillMs));
      }
    });
  });

  it('two consecutive codes of any device log in, whatever was tried before', () => {
    always((steps, { devices, policy }) => {
      const { decision, nowMs } = steps.at(-1) ?? assert.fail('no step');
      for (const [i, device] of devices.entries()) {
        const last = decision.next[i]?.lastStep ?? -1;
        const later = device.payload.type === 'hotp' ? nowMs : Math.max(nowMs, (last + 2) * 30_000);
        const first = device.payload.type === 'hotp' ? last + 1 : Math.floor(later / 30_000) - 1;
        const next = judged(devices, decision.next, twoOf(device, first), { nowMs: later, policy, opened: [device] });
        assert.deepEqual([next.verdict.result, next.device], ['accepted', i]);
      }
    });
  });
});

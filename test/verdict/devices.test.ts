/** Several devices of one account: a code of any of them logs in, and they are guessed at on one budget. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Proof } from '../../src/otp/proof.ts';
import { emptiest, priceOf } from '../../src/verdict/budget.ts';
import { decide, type LoginState } from '../../src/verdict/decide.ts';
import {
  codeOf,
  codeText,
  DEVICES,
  deviceOf,
  judged,
  recoveryOf,
  stateOf,
  twoOf,
  type AccountCircumstances,
  type Device,
} from './devices-world.ts';
import { HOUR_MS, NOW, NOW_MS, POLICY, word, WRONG } from './world.ts';

const [PHONE, BACKUP, TOKEN] = DEVICES;
const BOTH = [PHONE, BACKUP];
const EMPTY = [stateOf(0), stateOf(0)];

function states(count: number, tokens?: number): LoginState[] {
  return Array.from({ length: count }, () => stateOf(tokens));
}

/** What becomes of these proofs one after the other, and the states that they leave. */
function sequence(devices: typeof BOTH, proofs: readonly Proof[], start = states(devices.length)): { words: string[]; next: LoginState[] } {
  let next: readonly LoginState[] = start;
  const words = proofs.map((proof) => {
    const decision = judged(devices, next, proof);
    ({ next } = decision);
    return word(decision.verdict);
  });
  return { words, next: [...next] };
}

const tokensLeft = (start: readonly LoginState[], proof: Proof, circumstances?: AccountCircumstances): number | undefined =>
  judged(BOTH, start, proof, circumstances).next[0]?.bucket.tokens;

describe('a code of any device', () => {
  it('logs in, moves that device alone, and says which it was', () => {
    for (const [device, each] of BOTH.entries()) {
      const decision = judged(BOTH, states(2), codeOf(each, NOW + 1));
      assert.deepEqual(decision.verdict, { result: 'accepted', method: 'totp', stepOffset: 1 });
      assert.equal(decision.device, device);
      assert.deepEqual(
        decision.next.map(({ lastStep }) => lastStep),
        device === 0 ? [NOW + 1, -1] : [-1, NOW + 1],
      );
    }
  });

  it('works beside a token that counts, by its own rules', () => {
    const devices = [PHONE, TOKEN];
    const { words, next } = sequence(devices, [codeOf(TOKEN, 0), codeOf(PHONE, NOW), codeOf(TOKEN, 2), codeOf(TOKEN, 0)]);
    assert.deepEqual(words, ['hotp', 'totp', 'hotp', 'replayed']);
    assert.deepEqual(
      next.map(({ lastStep }) => lastStep),
      [NOW, 2],
    );
  });

  it('that was used is told as that, and not as a wrong code of the others', () => {
    for (const devices of [BOTH, BOTH.toReversed()]) {
      const { next } = judged(devices, states(2), codeOf(BACKUP, NOW));
      const again = judged(devices, next, codeOf(BACKUP, NOW)).verdict;
      assert.deepEqual(again, { result: 'refused', reason: 'replayed', waitSeconds: 15 });
    }
  });

  it('works once, also where two devices have the same secret', () => {
    const copy = { ...deviceOf('totp', 'copy'), payload: PHONE.payload };
    for (const devices of [
      [PHONE, copy],
      [copy, BACKUP, PHONE],
    ]) {
      const { words } = sequence(devices, [codeOf(PHONE, NOW), codeOf(PHONE, NOW), twoOf(PHONE, NOW)], states(devices.length, 5));
      // Of three devices a try costs three tokens, so the last one is not paid for and tells nothing.
      assert.deepEqual(words, ['totp', 'replayed', devices.length === 2 ? 'replayed' : 'wrong_code']);
    }
  });

  it('logged in twice, with 8 digits and with 6, where two devices have one secret', () => {
    for (const type of ['hotp', 'totp'] as const) {
      const six = deviceOf(type, 'token');
      const eight: Device = { ...deviceOf(type, 'other'), payload: { ...six.payload, digits: 8 } };
      const step = type === 'hotp' ? 0 : NOW;
      for (const devices of [
        [six, eight],
        [eight, six],
      ])
        for (const each of devices) {
          const { words, next } = sequence(devices, [codeOf(each, step), ...devices.map((device) => codeOf(device, step))]);
          assert.deepEqual(words, [type, 'replayed', 'replayed']);
          // So that it stays used where one of them is revoked.
          assert.deepEqual(
            next.map(({ lastStep }) => lastStep),
            [step, step],
          );
          // One that was used before, of which the other did not know.
          const known = devices.map((device) => ({ ...stateOf(), lastStep: device === each ? step : -1 }));
          const other = devices.find((device) => device !== each) ?? each;
          assert.equal(word(judged(devices, known, codeOf(other, step)).verdict), 'replayed');
        }
    }
    // The steps of another length are other numbers.
    const slow = { ...PHONE, payload: { ...PHONE.payload, periodSeconds: 60 } };
    const { next } = judged([PHONE, slow], states(2), codeOf(PHONE, NOW));
    assert.deepEqual(
      next.map(({ lastStep }) => lastStep),
      [NOW, -1],
    );
  });

  it('that two devices have is used for both, and so for each of them alone', () => {
    const copy = { ...deviceOf('totp', 'copy'), payload: PHONE.payload };
    const devices = [BACKUP, PHONE, copy];
    const before = states(3);
    const { next } = judged(devices, before, codeOf(PHONE, NOW));
    assert.deepEqual(
      next.map(({ lastStep }) => lastStep),
      [before[0]?.lastStep, NOW, NOW],
    );
    for (const i of [1, 2]) assert.equal(word(judged([PHONE], next.slice(i, i + 1), codeOf(PHONE, NOW)).verdict), 'replayed');
  });

  it('is used where a device that is not asked took one of that time, whatever its secret', () => {
    for (const [usedUntilMs, becomes] of [
      [0, 'totp'],
      [NOW * 30_000, 'totp'],
      [NOW * 30_000 + 1, 'replayed'],
      [(NOW + 1) * 30_000, 'replayed'],
    ] as const) {
      const presented = { proof: codeOf(PHONE, NOW), opened: [PHONE.payload], usedUntilMs };
      assert.equal(word(decide(states(1), presented, NOW_MS, POLICY).verdict), becomes);
    }
  });

  it('is wrong where its own file did not open, although another one did', () => {
    assert.equal(word(judged(BOTH, states(2), codeOf(BACKUP, NOW), { opened: [PHONE] }).verdict), 'wrong_code');
    assert.equal(word(judged(BOTH, states(2), codeOf(BACKUP, NOW), { opened: [BACKUP] }).verdict), 'totp');
  });

  it('is a wrong passphrase where no file opened', () => {
    assert.deepEqual(judged(BOTH, states(2), codeOf(PHONE, NOW), { opened: [] }).verdict, {
      result: 'refused',
      reason: 'wrong_passphrase',
    });
  });
});

describe('two codes', () => {
  it('are of one device: one of each are none', () => {
    const mixed: Proof = { kind: 'codes', codes: [codeText(PHONE, NOW), codeText(BACKUP, NOW + 1)] };
    assert.equal(word(judged(BOTH, states(2), mixed).verdict), 'wrong_code');
    for (const device of BOTH) assert.equal(word(judged(BOTH, EMPTY, twoOf(device, NOW)).verdict), 'step_up');
  });
});

describe('a recovery code', () => {
  it('of one device is spent there and nowhere else', () => {
    const { words, next } = sequence(BOTH, [recoveryOf(BACKUP, 1), recoveryOf(BACKUP, 1), recoveryOf(PHONE, 1)]);
    assert.deepEqual(words, ['recovery', 'replayed', 'recovery']);
    assert.deepEqual(
      next.map(({ spent }) => spent),
      ['01', '01'],
    );
  });
});

describe('the budget of an account', () => {
  it('pays for each device that a try is compared with', () => {
    assert.deepEqual(
      [0, 1, 2, 4, 5, 9].map((devices) => priceOf(devices, POLICY)),
      [1, 1, 2, 4, 5, 5],
    );
    for (const count of [1, 2, 3, 4]) {
      const { next } = judged(DEVICES.slice(0, count), states(count), WRONG);
      assert.equal(next[0]?.bucket.tokens, POLICY.budget - count);
    }
  });

  it('pays as much for a file that did not open, and gives everything back for what is accepted', () => {
    for (const opened of [[], [PHONE], BOTH]) assert.equal(tokensLeft(states(2), WRONG, { opened }), 3);
    for (const proof of [codeOf(BACKUP, NOW), twoOf(PHONE, NOW), recoveryOf(PHONE, 0)]) assert.equal(tokensLeft(states(2), proof), 5);
  });

  it('is that of the device with the fewest tokens, as they are now', () => {
    const [poor, rich] = [stateOf(2), stateOf(5)];
    assert.equal(tokensLeft([poor, rich], WRONG), 0);
    assert.equal(tokensLeft([rich, poor], WRONG), 0);
    assert.equal(tokensLeft([rich, poor], codeOf(PHONE, NOW)), 2);
    // Fewer tokens, but of long ago.
    const old = { ...poor, bucket: { tokens: 0, asOfMs: NOW_MS - 4 * HOUR_MS } };
    assert.equal(tokensLeft([old, stateOf(3)], WRONG), 1);
    assert.deepEqual(emptiest([rich.bucket, poor.bucket, rich.bucket]), poor.bucket);
    assert.throws(() => emptiest([]));
  });

  it('asks for two codes as soon as it does not pay for all devices: none is compared for less', () => {
    const { words } = sequence(BOTH, [WRONG, WRONG, codeOf(PHONE, NOW), codeOf(BACKUP, NOW), twoOf(BACKUP, NOW)]);
    assert.deepEqual(words, ['wrong_code', 'wrong_code', 'step_up_required', 'step_up_required', 'step_up']);
    const refused = judged(BOTH, states(2, 1.999), codeOf(PHONE, NOW));
    assert.deepEqual([word(refused.verdict), refused.next[0]?.bucket.tokens], ['step_up_required', 1.999]);
    assert.equal(word(judged(BOTH, states(2, 2), codeOf(PHONE, NOW)).verdict), 'totp');
  });

  it('that is smaller than the number of devices pays for one try when it is full', () => {
    const policy = { ...POLICY, budget: 3 };
    const all = judged(DEVICES, states(4, 3), WRONG, { policy });
    assert.deepEqual([word(all.verdict), all.next[0]?.bucket.tokens], ['wrong_code', 0]);
    assert.equal(word(judged(DEVICES, all.next, codeOf(PHONE, NOW), { policy }).verdict), 'step_up_required');
  });

  it('when it is empty hides which files opened, and whose code it was', () => {
    const singles = [WRONG, codeOf(PHONE, NOW), codeOf(BACKUP, NOW)];
    const others = [twoOf(PHONE, NOW + 5), recoveryOf(TOKEN, 0)];
    for (const proofs of [singles, others]) {
      const answers = proofs.flatMap((proof) => [[], [PHONE], [BACKUP], BOTH].map((opened) => judged(BOTH, EMPTY, proof, { opened })));
      for (const answer of answers) assert.deepEqual(answer, answers[0]);
    }
  });
});

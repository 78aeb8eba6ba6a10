/** Emergency codes of eight digits, carried over from google-authenticator: they work once, and are guesses like any code. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { codeAt } from '../../src/otp/code.ts';
import type { Proof } from '../../src/otp/proof.ts';
import { keptRecoveryCodes } from '../../src/otp/recovery.ts';
import type { Payload } from '../../src/seal/seal.ts';
import { attempt, code, EMPTY, FRESH, NOW, NOW_MS, PAYLOAD, sequence, two, word } from './world.ts';

/** The second one could be a recovery code of letters and digits, were it longer. */
const EMERGENCY = ['12345678', '23456723', '90000001'];
const recovery = keptRecoveryCodes(EMERGENCY, (length) => new Uint8Array(length).fill(7));
const payload: Payload = { ...PAYLOAD, recovery };
const emergency = (index: number): Proof => ({ kind: 'code', code: EMERGENCY[index] ?? '' });
const several = (...indexes: readonly number[]): Proof => ({ kind: 'codes', codes: indexes.map((index) => EMERGENCY[index] ?? '') });
const GUESS: Proof = { kind: 'code', code: '87654321' };

describe('an emergency code', () => {
  it('works once, and leaves the steps alone', () => {
    const { words, state } = sequence(FRESH, [emergency(1), emergency(1), emergency(0), code(NOW)], { payload });
    assert.deepEqual(words, ['recovery', 'replayed', 'recovery', 'totp']);
    assert.deepEqual([state.spent, state.lastStep], ['110', NOW]);
    assert.deepEqual(attempt(FRESH, emergency(2), { payload }).verdict, { result: 'accepted', method: 'recovery' });
  });

  it('costs a token where it is wrong or used, and none where it is right', () => {
    assert.equal(attempt(FRESH, GUESS, { payload }).next.bucket.tokens, 4);
    const used = attempt(FRESH, emergency(0), { payload }).next;
    assert.equal(used.bucket.tokens, 5);
    assert.equal(attempt(used, emergency(0), { payload }).next.bucket.tokens, 4);
  });

  it('is not judged on an empty budget, right or wrong: it is short enough to be guessed', () => {
    assert.deepEqual(attempt(EMPTY, emergency(0), { payload }), attempt(EMPTY, GUESS, { payload }));
    assert.equal(word(attempt(EMPTY, emergency(0), { payload }).verdict), 'step_up_required');
  });

  it('is not taken as a recovery code, which an empty budget lets through', () => {
    for (const state of [EMPTY, FRESH]) {
      const { verdict, next } = attempt(state, { kind: 'recovery', code: EMERGENCY[1] ?? '' }, { payload });
      assert.deepEqual([word(verdict), next.spent], ['wrong_code', '000']);
    }
  });

  it('works beside a secret of eight digits, whose used codes stay used', () => {
    const eight: Payload = { ...payload, digits: 8 };
    const own: Proof = { kind: 'code', code: codeAt(eight.secret, NOW, eight) };
    const { words } = sequence(FRESH, [own, own, emergency(0), GUESS], { payload: eight });
    assert.deepEqual(words, ['totp', 'replayed', 'recovery', 'wrong_code']);
  });

  it('works beside a secret that counts', () => {
    const { periodSeconds, ...rest } = PAYLOAD;
    assert.equal(periodSeconds, 30);
    const { words } = sequence(FRESH, [emergency(0), emergency(0), code(0)], { payload: { ...rest, type: 'hotp', recovery } });
    assert.deepEqual(words, ['recovery', 'replayed', 'hotp']);
  });

  it('has eight digits, whatever was kept', () => {
    const short = keptRecoveryCodes(['123456', '1234567'], (length) => new Uint8Array(length));
    for (const text of ['123456', '1234567']) {
      for (const proof of [
        { kind: 'code', code: text },
        { kind: 'codes', codes: [text, text] },
      ] as const)
        assert.equal(word(attempt(FRESH, proof, { payload: { ...PAYLOAD, recovery: short } }).verdict), 'wrong_code');
    }
  });

  it('let nobody in while no try was left, although it was said that a recovery code does', () => {
    const flooded = { ...EMPTY, bucket: { tokens: -100, asOfMs: NOW_MS } };
    for (const [state, ...given] of [
      [EMPTY, 0, 2],
      [FRESH, 0, 2],
      [flooded, 2, 1, 0],
    ] as const) {
      const { verdict, next } = attempt(state, several(...given), { payload });
      assert.deepEqual([verdict, next.bucket], [{ result: 'accepted', method: 'recovery' }, state.bucket]);
      assert.deepEqual(
        Array.from(next.spent, Number),
        [0, 1, 2].map((i) => (given.includes(i as 0) ? 1 : 0)),
      );
    }
    assert.equal(word(attempt(flooded, several(0, 1), { payload }).verdict), 'step_up_required');
  });

  it('counts once, and only with others that were not used', () => {
    assert.equal(word(attempt(FRESH, several(1, 1), { payload }).verdict), 'replayed');
    assert.equal(word(attempt({ ...FRESH, spent: '010' }, several(0, 1), { payload }).verdict), 'replayed');
    const guessed: Proof = { kind: 'codes', codes: [EMERGENCY[0] ?? '', '87654321'] };
    const { verdict, next } = attempt(EMPTY, guessed, { payload });
    assert.deepEqual([word(verdict), next.spent], ['wrong_code', '000']);
  });

  it('is no half of two codes of the secret', () => {
    const eight: Payload = { ...payload, digits: 8 };
    const half: Proof = { kind: 'codes', codes: [codeAt(eight.secret, NOW, eight), EMERGENCY[0] ?? ''] };
    assert.equal(word(attempt(EMPTY, half, { payload: eight }).verdict), 'wrong_code');
    assert.equal(word(attempt(EMPTY, two(NOW, NOW + 1), { payload }).verdict), 'step_up');
  });

  it('works where the clock is behind, and a wrong one says that it is', () => {
    const { next: used } = attempt(FRESH, code(NOW), { payload });
    const nowMs = NOW_MS - 100 * 30_000;
    assert.equal(word(attempt(used, emergency(0), { payload, nowMs }).verdict), 'recovery');
    assert.match((attempt(used, GUESS, { payload, nowMs }).verdict as { detail: string }).detail, /99 steps behind/);
  });
});

/** The decision beside codes: recovery codes, a wrong passphrase, a clock that was set. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attempt, code, FRESH, NOW, NOW_MS, recovery, RECOVERY, sequence, two, word, WRONG } from './world.ts';

describe('a recovery code', () => {
  it('works once each, in any order, and leaves the steps alone', () => {
    const { words, state } = sequence(FRESH, [recovery(2), recovery(0), recovery(2), recovery(1), recovery(1)]);
    assert.deepEqual(words, ['recovery', 'recovery', 'replayed', 'recovery', 'replayed']);
    assert.equal(state.spent, '111');
    assert.equal(state.lastStep, -1);
  });

  it('says nothing of a step', () => {
    assert.deepEqual(attempt(FRESH, recovery(1)).verdict, { result: 'accepted', method: 'recovery' });
    assert.equal(attempt(FRESH, recovery(1)).next.spent, '010');
  });

  it('that is none of ours is a wrong code', () => {
    assert.equal(word(attempt(FRESH, { kind: 'recovery', code: `${RECOVERY[0]?.slice(0, 12)}9` }).verdict), 'wrong_code');
  });

  it('of which the state knows nothing is refused', () => {
    assert.equal(word(attempt({ ...FRESH, spent: '' }, recovery(0)).verdict), 'replayed');
  });
});

describe('a wrong passphrase', () => {
  it('refuses every proof, says so, and leaves steps and recovery codes unused', () => {
    for (const proof of [code(NOW), two(NOW, NOW + 1), recovery(0), WRONG]) {
      const { verdict, next } = attempt(FRESH, proof, { opened: false });
      assert.deepEqual(verdict, { result: 'refused', reason: 'wrong_passphrase' });
      assert.deepEqual({ ...next, bucket: FRESH.bucket }, FRESH);
    }
  });
});

describe('a clock that was set', () => {
  const { next: used } = attempt(FRESH, code(NOW));

  it('back lets no used code in, and the record says how far behind it is', () => {
    const nowMs = NOW_MS - 100 * 30_000;
    const { verdict, next } = attempt(used, code(NOW - 100), { nowMs });
    assert.deepEqual(verdict, {
      result: 'refused',
      reason: 'replayed',
      waitSeconds: 100 * 30 + 15,
      detail: 'the clock is 99 steps behind the last accepted code',
    });
    assert.equal(next.lastStep, NOW);
    assert.match((attempt(used, WRONG, { nowMs }).verdict as { detail: string }).detail, /99 steps behind/);
  });

  it('back by no more than the window is not worth a word', () => {
    assert.equal('detail' in attempt(used, WRONG, { nowMs: NOW_MS - 30_000 }).verdict, false);
    assert.equal('detail' in attempt(used, WRONG, { nowMs: NOW_MS - 2 * 30_000 }).verdict, true);
  });

  it('back leaves recovery codes working', () => {
    assert.equal(word(attempt(used, recovery(0), { nowMs: 0 }).verdict), 'recovery');
  });

  it('forward accepts the codes of that time', () => {
    const nowMs = NOW_MS + 1000 * 30_000;
    assert.equal(word(attempt(used, code(NOW + 1000), { nowMs }).verdict), 'totp');
    assert.equal(word(attempt(used, code(NOW + 1), { nowMs }).verdict), 'wrong_code');
  });

  it('to 1970 asks for no step before the first', () => {
    assert.deepEqual(attempt(FRESH, code(0), { nowMs: 0 }).verdict, { result: 'accepted', method: 'totp', stepOffset: 0 });
  });
});

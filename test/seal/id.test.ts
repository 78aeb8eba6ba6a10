/** The id of a sealed file tells its secret and its recovery codes, however often they are sealed again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { array, assert as holds, boolean, property, record, stringMatching } from 'fast-check';
import { codesOf, isSameSecret, hasSameRecoveryCodes, idForReseal, idOfMarks, marksBeside, secretOf } from '../../src/seal/id.ts';

const ID = stringMatching(/^[0-9a-f]{32}$/);

describe('the id of a secret that is sealed again', () => {
  it('has the same secret, and the same recovery codes unless those are new', () => {
    holds(
      property(ID, array(record({ random: ID, hasNewCodes: boolean() }), { minLength: 1 }), (first, sealings) => {
        const last = sealings.reduce((id, { random, hasNewCodes }) => idForReseal(id, random, { hasNewCodes }), first);
        assert.match(last, /^[0-9a-f]{32}$/);
        assert.ok(isSameSecret(first, last) && isSameSecret(last, first));
        if (sealings.every(({ hasNewCodes }) => !hasNewCodes)) assert.ok(hasSameRecoveryCodes(first, last));
      }),
    );
  });

  it('is a new one, and shares nothing with the id of another secret', () => {
    const [first, random] = ['a'.repeat(32), 'b'.repeat(32)];
    assert.notEqual(idForReseal(first, random, { hasNewCodes: false }), first);
    assert.equal(hasSameRecoveryCodes(first, idForReseal(first, random, { hasNewCodes: true })), false);
    assert.equal(isSameSecret(first, random) || hasSameRecoveryCodes(first, random), false);
  });
});

describe('the marks of one secret', () => {
  it('lie between two that begin like each of them, however its codes are numbered', () => {
    holds(
      property(ID, ID, (one, other) => {
        const [mark, beside] = [secretOf(one), secretOf(one.slice(0, 8) + other.slice(8))];
        const [first, last] = marksBeside(mark);
        assert.ok([mark, beside].every((each) => first <= each && each <= last));
        assert.deepEqual(
          [first, last].map((each) => each.slice(0, 8)),
          [mark.slice(0, 8), mark.slice(0, 8)],
        );
        assert.equal(first.length, mark.length);
      }),
    );
  });
});

describe('the id of what is imported', () => {
  it('comes again with the same secret, and with the same codes, and is another each time', () => {
    const [one, other, random] = ['1'.repeat(16), '2'.repeat(16), '3'.repeat(32)];
    const first = idOfMarks({ secret: one, codes: one }, random);
    assert.equal(first, '1'.repeat(24) + '3'.repeat(8));
    const byAlone = idOfMarks({ alone: '5'.repeat(16), secret: other, codes: one }, random);
    assert.equal(byAlone, '5'.repeat(8) + '2'.repeat(8) + '1'.repeat(8) + '3'.repeat(8));
    const mixed = idOfMarks({ secret: one, codes: other }, random);
    assert.deepEqual([secretOf(mixed), codesOf(mixed)], [one, '2'.repeat(8)]);
    for (const [secret, codes] of [
      [one, one],
      [one, other],
      [other, one],
    ] as const) {
      const again = idOfMarks({ secret, codes }, '4'.repeat(32));
      assert.deepEqual([isSameSecret(first, again), hasSameRecoveryCodes(first, again)], [secret === one, secret === one && codes === one]);
      assert.notEqual(again, first);
    }
  });
});

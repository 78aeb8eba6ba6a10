/** The id of a sealed file tells its secret and its recovery codes, however often they are sealed again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { array, assert as holds, boolean, property, record, stringMatching } from 'fast-check';
import { isSameSecret, hasSameRecoveryCodes, idForReseal } from '../../src/seal/id.ts';

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

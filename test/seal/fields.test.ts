/** Fields of a JSON object are taken strictly, and what is wrong is named. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { flag } from '../../src/seal/fields.ts';

describe('a field that is true or false', () => {
  it('is taken as it is', () => {
    assert.equal(flag({ replace: true }, 'replace'), true);
    assert.equal(flag({ replace: false }, 'replace'), false);
  });

  it('is nothing else, and is not guessed where it is missing', () => {
    fc.assert(
      fc.property(
        fc.anything().filter((value) => typeof value !== 'boolean'),
        (value) => {
          assert.throws(() => flag({ replace: value }, 'replace'), /"replace" must be true or false/);
        },
      ),
    );
    assert.throws(() => flag({}, 'replace'), /"replace" must be true or false/);
  });
});

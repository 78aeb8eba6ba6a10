/** Every reason is worded for a person, in one style. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Reason, referenceTo, WORDING, wordingOf } from '../../src/verdict/reasons.ts';

/** The stable words that scripts and the log rely on. */
const REASONS: readonly Reason[] = [
  ...(['wrong_code', 'replayed', 'wrong_passphrase', 'step_up_required', 'not_enrolled', 'revoked', 'stale_enrolment'] as const),
  ...(['bad_secret_file', 'no_proof', 'timeout', 'store_unavailable', 'audit_unavailable', 'not_permitted', 'bad_configuration'] as const),
];

it('the reasons are the ones that were promised', () => {
  assert.deepEqual(Object.keys(WORDING).toSorted(), REASONS.toSorted());
});

for (const reason of REASONS) {
  it(`${reason} is told in lower case, without a full stop, with a hint`, () => {
    for (const { message, hint } of [WORDING[reason], wordingOf({ reason, codesNeeded: 3 })]) {
      for (const text of [message, hint]) assert.match(text, /^[a-z][^A-Z\n]{6,118}[^.\s!]$/);
      assert.notEqual(message, hint);
    }
  });
}

it('the number of codes that are asked for is told', () => {
  for (const [codesNeeded, words] of [
    [2, /two consecutive/],
    [3, /three consecutive/],
  ] as const)
    assert.match(wordingOf({ reason: 'step_up_required', codesNeeded }).message, words);
  assert.equal(wordingOf({ reason: 'wrong_code', codesNeeded: 3 }), WORDING.wrong_code);
});

it('a refused code is told in the same words whether it was a code, two codes or a recovery code', () => {
  assert.doesNotMatch(WORDING.wrong_code.message, /recovery|two|passphrase/);
});

it('a reference finds the record, and where there is none that is said', () => {
  assert.equal(referenceTo('1a2b3c4d'), '(ref 1a2b3c4d)');
  assert.equal(referenceTo(''), '(no record of it could be made)');
});

/** Random credentials, and what any one of them is asked, for the tests of this folder. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { NotpError } from '../../src/error.ts';
import { ALGORITHMS, DIGITS } from '../../src/otp/code.ts';
import type { Credential } from '../../src/otp/uri.ts';

const PLAIN = { noNullPrototype: true };
/** Letters that mean something in a URI or in a label, besides those of any script. */
const AWKWARD = [
  ':',
  ': ',
  '%',
  '%3A',
  '+',
  '&',
  '=',
  '?',
  '#',
  '/',
  '\\',
  ' ',
  '"',
  'é',
  'e\u0301',
  '世界',
  '😀',
  '..',
  '@',
  ';',
  '~',
  '*',
];

/** Names as people and services write them: nothing around them, and no control character in them. */
export const names: fc.Arbitrary<string> = fc
  .array(fc.oneof(fc.constantFrom(...AWKWARD), fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 8 })
  .map((parts) => parts.join('').replace(/\p{Cc}/gu, ''))
  // A part that ends with half a surrogate pair would meet its other half.
  .map((name) => name.toWellFormed().trim());

const common = {
  secret: fc.uint8Array({ minLength: 10, maxLength: 128 }),
  algorithm: fc.constantFrom(...ALGORITHMS),
  digits: fc.constantFrom(...DIGITS),
  issuer: names,
  account: names,
};

export const credentials: fc.Arbitrary<Credential> = fc.oneof(
  fc.record({ type: fc.constant('totp' as const), ...common, periodSeconds: fc.integer({ min: 15, max: 300 }) }, PLAIN),
  fc.record({ type: fc.constant('hotp' as const), ...common, counter: fc.maxSafeNat() }, PLAIN),
);

/** That `action` refuses what it is given, for that reason, with a hint and without a word of `secret`. */
export function assertRefuses(action: () => unknown, why: RegExp, secret?: string): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof NotpError, String(error));
    assert.equal(error.code, 'refused');
    assert.match(error.message, why);
    assert.match(error.hint ?? '', /./);
    const told = `${error.message} ${error.hint ?? ''}`.toUpperCase();
    if (secret !== undefined) assert.ok(!told.includes(secret.toUpperCase().slice(0, 8)), `the secret is told: ${told}`);
    assert.doesNotMatch(told, /\p{Cc}/u);
    return true;
  });
}

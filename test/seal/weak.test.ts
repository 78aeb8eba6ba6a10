/** A weak passphrase is named, and one that people choose well is not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { weaknessOf } from '../../src/seal/weak.ts';

describe('a new passphrase', () => {
  for (const [passphrase, why] of [
    ['short', 'shorter than 10 characters'],
    ['ninechars', 'shorter than 10 characters'],
    ['👍👍👍👍👍', 'shorter than 10 characters'],
    ['aaaaaaaaaaaa', 'made of the same few characters'],
    ['abcabcabcabc', 'made of the same few characters'],
    ['1234567890', 'a run of characters'],
    ['abcdefghijkl', 'a run of characters'],
    ['9876543210', 'a run of characters'],
    ['Passphrase', 'one of the most common ones'],
    ['Password2026!', 'one of the most common ones'],
    ['correct horse battery staple', 'one of the most common ones'],
    ['qwertyuiop', 'one of the most common ones'],
    ['1q2w3e4r5t', 'one of the most common ones'],
  ] as const)
    it(`is weak: ${passphrase}, ${why}`, () => {
      assert.equal(weaknessOf(passphrase), why);
    });

  for (const passphrase of [
    'correct horse',
    'battery staple',
    'four words are fine',
    'mGq7#x0Lw!',
    'passwordless entry',
    'ein schöner Satz',
  ])
    it(`is not: ${passphrase}`, () => {
      assert.equal(weaknessOf(passphrase), undefined);
    });
});

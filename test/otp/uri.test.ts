/** otpauth URIs hold every parameter and every name, however it is written. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ALGORITHMS, DIGITS, fromBase32, toBase32 } from '../../src/otp/code.ts';
import { groupedKey, otpauthUri } from '../../src/otp/uri.ts';

const SECRET = fromBase32('HSBRGZRKZDRLBVEYHSBRGZRKZDRLBVEY');
const SIX = { algorithm: 'SHA1', digits: 6, periodSeconds: 30 } as const;

/** Reads a URI as a phone does: decodeURIComponent over each part, "+" left as it is. */
function read(uri: string): { label: string; parameters: Record<string, string> } {
  const [, label = '', query = ''] = /^otpauth:\/\/totp\/([^?]*)\?(.*)$/.exec(uri) ?? [];
  const pairs = query.split('&').map((pair) => pair.split('=').map(decodeURIComponent) as [string, string]);
  assert.equal(new Set(pairs.map(([key]) => key)).size, pairs.length, 'a parameter is there twice');
  return { label: decodeURIComponent(label), parameters: Object.fromEntries(pairs) };
}

describe('an otpauth URI', () => {
  it('spells out algorithm, digits and period also where they are the usual ones', () => {
    assert.equal(
      otpauthUri(SECRET, SIX, { issuer: 'bastion', account: 'alice' }),
      'otpauth://totp/bastion:alice?secret=HSBRGZRKZDRLBVEYHSBRGZRKZDRLBVEY&issuer=bastion&algorithm=SHA1&digits=6&period=30',
    );
  });

  it('holds whatever secret and parameters it was made of', () => {
    const parameters = fc.record({
      algorithm: fc.constantFrom(...ALGORITHMS),
      digits: fc.constantFrom(...DIGITS),
      periodSeconds: fc.integer({ min: 15, max: 300 }),
    });
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 10, maxLength: 64 }), parameters, (secret, given) => {
        const found = read(otpauthUri(secret, given, { issuer: 'i', account: 'a' })).parameters;
        const { algorithm, digits, periodSeconds } = given;
        const expected = { secret: toBase32(secret), issuer: 'i', algorithm, digits: String(digits), period: String(periodSeconds) };
        assert.deepEqual(found, expected);
      }),
    );
  });

  const names = [
    'with blanks in it',
    'Smith & Sons',
    'a+b',
    '100%',
    'a=b?c#d',
    'a/b',
    'Bücher',
    '世界 😀',
    '"quoted"',
    '%41',
    "it's",
    '..',
    '.',
  ];
  for (const name of names) {
    it(`brings ${JSON.stringify(name)} to the phone as issuer and as account`, () => {
      const { label, parameters } = read(otpauthUri(SECRET, SIX, { issuer: name, account: name }));
      assert.equal(label, `${name}:${name}`);
      assert.equal(parameters['issuer'], name);
      assert.equal(read(otpauthUri(SECRET, SIX, { issuer: '', account: name })).label, name);
    });
  }

  it('has no issuer where none was given', () => {
    assert.equal('issuer' in read(otpauthUri(SECRET, SIX, { issuer: '', account: 'alice' })).parameters, false);
  });

  it('has one colon in its label: further ones in a name moved the border between issuer and account', () => {
    const { label, parameters } = read(otpauthUri(SECRET, SIX, { issuer: 'host:22', account: 'alice@[::1]' }));
    assert.equal(label, 'host-22:alice@[--1]');
    assert.equal(parameters['issuer'], 'host-22');
  });

  it('is ASCII without blanks, whatever the names are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (issuer, account) => {
        assert.match(otpauthUri(SECRET, SIX, { issuer, account }), /^otpauth:\/\/totp\/[!-~]*$/);
      }),
    );
  });

  it('survives half a surrogate pair, which cannot be percent-encoded', () => {
    assert.equal(read(otpauthUri(SECRET, SIX, { issuer: '', account: 'a\ud800' })).label, 'a\ufffd');
  });
});

describe('the key to type', () => {
  it('is base32 in groups of four', () => {
    assert.equal(groupedKey(SECRET), 'HSBR GZRK ZDRL BVEY HSBR GZRK ZDRL BVEY');
    assert.equal(groupedKey(Uint8Array.of(1, 2, 3)), 'AEBA G');
    assert.equal(groupedKey(new Uint8Array()), '');
  });
});

/** The content of a sealed file is read as strictly as the file, and never told in a message. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ALGORITHMS, DIGITS } from '../../src/otp/code.ts';
import { MAX_RECOVERY_CODES } from '../../src/otp/recovery.ts';
import { MAX_LABEL_CHARACTERS } from '../../src/otp/names.ts';
import { parsePayload, printPayload, type Payload } from '../../src/seal/seal.ts';
import { PAYLOAD } from './sealed.ts';

const OBJECT = JSON.parse(Buffer.from(printPayload(PAYLOAD)).toString()) as Record<string, unknown>;

function refuses(more: object, why: RegExp): void {
  const wrong = Buffer.from(JSON.stringify({ ...OBJECT, ...more }));
  assert.throws(() => parsePayload(wrong), { name: 'NotpError', code: 'bad_secret_file', message: why });
}

function bytes(minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength, maxLength });
}

describe('the sealed content', () => {
  it('is read as it was printed, whatever it is', () => {
    const label = fc.string({ unit: 'grapheme', maxLength: 64 }).filter((text) => !/\p{Cc}/u.test(text));
    const plain = { noNullPrototype: true };
    const common = {
      secret: bytes(10, 128),
      algorithm: fc.constantFrom(...ALGORITHMS),
      digits: fc.constantFrom(...DIGITS),
      issuer: label,
      account: label,
      recovery: fc.record({ salt: bytes(16, 16), hashes: fc.array(bytes(32, 32), { maxLength: MAX_RECOVERY_CODES }) }, plain),
    };
    const periodSeconds = fc.integer({ min: 15, max: 300 });
    const payloads: fc.Arbitrary<Payload> = fc.oneof(
      fc.record({ type: fc.constant('totp' as const), ...common, periodSeconds }, plain),
      fc.record({ type: fc.constant('hotp' as const), ...common }, plain),
    );
    fc.assert(
      fc.property(payloads, (payload) => {
        assert.deepEqual(parsePayload(printPayload(payload)), payload);
        const token = { serial: payload.account, model: payload.issuer };
        assert.deepEqual(parsePayload(printPayload({ ...payload, token })), { ...payload, token });
      }),
    );
  });

  it('is an object with exactly its keys', () => {
    for (const key of Object.keys(OBJECT)) refuses({ [key]: undefined }, new RegExp(`the sealed content lacks "${key}"`));
    refuses({ more: 1 }, /the sealed content has an unknown key "more"/);
    assert.throws(() => parsePayload(Buffer.from('[]')), { code: 'bad_secret_file' });
    assert.throws(() => parsePayload(Buffer.from('{')), { code: 'bad_secret_file' });
    assert.throws(() => parsePayload(Buffer.from(` ${JSON.stringify(OBJECT)}`)), { message: /not in the exact form that notp writes/ });
  });

  it('holds a secret of 10 to 128 bytes in canonical base32, and no message repeats it', () => {
    for (const secret of ['aaaaaaaaaaaaaaaa', 'AAAA AAAA AAAA AAAA', '0189018901890189', 16, null])
      refuses({ secret }, /^"secret" is not base32$/);
    for (const length of [9, 129]) {
      const short = printPayload({ ...PAYLOAD, secret: new Uint8Array(length) });
      assert.throws(() => parsePayload(short), { message: '"secret" has the wrong length' });
    }
  });

  const values: readonly (readonly [key: string, values: readonly unknown[], why: RegExp])[] = [
    ['type', ['TOTP', 'HOTP', '', 1, null], /"type" must be one of totp, hotp/],
    ['algorithm', ['sha1', 'MD5', 1, null], /"algorithm" must be one of SHA1, SHA256, SHA512/],
    ['digits', [5, 9, '6', 6.5, null], /"digits" must be one of 6, 7, 8/],
    ['period', [14, 301, 30.5, '30', null, 0], /"period" must be a whole number from 15 to 300/],
    ['issuer', ['a\nb', 'x'.repeat(MAX_LABEL_CHARACTERS + 1), 1, null], /"issuer" is malformed/],
    ['account', ['a\u0000b', 'x'.repeat(MAX_LABEL_CHARACTERS + 1), 1, null], /"account" is malformed/],
    ['recovery', [[], null, 'x', 1], /"recovery" is not a JSON object/],
  ];
  for (const [key, wrong, why] of values) {
    it(`holds no wrong "${key}"`, () => {
      for (const value of wrong) refuses({ [key]: value }, why);
    });
  }

  it('of a counted secret has no period, and its counter is not in it', () => {
    const { period, ...hotp } = { ...OBJECT, type: 'hotp' } as Record<string, unknown>;
    assert.equal(period, 30);
    assert.equal(parsePayload(Buffer.from(JSON.stringify(hotp))).type, 'hotp');
    refuses({ type: 'hotp' }, /the sealed content has an unknown key "period"/);
    refuses({ type: 'hotp', period: undefined, counter: 1 }, /the sealed content has an unknown key "counter"/);
    const printed = Buffer.from(printPayload({ ...PAYLOAD, type: 'hotp' })).toString();
    assert.doesNotMatch(printed, /period|counter/);
  });

  it('holds recovery codes as a salt and at most a named number of hashes', () => {
    const salt = Buffer.alloc(16).toString('base64');
    const hash = Buffer.alloc(32).toString('base64');
    refuses({ recovery: { salt } }, /"recovery" lacks "hashes"/);
    refuses({ recovery: { salt, hashes: {} } }, /"hashes" is not a list/);
    refuses({ recovery: { salt, hashes: Array(MAX_RECOVERY_CODES + 1).fill(hash) } }, /"hashes" is a list of more than 32/);
    refuses({ recovery: { salt: '', hashes: [] } }, /"salt" has the wrong length/);
    refuses({ recovery: { salt, hashes: [salt] } }, /"hashes" has the wrong length/);
    refuses({ recovery: { salt, hashes: [1] } }, /"hashes" is not canonical base64/);
  });
});

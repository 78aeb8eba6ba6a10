/** Codes and base32 are those of the standards and of google-authenticator. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  codeAt,
  fromBase32,
  matchingSteps,
  MAX_SECRET_BYTES,
  MIN_SECRET_BYTES,
  secretLength,
  stepAt,
  stepsAround,
  toBase32,
  type Algorithm,
} from '../../src/otp/code.ts';

const SIX = { algorithm: 'SHA1', digits: 6, periodSeconds: 30 } as const;
const DIGITS_KEY = '1234567890'.repeat(7);

function asciiKey(algorithm: Algorithm): Uint8Array {
  return Buffer.from(DIGITS_KEY.slice(0, secretLength(algorithm)));
}

describe('the published vectors', () => {
  it('gives the codes of RFC 4226, appendix D', () => {
    const codes = '755224 287082 359152 969429 338314 254676 287922 162583 399871 520489'.split(' ');
    for (const [counter, code] of codes.entries()) assert.equal(codeAt(asciiKey('SHA1'), counter, SIX), code);
  });

  it('gives the codes of RFC 6238, appendix B, for each algorithm', () => {
    const vectors: readonly (readonly [seconds: number, ...codes: string[]])[] = [
      [59, '94287082', '46119246', '90693936'],
      [1111111109, '07081804', '68084774', '25091201'],
      [1111111111, '14050471', '67062674', '99943326'],
      [1234567890, '89005924', '91819424', '93441116'],
      [2000000000, '69279037', '90698825', '38618901'],
      [20000000000, '65353130', '77737706', '47863826'],
    ];
    for (const [seconds, ...codes] of vectors) {
      for (const [i, algorithm] of (['SHA1', 'SHA256', 'SHA512'] as const).entries()) {
        const step = stepAt(seconds * 1000, 30);
        assert.equal(codeAt(asciiKey(algorithm), step, { algorithm, digits: 8 }), codes[i], `${algorithm} at ${seconds}`);
      }
    }
  });

  it('gives the codes of the unit test of google-authenticator, whose secret has 10 bytes', () => {
    const codes = '10000=050548 10001=478726 10002=646986 11000=229713 11001=099452 12000=746135 12001=896696 20000=178844';
    for (const [step = '', code] of codes.split(' ').map((pair) => pair.split('='))) {
      assert.equal(codeAt(fromBase32('2SH3V3GDW7ZNMGYE'), Number(step), SIX), code);
    }
  });
});

describe('steps', () => {
  it('begin at a whole multiple of the period', () => {
    assert.deepEqual(
      [0, 29_999, 30_000, 59_999].map((ms) => stepAt(ms, 30)),
      [0, 0, 1, 1],
    );
    assert.equal(stepAt(299_999, 300), 0);
    assert.equal(stepAt(300_000, 300), 1);
  });

  it('around a step are a window to both sides, and none before 1970', () => {
    assert.deepEqual(stepsAround(10, 2), [8, 9, 10, 11, 12]);
    assert.deepEqual(stepsAround(10, 0), [10]);
    assert.deepEqual(stepsAround(0, 1), [0, 1]);
  });

  it('match a code only where it is theirs', () => {
    const key = asciiKey('SHA1');
    assert.deepEqual(matchingSteps(key, '287082', [0, 1, 2], SIX), [1]);
    assert.deepEqual(matchingSteps(key, '287083', [0, 1, 2], SIX), []);
    assert.deepEqual(matchingSteps(key, '28708', [0, 1, 2], SIX), []);
    assert.deepEqual(matchingSteps(key, '0287082', [0, 1, 2], SIX), []);
  });
});

describe('secrets', () => {
  it('are refused one byte under and over the caps', () => {
    for (const length of [MIN_SECRET_BYTES, MAX_SECRET_BYTES]) assert.match(codeAt(new Uint8Array(length), 1, SIX), /^\d{6}$/);
    for (const length of [MIN_SECRET_BYTES - 1, MAX_SECRET_BYTES + 1]) assert.throws(() => codeAt(new Uint8Array(length), 1, SIX));
  });

  it('are as long as the output of their HMAC', () => {
    assert.deepEqual([secretLength('SHA1'), secretLength('SHA256'), secretLength('SHA512')], [20, 32, 64]);
  });

  it('come back from base32 as they went in', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 128 }), (bytes) => {
        assert.deepEqual(Buffer.from(fromBase32(toBase32(bytes))), Buffer.from(bytes));
      }),
    );
  });

  it('are the base32 of RFC 4648, section 10, without padding', () => {
    const vectors = { '': '', f: 'MY', fo: 'MZXQ', foo: 'MZXW6', foob: 'MZXW6YQ', fooba: 'MZXW6YTB', foobar: 'MZXW6YTBOI' };
    for (const [text, base32] of Object.entries(vectors)) assert.equal(toBase32(Buffer.from(text)), base32);
  });

  for (const text of ['my', 'MZ', 'MY======', 'M Y', 'M0', 'M1', 'M8', 'MZX', 'MY\n', 'Mÿ']) {
    it(`are not read from ${JSON.stringify(text)}, which is not canonical base32`, () => {
      assert.throws(() => fromBase32(text));
    });
  }
});

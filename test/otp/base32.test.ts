/** Base32 is read however people type it and services show it, and nothing else is taken for it. */
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { codeAt, MAX_SECRET_BYTES, MIN_SECRET_BYTES, readBase32, toBase32 } from '../../src/otp/code.ts';
import { run } from '../support/process.ts';
import { lacks } from '../support/world.ts';

const SECRET = 'HSBRGZRKZDRLBVEY';

describe('a typed secret', () => {
  const ways: readonly (readonly [how: string, typed: string, base32?: string])[] = [
    ['as it is', SECRET],
    ['in lower case', 'hsbrgzrkzdrlbvey'],
    ['in both cases', 'HsbrGzrkZdrlBvey'],
    ['in groups', 'HSBR GZRK ZDRL BVEY'],
    ['in groups with dashes', 'hsbr-gzrk-zdrl-bvey'],
    ['with what a copy brings along', '\ufeff\t HSBR GZRK\u00a0ZDRL\u2003BVEY \r\n'],
    ['over two lines', 'HSBRGZRK\r\nZDRLBVEY\r\n'],
    ['with padding', `${SECRET}ME======`, `${SECRET}ME`],
    ['with padding in groups', 'HSBR GZRK ZDRL BVEY ME== ====', `${SECRET}ME`],
    ['with padding cut short', `${SECRET}ME==`, `${SECRET}ME`],
    ['with padding that it does not need', `${SECRET}====`],
    ['without padding', `${SECRET}ME`, `${SECRET}ME`],
    ['with unused bits that are set', `${SECRET}MF`, `${SECRET}ME`],
  ];
  for (const [how, typed, base32 = SECRET] of ways) {
    it(`is read ${how}`, () => {
      assert.equal(toBase32(readBase32(typed) ?? new Uint8Array()), base32);
    });
  }

  it('is the same however blanks, dashes, case, padding and unused bits are', () => {
    const typed = fc.record({
      bytes: fc.uint8Array({ minLength: MIN_SECRET_BYTES, maxLength: MAX_SECRET_BYTES }),
      gap: fc.constantFrom('', ' ', '-', '\t', '  ', '\n'),
      every: fc.integer({ min: 1, max: 9 }),
      lower: fc.boolean(),
      padding: fc.nat(6),
      bits: fc.nat(15),
    });
    fc.assert(
      fc.property(typed, ({ bytes, gap, every, lower, padding, bits }) => {
        const all = withUnusedBits(toBase32(bytes), bits) + '='.repeat(padding);
        const grouped = (all.match(new RegExp(`.{1,${every}}`, 'g')) ?? []).join(gap);
        const secret = readBase32(lower ? grouped.toLowerCase() : grouped);
        assert.deepEqual(secret, bytes);
      }),
    );
  });

  const none: readonly (readonly [what: string, typed: string])[] = [
    ['nothing, which threw', ''],
    ['blanks', '  \n'],
    ['padding alone', '======'],
    ['0, 1, 8 or 9', 'HSBRGZRKZDRLBVE0'],
    ['a sign in it', 'HSBRGZRK_ZDRLBVEY'],
    ['padding inside', 'HSBRGZRK==ZDRLBVEY'],
    ['a letter that only turns to base32 in capitals', 'ßSBRGZRKZDRLBVE'],
    ['a letter without a dot', 'HSBRGZRKZDRLBVEı'],
    ['letters of full width', 'ＨＳＢＲＧＺＲＫＺＤＲＬＢＶＥＹ'],
    ['one letter too many', `${SECRET}M`],
    ['three letters too many', `${SECRET}MEA`],
    ['six letters too many', `${SECRET}MEAAAA`],
    ['9 bytes', SECRET.slice(0, 15)],
    ['129 bytes', 'A'.repeat(207)],
    ['a URI', `otpauth://totp/a?secret=${SECRET}`],
  ];
  for (const [what, typed] of none) {
    it(`is none: ${what}`, () => {
      assert.equal(readBase32(typed), undefined);
    });
  }

  it('is never anything that throws, whatever is typed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const bytes = readBase32(text);
        assert.ok(bytes === undefined || bytes.length >= MIN_SECRET_BYTES);
      }),
    );
  });

  it(
    'of 10 to 128 bytes gives the codes of oathtool, also where the unused bits are set',
    { skip: lacks({ programs: ['oathtool'] }) },
    async () => {
      for (let i = 0; i < 60; i++) {
        const base32 = toBase32(randomBytes(i === 0 ? 10 : randomInt(10, 129)));
        const padded = base32 + '='.repeat((8 - (base32.length % 8)) % 8);
        const typed = [base32, padded, padded.toLowerCase(), base32.replace(/.{4}/g, '$& '), withUnusedBits(base32, i)][i % 5] ?? '';
        const { stdout, stderr } = await run(['oathtool', '-b', '-c', String(i), '-'], { input: `${typed}\n` });
        const secret = readBase32(typed);
        assert.ok(secret !== undefined, typed);
        assert.equal(codeAt(secret, i, { algorithm: 'SHA1', digits: 6 }), stdout.trim(), `${typed}: ${stderr}`);
      }
    },
  );

  it('that is none is none for oathtool either', { skip: lacks({ programs: ['oathtool'] }) }, async () => {
    for (const [, typed] of none.slice(3, 12)) {
      const { code } = await run(['oathtool', '-b', '-'], { input: `${typed}\n` });
      assert.equal(code, 1, `oathtool takes ${typed}`);
    }
  });
});

/** The same base32 with `bits` in those bits of its last letter that make no byte. */
function withUnusedBits(base32: string, bits: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const unused = (base32.length * 5) % 8;
  const last = alphabet.indexOf(base32.slice(-1)) | (bits & ((1 << unused) - 1));
  return base32.slice(0, -1) + alphabet.charAt(last);
}

/** Seeds that were cut or mistyped were read as other secrets, without a word. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { seedOf, seedOfPskc, type Notation } from '../../src/formats/seeds.ts';
import { toBase32 } from '../../src/otp/code.ts';
import { csvOf } from './token-files.ts';

/** The seed in hex, or why there is none. */
function told(written: string, notation?: Notation): string {
  const seed = seedOf(written, notation);
  return 'why' in seed ? seed.why : Buffer.from(seed).toString('hex');
}

const MALFORMED = 'its secret is malformed, or too short or too long';

describe('a seed', () => {
  it('of hex, base32 or base64, padded or not, is what was written', () => {
    for (const size of [10, 16, 20, 32, 64]) {
      const bytes = Buffer.concat([Buffer.from([0x0f, 0xee]), randomBytes(size - 2)]);
      const [hex, base32, base64] = [bytes.toString('hex'), toBase32(bytes), bytes.toString('base64')] as const;
      const inGroups = hex.replaceAll(/(.{4})/g, '$1 ').trim();
      const padded = base32.padEnd(Math.ceil(base32.length / 8) * 8, '=');
      for (const text of [
        hex,
        hex.toUpperCase(),
        `0x${hex}`,
        inGroups,
        base32,
        base32.toLowerCase(),
        padded,
        base64,
        base64.replace(/=+$/, ''),
      ])
        assert.equal(told(text), hex, text);
    }
    // Base32 that ends with a whole group needs no usual length.
    assert.equal(told(toBase32(Buffer.alloc(15, 0x5a))), '5a'.repeat(15));
  });

  it('that was cut, mistyped or is base64url was read as another one', () => {
    for (let i = 0; i < 300; i++) {
      const size = [20, 32, 64][i % 3] ?? 20;
      // Digits that base32 does not have.
      const bytes = Buffer.concat([Buffer.from([0x08, 0x19]), randomBytes(size - 2)]);
      const [hex, base32, base64] = [bytes.toString('hex'), toBase32(bytes), bytes.toString('base64')] as const;
      const put = (text: string, letter: string): string => text.slice(0, i % text.length) + letter + text.slice((i % text.length) + 1);
      const wrong = [
        ...[hex.slice(1), hex.toUpperCase().slice(0, -1), put(hex.toUpperCase(), 'O'), put(hex, 'l')],
        ...[put(base32, '1'), put(base32, '0'), put(base32, '8'), base32.slice(0, -1), `${base32}==`],
        ...[base64.replace(/=+$/, '').slice(0, -1), put(base64, '!'), put(base64, '-'), put(base64, '_')],
      ];
      for (const text of wrong) assert.equal(told(text), MALFORMED, text);
    }
    assert.equal(told('a'.repeat(1_000_000)), MALFORMED);
    assert.equal(told('PleaseAskContoso1234'), MALFORMED);
  });

  it('of a PSKC was another one in the letters of one case', () => {
    const base64 = Buffer.from('12345678901234567890').toString('base64');
    assert.equal(Buffer.from(seedOfPskc(base64) ?? []).toString(), '12345678901234567890');
    assert.deepEqual([seedOfPskc(base64.toLowerCase()), seedOfPskc(base64.toUpperCase())], [undefined, undefined]);
  });

  it('in hex was another one where bytes of it were missing', () => {
    for (const size of [16, 20, 32, 64]) {
      const hex = randomBytes(size).toString('hex');
      for (let missing = 1; missing <= size - 10; missing++) {
        const at = (missing * 7) % (hex.length - 2 * missing);
        for (const cut of [hex.slice(0, -2 * missing), hex.slice(2 * missing), hex.slice(0, at) + hex.slice(at + 2 * missing)]) {
          const left = size - missing;
          const expected = [10, 16, 20, 24, 32, 48].includes(left)
            ? cut
            : `its secret has ${String(left)} bytes in hex: it may have been cut`;
          assert.deepEqual([told(cut, 'hex'), told(`0x${cut.toUpperCase()}`, 'hex')], [expected, expected]);
          if (expected !== cut) assert.equal(told(cut), expected);
        }
      }
    }
    // Whole groups of base32, too.
    assert.match(told('234567ABCDEF234567ABCDEF'), /^its secret has 12 bytes in hex/);
    assert.deepEqual(csvOf('upn,serial number,secret key\nalice,4711,3132333435363738393031323334353637\n')?.mistakes, [
      { line: 2, serial: '4711', user: 'alice', why: 'its secret has 17 bytes in hex: it may have been cut' },
    ]);
  });

  it('that may be of two notations needs the name of its column', () => {
    const both = '234567ABCDEF'.repeat(4).slice(0, 40);
    assert.equal(told(both), 'its secret may be hex or base32: name its column "secret hex" or "secret base32"');
    const mixed = 'gezdgnbvGY3TQOJQgezdgnbvgy3tqojq';
    assert.equal(
      told(mixed),
      'its secret may be base32 or base64: name its column "secret base32" or "secret base64"',
      'was read as base64',
    );
    assert.equal(told(mixed, 'base32'), told(mixed.toUpperCase(), 'base32'));
    const fileOf = (column: string): object =>
      csvOf(`serial,${column}\n1,${both}\n`)?.tokens.map(({ credential }) => Buffer.from(credential.secret).toString('hex')) ?? [];
    assert.deepEqual(fileOf('secret'), []);
    assert.deepEqual(fileOf('Secret (hex)'), [both.toLowerCase()]);
    assert.deepEqual(fileOf('seed base32'), [told(both, 'base32')]);
    assert.deepEqual(fileOf('seed base64'), []);
    assert.notEqual(told(both, 'base32'), told(both, 'hex'));
  });

  it('of a file without a header is a mistake with its line, also where no line has one', () => {
    const file = csvOf('2600123456,313233343536373839303132333435363738393\n2600123457,31323334353637383930313233343536373839O0\n');
    assert.deepEqual(file, {
      tokens: [],
      mistakes: [
        { line: 1, serial: '2600123456', user: '', why: MALFORMED },
        { line: 2, serial: '2600123457', user: '', why: MALFORMED },
      ],
    });
  });
});

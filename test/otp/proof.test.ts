/** What a person types is read as they meant it; what no person types is no proof. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { MAX_LINE_BYTES, MAX_READINGS, parseProof, readings, typedLine, type Proof } from '../../src/otp/proof.ts';

const code = (digits: string): Proof => ({ kind: 'code', code: digits });
const two = (first: string, second: string): Proof => ({ kind: 'codes', codes: [first, second] });
const three = (...codes: readonly string[]): Proof => ({ kind: 'codes', codes });
const recovery: Proof = { kind: 'recovery', code: 'ABCDEFGHJKLM2' };

describe('a typed proof', () => {
  const proofs: readonly (readonly [typed: string, proof: Proof])[] = [
    ['123456', code('123456')],
    ['1234567', code('1234567')],
    ['12345678', code('12345678')],
    ['123 456', code('123456')],
    ['123-456', code('123456')],
    ['1234 5678', code('12345678')],
    ['  123456\t', code('123456')],
    ['123\u00a0456', code('123456')],
    ['123456 654321', two('123456', '654321')],
    ['123456-654321', two('123456', '654321')],
    ['123 456 654 321', two('123456', '654321')],
    ['123-456  654-321', two('123456', '654321')],
    ['1234567 7654321', two('1234567', '7654321')],
    ['1234 5678 8765 4321', two('12345678', '87654321')],
    ['123456 654321 246802', three('123456', '654321', '246802')],
    ['123 456-654-321 246 802', three('123456', '654321', '246802')],
    ['1234567 7654321 2468024', three('1234567', '7654321', '2468024')],
    ['12345678 87654321 24680246', three('12345678', '87654321', '24680246')],
    ['ABCD-EFGH-JKLM2', recovery],
    ['abcd-efgh-jklm2', recovery],
    ['abcdefghjklm2', recovery],
    ['aBcD efgh JKLM2', recovery],
  ];
  for (const [typed, proof] of proofs) {
    it(`${JSON.stringify(typed)} is ${proof.kind}`, () => {
      assert.deepEqual(parseProof(typed), proof);
    });
  }

  it('is a recovery code even where chance made it of digits alone', () => {
    assert.deepEqual(parseProof('2345-6723-45672'), { kind: 'recovery', code: '2345672345672' });
  });

  const junk = [
    ...[
      '',
      ' ',
      '12345',
      '123456789',
      '123456654321',
      '12345 6654321',
      '1234567 654321',
      '123456654321 123456',
      '123456 65432 1123456',
      '-123456',
      '123456-',
    ],
    ...['１２３４５６', '٠١٢٣٤٥', '12345a', '0x1234', '1e5', '123.456', '123_456', '+123456', 'yes', 'ABCD-EFGH-JKLM', '😀😀😀'],
    ...['\b\n\r\x7fINCORRECT', 'SSH-2.0-OpenSSH_9.9', '9'.repeat(300), '1 '.repeat(300), ' '.repeat(500) + '1'],
  ];
  for (const typed of junk) {
    it(`${JSON.stringify(typed.slice(0, 40))} is none`, () => {
      assert.equal(parseProof(typed), undefined);
    });
  }

  it('is the same code however blanks and dashes stand between its digits', () => {
    const digits = fc.array(fc.integer({ min: 0, max: 9 }).map(String), { minLength: 6, maxLength: 8 });
    fc.assert(
      fc.property(digits, fc.constantFrom('', ' ', '-', '  ', ' - '), fc.nat({ max: 5 }), (all, gap, at) => {
        const typed = all.slice(0, at + 1).join('') + gap + all.slice(at + 1).join('');
        assert.deepEqual(parseProof(typed.replace(/[ -]+$/, '')), code(all.join('')));
      }),
    );
  });
});

describe('a line for a host-sealed secret', () => {
  it('has one reading, or none', () => {
    assert.deepEqual(readings('123 456', 'host'), [{ passphrase: undefined, proof: code('123456') }]);
    assert.deepEqual(readings('correct horse 123456', 'host'), []);
    assert.deepEqual(readings('', 'host'), []);
  });
});

describe('a line for a passphrase-sealed secret', () => {
  const lines: readonly (readonly [line: string, ...meanings: (readonly [string, Proof])[]])[] = [
    ['correct horse 123456', ['correct horse', code('123456')]],
    ['correct horse 123-456', ['correct horse', code('123456')]],
    ['correct horse 123 456', ['correct horse', code('123456')]],
    ['correct horse\t123456', ['correct horse', code('123456')]],
    ['correct  horse   123456', ['correct  horse', code('123456')]],
    [' leading blank 123456', [' leading blank', code('123456')]],
    ['correct horse abcd-efgh-jklm2', ['correct horse', recovery]],
    ['correct horse abcd efgh jklm2', ['correct horse', recovery]],
    ['horse 123 456789', ['horse 123', code('456789')]],
    ['horse 42 123456', ['horse 42', code('123456')], ['horse', code('42123456')]],
    ['horse 123456 654321', ['horse 123456', code('654321')], ['horse', two('123456', '654321')]],
    [
      'horse 123456 654321 246802',
      ['horse 123456 654321', code('246802')],
      ['horse 123456', two('654321', '246802')],
      ['horse', three('123456', '654321', '246802')],
    ],
    ['pässword 123456', ['pässword', code('123456')]],
    ['123456 654321', ['123456', code('654321')]],
  ];
  for (const [line, ...meanings] of lines) {
    it(`${JSON.stringify(line)} has ${meanings.length === 1 ? 'one reading' : `${meanings.length} readings, the likeliest first`}`, () => {
      assert.deepEqual(
        readings(line, 'passphrase'),
        meanings.map(([passphrase, proof]) => ({ passphrase, proof })),
      );
    });
  }

  for (const line of ['', '123456', ' 123456', '123 ', 'correct horse', 'correct horse 12345', 'correcthorse123456']) {
    it(`${JSON.stringify(line)} has none`, () => {
      assert.deepEqual(readings(line, 'passphrase'), []);
    });
  }

  it(`has never more than ${MAX_READINGS}, for each one costs a key derivation`, () => {
    const line = `x ${'1 '.repeat(12)}1 2 3 4`;
    assert.equal(readings(line, 'passphrase').length, MAX_READINGS);
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('1', '2', ' ', '-', 'a'), maxLength: MAX_LINE_BYTES }), (typed) => {
        assert.ok(readings(typed, 'passphrase').length <= MAX_READINGS);
      }),
    );
  });
});

describe('a line for devices of which some have a passphrase', () => {
  const lines: readonly (readonly [line: string, ...meanings: (readonly [string | undefined, Proof])[]])[] = [
    ['123456', [undefined, code('123456')]],
    ['123 456', [undefined, code('123456')]],
    ['abcd-efgh-jklm2', [undefined, recovery]],
    ['correct horse 123456', ['correct horse', code('123456')]],
    ['123456 654321', [undefined, two('123456', '654321')], ['123456', code('654321')]],
    ['horse 123456 654321', ['horse 123456', code('654321')], ['horse', two('123456', '654321')]],
  ];
  for (const [line, ...meanings] of lines) {
    it(`${JSON.stringify(line)} is read without one first, where it can be`, () => {
      assert.deepEqual(
        readings(line, 'either'),
        meanings.map(([passphrase, proof]) => ({ passphrase, proof })),
      );
    });
  }

  it('is nothing where it is no proof either way', () => {
    for (const line of ['', 'correct horse', '12345', ' ']) assert.deepEqual(readings(line, 'either'), []);
  });

  it('has no more readings than any other line', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('1', '2', ' ', '-', 'a'), maxLength: MAX_LINE_BYTES }), (typed) => {
        assert.ok(readings(typed, 'either').length <= MAX_READINGS);
      }),
    );
    const line = '1 2 3 4 5 6 1 2 3 4 5 6';
    assert.equal(readings(line, 'either').length, MAX_READINGS);
    assert.deepEqual(readings(line, 'either')[0], { passphrase: undefined, proof: two('123456', '123456') });
  });
});

describe('a line of raw bytes', () => {
  it('is text where a person can have typed it', () => {
    assert.equal(typedLine(Buffer.from('correct\thorse 123456')), 'correct\thorse 123456');
    assert.equal(typedLine(Buffer.from('pässword 123456')), 'pässword 123456');
    assert.equal(typedLine(new Uint8Array()), '');
    assert.equal(typedLine(Buffer.alloc(MAX_LINE_BYTES, 'x'))?.length, MAX_LINE_BYTES);
    assert.equal(typedLine(Buffer.alloc(MAX_LINE_BYTES + 1, 'x'), MAX_LINE_BYTES + 1)?.length, MAX_LINE_BYTES + 1);
    assert.equal(typedLine(Buffer.alloc(4, 'x'), 3), undefined);
  });

  const notTyped: readonly (readonly [what: string, bytes: Uint8Array])[] = [
    ['it is one byte too long', Buffer.alloc(MAX_LINE_BYTES + 1, 'x')],
    ['sshd made it up for a user who may not log in', Buffer.from('\b\n\r\x7fINCORRECT')],
    ['it holds NUL', Buffer.from('123\u0000456')],
    ['it holds a carriage return', Buffer.from('123456\r')],
    ['it holds an escape sequence', Buffer.from('\u001b[A123456')],
    ['it holds a C1 control', Buffer.from('123456\u009b')],
    ['it is not UTF-8', Uint8Array.of(0xff, 0xfe, 0x31)],
    ['it is cut off inside a character', Uint8Array.of(0x31, 0xc3)],
    ['it is overlong UTF-8', Uint8Array.of(0xc0, 0xb1)],
    ['it is the start of an sftp session', Uint8Array.of(0, 0, 0, 5, 1, 0, 0, 0, 3)],
  ];
  for (const [what, bytes] of notTyped) {
    it(`is no proof where ${what}`, () => {
      assert.equal(typedLine(bytes), undefined);
    });
  }
});

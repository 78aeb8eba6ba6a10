/** The files of the Python program that notp grew out of open with their password, and a damaged one says what is wrong. */
import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { codeAt, toBase32 } from '../../src/otp/code.ts';
import { looksLikePythonNotp, openPythonNotp, parsePythonNotp } from '../../src/seal/python-notp.ts';
import { assertRefuses } from '../otp/credentials.ts';

/** The example of that program's README. */
const FROZEN = fs.readFileSync(path.join(import.meta.dirname, '../vectors/python-notp.txt'), 'utf8');
const SECRET = 'HSBRGZRKZDRLBVEY';
const [NONCE = '', CIPHERTEXT = ''] = FROZEN.trim().split('\n');

function opened(text: string, password = 'test'): string | undefined {
  const secret = openPythonNotp(parsePythonNotp(text), password);
  return secret === undefined ? undefined : toBase32(secret);
}

/** A file as that program wrote it. */
function written(content: string, password = 'test'): string {
  const nonce = Buffer.alloc(16, 3);
  const cipher = createCipheriv('aes-256-gcm', createHash('sha256').update(password).digest(), nonce);
  const ciphertext = Buffer.concat([cipher.update(content, 'latin1'), cipher.final(), cipher.getAuthTag()]);
  return `${nonce.toString('hex')}\n${ciphertext.toString('hex')}\n`;
}

describe('a file of the Python notp', () => {
  it('opens with its password, and gives the codes of its secret', () => {
    const secret = openPythonNotp(parsePythonNotp(FROZEN), 'test');
    assert.ok(secret !== undefined);
    assert.equal(toBase32(secret), SECRET);
    // oathtool -b -c 1 HSBRGZRKZDRLBVEY
    assert.equal(codeAt(secret, 1, { algorithm: 'SHA1', digits: 6 }), '940526');
  });

  it('does not open with another password', () => {
    for (const password of ['', 'Test', 'test ', 'test\n', 'wrong']) assert.equal(opened(FROZEN, password), undefined);
  });

  const ways = {
    'line ends of Windows': `${NONCE}\r\n${CIPHERTEXT}\r\n`,
    'no newline at its end': `${NONCE}\n${CIPHERTEXT}`,
    capitals: FROZEN.toUpperCase(),
    'blanks around its lines': `  ${NONCE} \n\t${CIPHERTEXT}  \n\n`,
    'an empty line between': `${NONCE}\n\n${CIPHERTEXT}\n`,
    'a byte order mark': `\ufeff${FROZEN}`,
  };
  for (const [what, text] of Object.entries(ways)) {
    it(`opens with ${what}`, () => {
      assert.equal(looksLikePythonNotp(text), true);
      assert.equal(opened(text), SECRET);
    });
  }

  it('opens with a password that is not ASCII, as UTF-8', () => {
    assert.equal(opened(written(SECRET, 'pässwörd 世界'), 'pässwörd 世界'), SECRET);
  });

  it('opens where its secret has small letters, blanks or padding', () => {
    assert.equal(opened(written('hsbr gzrk zdrl bvey')), SECRET);
    assert.equal(opened(written(`${SECRET}ME======\n`)), `${SECRET}ME`);
  });

  for (const content of ['', 'not base32!', 'HSBRGZRK', 'otpauth://totp/a?secret=HSBRGZRKZDRLBVEY', '\xff\xfe']) {
    it(`with ${JSON.stringify(content)} in it is refused, and that not told`, () => {
      assertRefuses(() => opened(written(content)), content === '' ? /cut off/ : /its content is not a base32 secret/, 'HSBRGZRK');
    });
  }

  it('cut off anywhere is refused or does not open', () => {
    let refused = 0;
    for (let length = 0; length < FROZEN.trimEnd().length; length++) {
      const cut = FROZEN.slice(0, length);
      try {
        assert.equal(opened(cut), undefined, `${length} characters`);
      } catch {
        assertRefuses(() => opened(cut), /^this is not a file of the Python notp: /, SECRET);
        refused++;
      }
    }
    // The first line and its end, up to a tag in the second, and then each odd number of digits.
    assert.equal(refused, 33 + 33 + 16);
  });

  it('with any one byte changed does not open', () => {
    const bytes = Buffer.from(NONCE + CIPHERTEXT, 'hex');
    for (const at of bytes.keys()) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(opened(`${changed.toString('hex', 0, 16)}\n${changed.toString('hex', 16)}`), undefined, `byte ${at}`);
    }
  });

  const wrong: readonly (readonly [what: string, text: string, why: RegExp])[] = [
    ['swapped lines of one length', `${'ab'.repeat(32)}\n${'cd'.repeat(16)}`, /its two lines are swapped/],
    ['swapped lines', `${CIPHERTEXT}\n${NONCE}\n`, /its two lines are swapped/],
    ['one line', NONCE, /it must be two lines of hex digits/],
    ['three lines', `${FROZEN}${NONCE}\n`, /it must be two lines of hex digits/],
    ['nothing', '', /it must be two lines of hex digits/],
    ['a letter that is no hex digit', FROZEN.replace('5', 'g'), /it must be two lines of hex digits/],
    ['half a byte', `${NONCE}\n${CIPHERTEXT.slice(1)}`, /it must be two lines of hex digits/],
    ['a blank inside a line', FROZEN.replace('5145', '51 45'), /it must be two lines of hex digits/],
    ['a nonce of 12 bytes', `${NONCE.slice(8)}\n${CIPHERTEXT}`, /its first line must be 32 hex digits/],
    ['a nonce of 17 bytes', `${NONCE}00\n${CIPHERTEXT}`, /its first line must be 32 hex digits/],
    ['nothing but a tag', `${NONCE}\n${CIPHERTEXT.slice(0, 32)}`, /its second line is cut off/],
    ['less than a tag', `${NONCE}\n${CIPHERTEXT.slice(0, 30)}`, /its second line is cut off/],
  ];
  for (const [what, text, why] of wrong) {
    it(`is refused with ${what}`, () => {
      assertRefuses(() => parsePythonNotp(text), why);
    });
  }

  it('is known by its two lines of hex, whole or not, and nothing else is taken for one', () => {
    for (const text of [FROZEN, `${CIPHERTEXT}\n${NONCE}`, `${NONCE}\n${CIPHERTEXT.slice(0, 20)}`, FROZEN.toUpperCase()])
      assert.equal(looksLikePythonNotp(text), true, text);
    for (const text of ['', NONCE, `${NONCE}\n`, SECRET, `${SECRET}\n${SECRET}`, `${FROZEN}\n${NONCE}`, `${NONCE}\nabc`])
      assert.equal(looksLikePythonNotp(text), false, text);
  });

  it('is none whatever else stands in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assertRefuses(() => parsePythonNotp(text), /^this is not a file of the Python notp: /);
      }),
    );
  });
});

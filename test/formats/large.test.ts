/** Large files ended in an overflow of the stack, or took hours. Each of these is as large as a file may be. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readExport } from '../../src/formats/formats.ts';
import { MAX_TOKEN_FILE_BYTES } from '../../src/formats/tokens.ts';
import { readBase32 } from '../../src/otp/code.ts';
import { csvOf } from './token-files.ts';

const SIZE = MAX_TOKEN_FILE_BYTES - 1024;
const KEY = '3132333435363738393031323334353637383930';
const URI = 'otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

function many(text: string): string {
  return text.repeat(Math.floor(SIZE / text.length));
}

describe('a file as large as it may be', () => {
  it('of CSV, with a quote that does not end or many that are doubled, overflowed the stack', () => {
    const header = `serial,seed\n1,${KEY}\n2,`;
    for (const field of [`"${many('x')}`, `"${many('""')}`, many('""'), `"${many('x\n')}"`]) {
      const file = csvOf(header + field);
      assert.deepEqual([file?.tokens.length, file?.mistakes.length], [1, 1]);
    }
  });

  it('of an app, whose URI does not end or has only escapes, overflowed the stack', () => {
    for (const text of ['"otpauth://' + many('x'), '"otpauth://' + many('\\x'), ',otpauth://' + many('x'), ',otpauth://' + many('&amp;')])
      assert.equal(readExport(Buffer.from(text))?.kind, 'entries');
  });

  it('of lines took time that grew by the square of its length', () => {
    // Seconds, where it was hours.
    for (const text of [`totp:${many(' ')}!`, many(' '.repeat(1000) + '\n') + 'x', `totp${many(' ')}!`])
      assert.equal(readExport(Buffer.from(text)), undefined);
    assert.equal(readExport(Buffer.from(`${URI}\n${many('otp:\n')}`))?.kind, 'entries');
    assert.equal(readBase32(many('=') + 'A'), undefined);
  });
});

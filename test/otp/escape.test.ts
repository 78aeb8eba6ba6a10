/** What comes from outside is shown as data: no character of it moves a cursor or hides another. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { escapeControls, quoted, shellWord } from '../../src/otp/escape.ts';

describe('escapeControls', () => {
  it('leaves what is printable as it is, in any script', () => {
    assert.equal(escapeControls('Grüße, 世界 😀 "a\\b"'), 'Grüße, 世界 😀 "a\\b"');
  });

  it('writes controls, line separators and marks that disguise as \\uXXXX', () => {
    assert.equal(escapeControls('a\u001b[2Jb\n\u007f\u009b\u2028\u202e\ufeff'), 'a\\u001b[2Jb\\u000a\\u007f\\u009b\\u2028\\u202e\\ufeff');
  });

  it('writes both halves of a format character beyond the basic plane, and a half that stands alone', () => {
    assert.equal(escapeControls('\u{e0001}'), '\\udb40\\udc01');
    assert.equal(escapeControls('x\ud800'), 'x\\ud800');
  });

  it('leaves nothing that a terminal obeys, whatever comes in, and is idempotent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = escapeControls(text);
        assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
        assert.equal(escapeControls(shown), shown);
      }),
    );
  });
});

describe('quoted', () => {
  it('quotes what is short enough whole', () => {
    assert.equal(quoted('a\nb'), '"a\\u000ab"');
    assert.equal(quoted('x'.repeat(64)), `"${'x'.repeat(64)}"`);
  });

  it('cuts what is longer at 64 characters', () => {
    assert.equal(quoted('x'.repeat(65)), `"${'x'.repeat(63)}…"`);
  });

  it('does not cut a character in two, which left half a surrogate pair', () => {
    const shown = quoted('😀'.repeat(65));
    assert.ok(shown.isWellFormed());
    assert.equal(shown, `"${'😀'.repeat(63)}…"`);
  });
});

describe('shellWord', () => {
  it('is the word itself where a shell reads nothing else in it, and quoted where it may', () => {
    assert.deepEqual(['alice', 'a.b@c-d', "o'neil", 'john doe', '', '-x', '$(id)'].map(shellWord), [
      'alice',
      'a.b@c-d',
      String.raw`'o'\''neil'`,
      "'john doe'",
      "''",
      "'-x'",
      "'$(id)'",
    ]);
  });
});

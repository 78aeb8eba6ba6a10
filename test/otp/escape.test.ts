/** What comes from outside is shown as data: no character of it moves a cursor or hides another. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { escapeControls, quoted, shellCommand } from '../../src/otp/escape.ts';

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

describe('shellCommand', () => {
  it('has what is put in as it is where a shell reads nothing else in it, and quoted where it may', () => {
    assert.deepEqual(
      ['alice', 'a.b@c-d', "o'neil", 'john doe', '', '$(id)', 'x;touch${IFS}/tmp/x;'].map(
        (word) => shellCommand`notp revoke ${word} --yes`,
      ),
      ['alice', 'a.b@c-d', String.raw`'o'\''neil'`, "'john doe'", "''", "'$(id)'", "'x;touch${IFS}/tmp/x;'"].map(
        (word) => `notp revoke ${word} --yes`,
      ),
    );
  });

  it('has no word that a program would take for an option, or of which a terminal would show something else', () => {
    for (const word of ['-x', '--config=/tmp/x', 'a\nrm -r /', 'a\u202eb'])
      assert.equal(shellCommand`notp-enroll ${word} --replace`, 'notp-enroll NAME --replace');
  });

  it('is for a shell one word for each that was put in, whatever it is', () => {
    const word = fc.string({ unit: 'binary' }).filter((text) => !text.startsWith('-') && escapeControls(text) === text);
    fc.assert(
      fc.property(word, word, (first, second) => {
        const { stdout } = spawnSync('/bin/sh', ['-c', shellCommand`printf '%s\\0' ${first} ${second}`], { encoding: 'utf8' });
        assert.deepEqual(stdout.split('\0'), [first, second, '']);
      }),
      {
        numRuns: 30,
        examples: [
          ["';id;'", '$(id)`id`'],
          ['a b', '*?[]{}~!#&|<>()=\\"'],
        ],
      },
    );
  });
});

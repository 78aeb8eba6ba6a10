/** Names of contexts and users that could leave a folder, forge a log line or fool an eye are refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NotpError } from '../../src/error.ts';
import { contextName, isContextName, isUserName } from '../../src/otp/names.ts';

const HOSTILE = [
  ['nothing', ''],
  ['..', '..'],
  ['.', '.'],
  ['a leading dot', '.hidden'],
  ['a leading dash', '-rf'],
  ['a slash', 'a/b'],
  ['a way out', '../elsewhere/evil'],
  ['an absolute path', '/etc/passwd'],
  ['a backslash', 'a\\b'],
  ['a blank', 'a b'],
  ['a blank at the end', 'a '],
  ['a tab', 'a\tb'],
  ['a newline at the end', 'a\n'],
  ['NUL', 'a\0b'],
  ['an escape sequence', 'a\u001b[2J'],
  ['DEL', 'a\u007f'],
  ['a C1 control', 'a\u009b'],
  ['a colon', 'a:b'],
  ['a letter that is not ASCII', 'jürgen'],
  ['a look-alike', 'аlice'],
  ['a right-to-left mark', 'a\u202eb'],
  ['an emoji', 'a😀'],
  ['a percent sign', '%h'],
] as const;

describe('a context name', () => {
  for (const [what, name] of HOSTILE) {
    it(`is not ${what}`, () => {
      assert.equal(isContextName(name), false);
      assert.throws(
        () => contextName(name),
        (error) => error instanceof NotpError && error.code === 'usage' && !/\p{Cc}/u.test(error.message) && error.hint !== undefined,
      );
    });
  }

  it('has at most 64 characters, and a refusal does not repeat 300 of them', () => {
    assert.equal(contextName('x'.repeat(64)), 'x'.repeat(64));
    assert.equal(isContextName('x'.repeat(65)), false);
    assert.throws(
      () => contextName('x'.repeat(300)),
      (error) => error instanceof NotpError && error.message.length < 100,
    );
  });

  for (const uri of ['otpauth://totp/a?secret=JBSWY3DPEHPK3PXP', 'OTPAUTH-migration://offline?data=CjEKCkhlbGxv']) {
    it(`is not a secret: ${uri.slice(0, 17)} is refused with what it means, and not repeated`, () => {
      assert.throws(
        () => contextName(uri),
        (error) => {
          assert.ok(error instanceof NotpError && error.code === 'usage');
          assert.match(error.message, /a secret was given on the command line/);
          assert.match(error.hint ?? '', /stdin.*history/);
          assert.doesNotMatch(`${error.message} ${error.hint ?? ''}`, /JBSWY|CjEKC|:\/\//);
          return true;
        },
      );
    });
  }

  for (const name of ['ssh', 'a', '_', '0', 'git.example.org', 'a..b', 'a-b_c.D', 'x.']) {
    it(`may be ${name}`, () => {
      assert.equal(contextName(name), name);
    });
  }
});

describe('a user name', () => {
  for (const [what, name] of HOSTILE) {
    it(`is not ${what}`, () => {
      assert.equal(isUserName(name), false);
    });
  }

  it('has at most 255 characters', () => {
    assert.equal(isUserName('x'.repeat(255)), true);
    assert.equal(isUserName('x'.repeat(300)), false);
  });

  for (const name of ['alice', 'alice@example.org', 'machine$', 'a+b', '0day', 'Jane.Doe']) {
    it(`may be ${name}`, () => {
      assert.equal(isUserName(name), true);
    });
  }

  it('has a dollar sign only at its end', () => {
    assert.equal(isUserName('a$b'), false);
    assert.equal(isUserName('$'), false);
  });
});

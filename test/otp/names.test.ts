/** Names of contexts that could leave a folder, forge a log line or fool an eye are refused; of users it is the passwd database that has them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NotpError } from '../../src/error.ts';
import * as fc from 'fast-check';
import { contextName, cutAccount, isContextName, isUserName, userInPath, isLabel } from '../../src/otp/names.ts';

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
  for (const [what, name] of [
    ['nothing', ''],
    ['a tab', 'a\tb'],
    ['a newline at the end', 'a\n'],
    ['NUL', 'a\0b'],
    ['an escape sequence', 'a\u001b[2J'],
    ['DEL', 'a\u007f'],
    ['a C1 control', 'a\u009b'],
    ['a line separator', 'a\u2028b'],
    ['a colon', 'a:b'],
    ['what was no UTF-8', 'a\ufffd'],
    ['half a character', 'a\ud83d'],
  ] as const) {
    it(`is not ${what}`, () => {
      assert.equal(isUserName(name), false);
    });
  }

  it('has at most 256 bytes', () => {
    assert.equal(isUserName('x'.repeat(256)), true);
    assert.equal(isUserName('x'.repeat(257)), false);
    assert.equal(isUserName('é'.repeat(128)), true);
    assert.equal(isUserName('é'.repeat(129)), false);
  });

  for (const name of [
    'alice',
    'alice@example.org',
    'machine$',
    'a$b',
    'a+b',
    '0day',
    '20231234',
    'CORP\\sam',
    'jo doe',
    'jürgen',
    'аlice',
    'a/b',
    '..',
    '%h',
    '-rf',
  ]) {
    it(`may be ${name}`, () => {
      assert.equal(isUserName(name), true);
    });
  }
});

describe('a user name in a path', () => {
  it('stands as it is where a file can be called so', () => {
    for (const name of ['alice', 'alice@example.org', 'machine$', 'CORP\\sam', 'jo doe', 'jürgen', '20231234', 'a.b'])
      assert.equal(userInPath(name), name);
  });

  it('is encoded where none can', () => {
    assert.equal(userInPath('..'), '%2E.');
    assert.equal(userInPath('.hidden'), '%2Ehidden');
    assert.equal(userInPath('../root'), '%2E.%2Froot');
    assert.equal(userInPath('50%'), '50%25');
    assert.equal(userInPath('%2E.'), '%252E.');
  });

  it('is one part of a path, short enough for an ending, and no two are the same', () => {
    const character = fc.constantFrom('a', 'é', '😀', '.', '/', '%', '2', 'E', '~', ' ', '\\');
    const name = fc
      .oneof(fc.string({ unit: character, minLength: 1 }), fc.string({ unit: character, minLength: 40, maxLength: 256 }))
      .filter(isUserName);
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(name, (each) => {
        const encoded = userInPath(each);
        assert.doesNotMatch(encoded, /^\.|\/|^$/);
        assert.ok(encoded.isWellFormed() && Buffer.byteLength(encoded) <= 200, encoded);
        assert.equal(seen.get(encoded) ?? each, each);
        seen.set(encoded, each);
      }),
      { numRuns: 2000 },
    );
    const long = ['x', 'y'].map((last) => userInPath('é'.repeat(127) + last));
    assert.equal(new Set(long).size, 2);
  });
});

describe('an account that a phone shows', () => {
  it('is cut where the name is long, and never so that no sealed file could hold it', () => {
    assert.equal(cutAccount('alice@host'), 'alice@host');
    for (const name of ['x'.repeat(256), '😀'.repeat(64), 'é'.repeat(128)]) assert.ok(isLabel(cutAccount(`${name}@${'h'.repeat(64)}`)));
  });
});

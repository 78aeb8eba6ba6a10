/** Reading a sealed file is strict: each rule of the format has a case that breaks it alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  MAX_KDF_LANES,
  MAX_KDF_MEMORY_KIB,
  MAX_KDF_PASSES,
  MIN_KDF_MEMORY_KIB,
  MIN_KDF_PASSES,
  MAX_SEALED_FILE_BYTES,
  parseSealedFile,
  printSealedFile,
  type SealedHeader,
} from '../../src/seal/file.ts';
import { edited, HOST_HEADER, PASSPHRASE_HEADER, sealed } from './sealed.ts';

const GOOD = Buffer.from(printSealedFile(sealed(PASSPHRASE_HEADER))).toString();
/** Safe on any terminal. */
const PRINTABLE = /^\P{Cc}+$/u;

function refuses(text: string | Uint8Array, why: RegExp): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  assert.throws(() => parseSealedFile(bytes), { name: 'NotpError', code: 'bad_secret_file', message: why });
  assert.throws(() => parseSealedFile(bytes), { message: PRINTABLE });
}

/** The passphrase-sealed file with these keys of its "seal" replaced. */
const withSeal = (more: object): string =>
  edited(PASSPHRASE_HEADER, (file) => ({ ...file, seal: { ...(file['seal'] as object), ...more } }));
const withField = (more: object, header: SealedHeader = PASSPHRASE_HEADER): string => edited(header, (file) => ({ ...file, ...more }));

function without(key: string): string {
  return edited(PASSPHRASE_HEADER, (file) => Object.fromEntries(Object.entries(file).filter(([name]) => name !== key)));
}

describe('as a whole', () => {
  it('a printed file is read as it was', () => {
    for (const header of [HOST_HEADER, PASSPHRASE_HEADER])
      assert.deepEqual(parseSealedFile(printSealedFile(sealed(header))), sealed(header));
  });

  const wholes: readonly (readonly [what: string, text: string | Uint8Array, why: RegExp])[] = [
    ['nothing', '', /the file is empty/],
    ['one byte over 16 KiB', Buffer.alloc(MAX_SEALED_FILE_BYTES + 1, ' '), /over 16 KiB/],
    ['16 KiB of blanks', Buffer.alloc(MAX_SEALED_FILE_BYTES, ' '), /not JSON/],
    ['brackets alone, which once exhausted the stack', '['.repeat(8192) + ']'.repeat(8192), /not JSON/],
    ['NUL bytes', Buffer.alloc(100), /not JSON/],
    ['NUL after the end', `${GOOD}\0`, /not JSON/],
    ['a byte-order mark', `\ufeff${GOOD}`, /not JSON/],
    ['CRLF line ends', GOOD.replaceAll('\n', '\r\n'), /not in the exact form that notp writes/],
    ['no newline at its end', GOOD.trimEnd(), /not in the exact form that notp writes/],
    ['two newlines at its end', `${GOOD}\n`, /not in the exact form that notp writes/],
    ['other indentation', GOOD.replaceAll('  ', '\t'), /not in the exact form that notp writes/],
    ['an escape where none is needed', GOOD.replace('alice', '\\u0061lice'), /not in the exact form that notp writes/],
    ['a key twice', GOOD.replace('  "user"', '  "user": "mallory",\n  "user"'), /not in the exact form that notp writes/],
    [
      'a key twice inside the seal',
      GOOD.replace('    "m": 16384', '    "m": 16384,\n    "m": 16384'),
      /not in the exact form that notp writes/,
    ],
    ['a number in another form', GOOD.replace('"m": 16384', '"m": 16384.0'), /not in the exact form that notp writes/],
    ['two objects', GOOD + GOOD, /not JSON/],
    ['a list', '[]', /not a JSON object/],
    ['null', 'null', /not a JSON object/],
    ['a string', '"sealed/1"', /not a JSON object/],
    ['text that is not UTF-8', Buffer.concat([Buffer.from(GOOD.slice(0, 60)), Buffer.of(0xff), Buffer.from(GOOD.slice(61))]), /./],
  ];
  for (const [what, text, why] of wholes) {
    it(`${what} is no sealed file`, () => {
      refuses(text, why);
    });
  }
});

describe('the keys', () => {
  for (const key of ['notp', 'id', 'user', 'context', 'created', 'seal', 'nonce', 'ciphertext']) {
    it(`"${key}" must be there, once, and of its type`, () => {
      refuses(without(key), new RegExp(`lacks "${key}"`));
      for (const value of [null, 1, true, [], {}, '']) refuses(withField({ [key]: value }), new RegExp(`"${key}"|"seal"`));
    });
  }

  it('are all known', () => {
    refuses(withField({ more: 1 }), /the file has an unknown key "more"/);
    refuses(withField({ 'a\u001b': 1 }), /unknown key "a\\u001b"/);
    refuses(GOOD.replace('{', '{\n  "__proto__": {},'), /unknown key "__proto__"/);
    refuses(withSeal({ more: 1 }), /"seal" has an unknown key "more"/);
    refuses(withField({ seal: { kind: 'host', key: '0'.repeat(16), m: 8 } }), /"seal" has an unknown key "m"/);
  });

  const values: readonly (readonly [what: string, fields: object, why: RegExp])[] = [
    ['a format of the future', { notp: 'sealed/2' }, /"notp" must be one of sealed\/1/],
    ['an id in capitals', { id: 'A'.repeat(32) }, /"id" is malformed/],
    ['an id that is too short', { id: 'a'.repeat(31) }, /"id" is malformed/],
    ['an id with a newline at its end', { id: `${'a'.repeat(32)}\n` }, /"id" is malformed/],
    ['a user with a control character', { user: 'mal\u0007lory' }, /"user" is not a user name/],
    ['a context that is a path', { context: '../ssh' }, /"context" is not a context name/],
    ['a date with a zone', { created: '2026-11-23T17:00:00+01:00' }, /"created" is malformed/],
    ['a nonce of 23 bytes', { nonce: Buffer.alloc(23).toString('base64') }, /"nonce" has the wrong length/],
    ['a nonce of 25 bytes', { nonce: Buffer.alloc(25).toString('base64') }, /"nonce" has the wrong length/],
    ['base64 with a blank', { nonce: ` ${Buffer.alloc(24).toString('base64')}` }, /"nonce" is not canonical base64/],
    ['base64 of the URL kind', { nonce: Buffer.alloc(24, 255).toString('base64url') }, /"nonce" is not canonical base64/],
    [
      'base64 without padding',
      { ciphertext: Buffer.alloc(17).toString('base64').replace(/=+$/, '') },
      /"ciphertext" is not canonical base64/,
    ],
    ['base64 with bits left over', { ciphertext: `${'A'.repeat(22)}B=` }, /"ciphertext" is not canonical base64/],
    ['a ciphertext shorter than its tag', { ciphertext: Buffer.alloc(15).toString('base64') }, /"ciphertext" has the wrong length/],
  ];
  for (const [what, fields, why] of values) {
    it(`hold no ${what.replace(/^an? /, '')}`, () => {
      refuses(withField(fields), why);
    });
  }
});

describe('the seal', () => {
  for (const key of ['kdf', 'm', 't', 'p', 'salt']) {
    it(`of a passphrase has "${key}"`, () => {
      refuses(withSeal({ [key]: undefined }), new RegExp(`"seal" lacks "${key}"`));
      for (const value of [null, 1.5, -1, '1', [], Number.MAX_SAFE_INTEGER]) refuses(withSeal({ [key]: value }), new RegExp(`"${key}"`));
    });
  }

  it('may cost as much as the caps, and not one more', () => {
    const most = [{ m: MAX_KDF_MEMORY_KIB }, { t: MAX_KDF_PASSES }, { p: MAX_KDF_LANES }];
    for (const cost of most) assert.equal(parseSealedFile(Buffer.from(withSeal(cost))).user, 'alice');
    refuses(withSeal({ m: MAX_KDF_MEMORY_KIB + 1 }), /"m" must be a whole number from 16384 to 131072/);
    refuses(withSeal({ t: MAX_KDF_PASSES + 1 }), /"t" must be a whole number from 2 to 6/);
    refuses(withSeal({ p: MAX_KDF_LANES + 1 }), /"p" must be a whole number from 1 to 8/);
  });

  it('that costs less than the floor is refused: nobody guesses at it cheaply', () => {
    const least = { m: MIN_KDF_MEMORY_KIB, t: MIN_KDF_PASSES };
    assert.equal(parseSealedFile(Buffer.from(withSeal(least))).user, 'alice');
    refuses(withSeal({ m: MIN_KDF_MEMORY_KIB - 1 }), /"m" must be a whole number from 16384 /);
    refuses(withSeal({ t: MIN_KDF_PASSES - 1 }), /"t" must be a whole number from 2 /);
    refuses(withSeal({ m: 8, t: 1, p: 1 }), /"m"/);
    refuses(withSeal({ p: 0 }), /"p"/);
  });

  const seals: readonly (readonly [what: string, seal: unknown, why: RegExp])[] = [
    ['of an unknown kind', { kind: 'tpm', kdf: 'argon2id', m: 8, t: 1, p: 1, salt: '' }, /"kind" must be one of passphrase, host/],
    ['without a kind', { key: '0'.repeat(16) }, /"seal" lacks "kind"/],
    ['of a host without its key id', { kind: 'host' }, /"seal" lacks "key"/],
    ['of a host with a key id that is none', { kind: 'host', key: '../../etc' }, /"key" is malformed/],
    ['as a list', ['host'], /"seal" is not a JSON object/],
  ];
  for (const [what, seal, why] of seals) {
    it(`${what} is refused`, () => {
      refuses(withField({ seal }), why);
    });
  }

  it('of a passphrase is Argon2id with a salt of 16 bytes', () => {
    refuses(withSeal({ kdf: 'scrypt' }), /"kdf" must be one of argon2id/);
    for (const length of [0, 15, 17]) refuses(withSeal({ salt: Buffer.alloc(length).toString('base64') }), /"salt" has the wrong length/);
  });
});

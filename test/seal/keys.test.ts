/** The keys of the seals are those of the standards, and whoever derives them gets the same. */
import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import { describe, it } from 'node:test';
import { hkdf as nobleHkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import * as fc from 'fast-check';
import type { PassphraseSeal } from '../../src/seal/file.ts';
import {
  auditKey,
  DEFAULT_KDF,
  hostKeyId,
  hostSealKey,
  keyedMark,
  KEY_BYTES,
  nobleArgon2id,
  nodeArgon2id,
  passphraseKey,
  rowKey,
  rowMac,
} from '../../src/seal/keys.ts';

const ID = '00112233445566778899aabbccddeeff';
const cheap = (salt: Uint8Array, more: Partial<PassphraseSeal> = {}): PassphraseSeal => ({
  kind: 'passphrase',
  m: 8,
  t: 1,
  p: 1,
  salt,
  ...more,
});
const SALT = new Uint8Array(16).fill(7);

/** HKDF-SHA256 by noble, where notp has OpenSSL's. */
function hkdf(key: Uint8Array, salt: Uint8Array, info: string, length: number): Buffer {
  return Buffer.from(nobleHkdf(sha256, key, salt, Buffer.from(info), length));
}

/** HMAC-SHA256 by noble, in hex. */
function mac(key: Uint8Array, bytes: Uint8Array): string {
  return Buffer.from(hmac(sha256, key, bytes)).toString('hex');
}

describe('the key of a passphrase', () => {
  it("is the same by Node's Argon2id and by noble's, for any passphrase, salt and cost", () => {
    const costs = fc.record({
      t: fc.integer({ min: 1, max: 3 }),
      p: fc.integer({ min: 1, max: 2 }),
      extra: fc.integer({ min: 0, max: 24 }),
    });
    const salts = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), salts, costs, (passphrase, salt, { t, p, extra }) => {
        const seal = cheap(salt, { t, p, m: 8 * p + extra });
        const bytes = Buffer.from(passphrase);
        assert.deepEqual(Buffer.from(nodeArgon2id(bytes, seal)), Buffer.from(nobleArgon2id(bytes, seal)));
      }),
      { numRuns: 50 },
    );
  });

  it("is the same by both at the cost of a new enrolment, and one's own is what is used", () => {
    const seal = cheap(SALT, DEFAULT_KDF);
    const key = passphraseKey('correct horse', seal);
    assert.equal(key.length, KEY_BYTES);
    assert.deepEqual(Buffer.from(nobleArgon2id(Buffer.from('correct horse'), seal)), Buffer.from(key));
  });

  it('is the same where Node has no Argon2id', () => {
    const seal = cheap(SALT);
    const key = passphraseKey('x', seal);
    const builtin = process.getBuiltinModule('node:crypto') as { argon2Sync: unknown };
    const { argon2Sync } = builtin;
    try {
      builtin.argon2Sync = undefined;
      syncBuiltinESMExports();
      assert.throws(() => nodeArgon2id(Buffer.from('x'), seal), TypeError);
      assert.deepEqual(passphraseKey('x', seal), key);
    } finally {
      builtin.argon2Sync = argon2Sync;
      syncBuiltinESMExports();
    }
  });

  it('does not depend on how the keyboard composes an accent', () => {
    assert.deepEqual(passphraseKey('caf\u00e9', cheap(SALT)), passphraseKey('cafe\u0301', cheap(SALT)));
    assert.notDeepEqual(passphraseKey('cafe', cheap(SALT)), passphraseKey('caf\u00e9', cheap(SALT)));
  });

  it('depends on each of passphrase, salt and cost', () => {
    const seals = [cheap(SALT), cheap(SALT.with(0, 8)), cheap(SALT, { m: 9 }), cheap(SALT, { t: 2 }), cheap(SALT, { p: 2, m: 16 })];
    const keys = [...seals.map((seal) => passphraseKey('x', seal)), passphraseKey('y', cheap(SALT)), passphraseKey('', cheap(SALT))];
    assert.equal(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size, keys.length);
  });
});

describe('the keys that come from a host key', () => {
  const hostKey = new Uint8Array(32).fill(3);

  it("are HKDF-SHA256 as noble computes it, with the file's id as salt", () => {
    const none = new Uint8Array();
    assert.deepEqual(Buffer.from(hostSealKey(hostKey, ID)), hkdf(hostKey, Buffer.from(ID, 'hex'), 'notp host seal/1', 32));
    assert.equal(hostKeyId(hostKey), hkdf(hostKey, none, 'notp host key id/1', 8).toString('hex'));
    assert.deepEqual(Buffer.from(auditKey(hostKey)), hkdf(hostKey, none, 'notp audit chain/1', 32));
  });

  it('are different for each file, host key and purpose', () => {
    const other = hostKey.with(0, 4);
    const keys = [
      hostSealKey(hostKey, ID),
      hostSealKey(hostKey, ID.replace('0', '1')),
      hostSealKey(other, ID),
      auditKey(hostKey),
      auditKey(other),
    ];
    assert.equal(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size, keys.length);
    assert.notEqual(hostKeyId(hostKey), hostKeyId(other));
  });
});

describe('the MAC of a row of the store', () => {
  it('is HMAC-SHA256 by a key of HKDF, as noble computes them', () => {
    const hostKey = new Uint8Array(32).fill(7);
    const key = rowKey(hostKey);
    assert.deepEqual(Buffer.from(key), hkdf(hostKey, new Uint8Array(), 'notp store rows/1', KEY_BYTES));
    const row = Buffer.from('a row');
    assert.equal(rowMac(key, row), mac(key, row));
  });
});

describe('the mark of a secret', () => {
  it('is eight bytes of HMAC-SHA256 by a key of HKDF, as noble computes them, of one key', () => {
    const [hostKey, what] = [new Uint8Array(32).fill(7), Buffer.from('what')];
    const mark = keyedMark(hostKey, what);
    assert.equal(mark, mac(hkdf(hostKey, new Uint8Array(), 'notp mark/1', KEY_BYTES), what).slice(0, 16));
    assert.equal(new Set([mark, keyedMark(hostKey.with(0, 4), what), keyedMark(hostKey, Buffer.from('What'))]).size, 3);
  });
});

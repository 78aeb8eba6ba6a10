/** What phones show when they transfer accounts is read as it was meant, and no part of it is lost silently. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import * as fc from 'fast-check';
import { toBase32 } from '../../src/otp/code.ts';
import { parseMigrationUri } from '../../src/otp/otpauth-migration.ts';
import type { Credential } from '../../src/otp/uri.ts';
import { MAX_LABEL_CHARACTERS } from '../../src/otp/names.ts';
import { assertRefuses, credentials } from './credentials.ts';
import { uriOf, write, type Written } from './otpauth-migration-writer.ts';

const SECRET = new Uint8Array(20).fill(7);

function read(account: Written): Credential | undefined {
  return parseMigrationUri(uriOf(write([{ secret: SECRET, name: 'alice', ...account }]))).credentials[0];
}

describe('an account of a transfer', () => {
  it('is a TOTP secret of the usual parameters where it says no other', () => {
    const usual = { type: 'totp', secret: SECRET, algorithm: 'SHA1', digits: 6, periodSeconds: 30, issuer: '', account: 'alice' };
    assert.deepEqual(read({}), usual);
    assert.deepEqual(read({ algorithm: 0, digits: 0, type: 0 }), usual);
    assert.deepEqual(read({ algorithm: 1, digits: 1, type: 2 }), usual);
  });

  it('has the algorithm and the number of digits that it says', () => {
    assert.equal(read({ algorithm: 2 })?.algorithm, 'SHA256');
    assert.equal(read({ algorithm: 3 })?.algorithm, 'SHA512');
    assert.equal(read({ digits: 2 })?.digits, 8);
  });

  it('may be counted, from any counter on', () => {
    const counted = { type: 'hotp', secret: SECRET, algorithm: 'SHA1', digits: 6, issuer: '', account: 'alice' };
    assert.deepEqual(read({ type: 1 }), { ...counted, counter: 0 });
    for (const counter of [41, Number.MAX_SAFE_INTEGER]) assert.deepEqual(read({ type: 1, counter }), { ...counted, counter });
    for (const counter of [-1, 2n ** 53n, 2n ** 63n - 1n])
      assertRefuses(() => read({ type: 1, counter }), /a number in it is out of range/);
  });

  const names: readonly (readonly [name: string, issuer: string | undefined, read: readonly [issuer: string, account: string]])[] = [
    ['alice', undefined, ['', 'alice']],
    ['alice', 'Example', ['Example', 'alice']],
    ['Example:alice', 'Example', ['Example', 'alice']],
    ['Example: alice', 'Example', ['Example', 'alice']],
    ['Example:alice', undefined, ['Example', 'alice']],
    ['Other:alice', 'Example', ['Example', 'Other:alice']],
    ['a:b:c', undefined, ['a', 'b:c']],
    ['a:b:c', 'a:b', ['a:b', 'c']],
    [' Bücher & Söhne : 世界 😀 ', undefined, ['Bücher & Söhne', '世界 😀']],
    ['', '', ['', '']],
  ];
  for (const [name, issuer, [wantedIssuer, wantedAccount]] of names) {
    it(`named ${JSON.stringify(name)} of ${JSON.stringify(issuer ?? 'nobody')} is ${wantedAccount} of ${wantedIssuer}`, () => {
      const found = read({ name, ...(issuer === undefined ? {} : { issuer }) });
      assert.deepEqual([found?.issuer, found?.account], [wantedIssuer, wantedAccount]);
    });
  }

  it('that makes its codes in a way that notp does not know is refused, and named', () => {
    for (const wrong of [{ algorithm: 4 }, { algorithm: 9 }, { digits: 3 }, { type: 3 }])
      assertRefuses(() => read(wrong), /account 1 \("alice"\) uses an unsupported algorithm, number of digits or type/, toBase32(SECRET));
    for (const wrong of [{ algorithm: -1 }, { digits: -1 }, { type: -1 }]) assertRefuses(() => read(wrong), /out of range/);
    const two = [
      { secret: SECRET, name: 'first' },
      { secret: SECRET, name: 'MD5\u202e', algorithm: 4 },
    ];
    assertRefuses(() => parseMigrationUri(uriOf(write(two))), /account 2 \("MD5\\u202e"\) uses an unsupported algorithm/);
  });

  it('without a secret, or with one of the wrong length, is refused', () => {
    for (const length of [0, 9, 129])
      assertRefuses(() => read({ secret: new Uint8Array(length) }), /account 1 \("alice"\) has a secret that is too short or too long/);
    assertRefuses(() => parseMigrationUri(uriOf(write([{ name: 'alice' }]))), /too short or too long/);
    assert.equal(read({ secret: new Uint8Array(10) })?.secret.length, 10);
  });

  it('with a name that cannot be kept is refused', () => {
    const long = 'x'.repeat(MAX_LABEL_CHARACTERS + 1);
    for (const wrong of [{ name: 'a\nb' }, { name: long }, { issuer: 'a\u0000' }, { issuer: long }])
      assertRefuses(() => read(wrong), /account 1 has a name that is too long or holds control characters/);
  });
});

describe('a transfer', () => {
  it('of several accounts gives all of them, in their order', () => {
    const written = Array.from({ length: 12 }, (_, i) => ({ secret: new Uint8Array(16).fill(i), name: `user${i}`, issuer: 'Example' }));
    const { credentials: found, part, parts } = parseMigrationUri(uriOf(write(written, { 2: 1, 3: 4, 4: 2, 5: 99 })));
    assert.deepEqual(
      found.map(({ account, secret }) => [account, secret[0]]),
      written.map(({ name, secret }) => [name, secret[0]]),
    );
    assert.deepEqual([part, parts], [2, 4]);
  });

  it('gives whatever accounts were written', () => {
    const writable = credentials.filter(({ issuer, account, digits }) => !issuer.includes(':') && account !== '' && digits !== 7);
    fc.assert(
      fc.property(fc.array(writable, { minLength: 1, maxLength: 4 }), (all) => {
        assert.deepEqual(parseMigrationUri(uriOf(write(all.map(writtenOf)))).credentials, all.map(withUsualPeriod));
      }),
    );
  });

  it('passes over fields that it does not know, whatever their type', () => {
    const more = new BinaryWriter();
    more.tag(9, WireType.Varint).int32(1).tag(10, WireType.LengthDelimited).string('new').tag(11, WireType.Bit32).fixed32(1);
    more.tag(12, WireType.Bit64).fixed64('1');
    const message = Buffer.concat([more.finish(), write([{ secret: SECRET, name: 'alice' }])]);
    assert.equal(parseMigrationUri(uriOf(message)).credentials[0]?.account, 'alice');
  });

  it('without an account is refused', () => {
    assertRefuses(() => parseMigrationUri(uriOf(write([]))), /it holds no account/);
  });

  it('of a hundred thousand broken accounts is refused soon', { timeout: 20_000 }, () => {
    assertRefuses(() => parseMigrationUri(uriOf(write(Array.from({ length: 100_000 }, () => ({}))))), /account 1 /);
  });
});

function writtenOf(credential: Credential): Written {
  const { secret, issuer, account, algorithm, digits } = credential;
  const numbers = { algorithm: { SHA1: 1, SHA256: 2, SHA512: 3 }[algorithm], digits: digits === 8 ? 2 : 1 };
  const moving = credential.type === 'hotp' ? { type: 1, counter: credential.counter } : { type: 2 };
  return { secret, name: issuer === '' ? `:${account}` : `${issuer}:${account}`, issuer, ...numbers, ...moving };
}

function withUsualPeriod(credential: Credential): Credential {
  return credential.type === 'totp' ? { ...credential, periodSeconds: 30 } : credential;
}

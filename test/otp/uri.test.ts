/** otpauth URIs hold every parameter and every name, however it is written, and read back the same. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { fromBase32, toBase32 } from '../../src/otp/code.ts';
import {
  withoutSecret,
  groupedKey,
  haveSameSecret,
  kindOf,
  movingFactorOf,
  otpauthUri,
  parseOtpauthUri,
  shortUri,
  type CredentialNames,
  type Credential,
  type HotpCredential,
} from '../../src/otp/uri.ts';
import { isLabel, MAX_LABEL_CHARACTERS } from '../../src/otp/names.ts';
import { assertRefuses, credentials, names as anyName } from './credentials.ts';

const SECRET = fromBase32('HSBRGZRKZDRLBVEYHSBRGZRKZDRLBVEY');

function usual(names: CredentialNames): Credential {
  return { type: 'totp', secret: SECRET, algorithm: 'SHA1', digits: 6, periodSeconds: 30, ...names };
}

/** Reads a URI as a phone does: decodeURIComponent over each part, "+" left as it is. */
function read(uri: string): { label: string; parameters: Record<string, string> } {
  const [, label = '', query = ''] = /^otpauth:\/\/[th]otp\/([^?]*)\?(.*)$/.exec(uri) ?? [];
  const pairs = query.split('&').map((pair) => pair.split('=').map(decodeURIComponent) as [string, string]);
  assert.equal(new Set(pairs.map(([key]) => key)).size, pairs.length, 'a parameter is there twice');
  return { label: decodeURIComponent(label), parameters: Object.fromEntries(pairs) };
}

describe('the description of a credential', () => {
  it('has its parameters under the names of the URI, and never the secret', () => {
    fc.assert(
      fc.property(credentials, (credential) => {
        const { secret, issuer, ...found } = read(otpauthUri({ ...credential, issuer: 'bank', account: 'alice' })).parameters;
        assert.ok(secret !== undefined && issuer === 'bank');
        const { type, account, ...rest } = { ...withoutSecret({ ...credential, issuer: 'bank', account: 'alice' }) } as Record<
          string,
          unknown
        >;
        assert.deepEqual([type, account], [credential.type, 'alice']);
        assert.deepEqual(Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, String(value)])), { issuer, ...found });
      }),
    );
  });
});

describe('an otpauth URI', () => {
  it('spells out algorithm, digits and period also where they are the usual ones', () => {
    assert.equal(
      otpauthUri(usual({ issuer: 'bastion', account: 'alice' })),
      'otpauth://totp/bastion:alice?secret=HSBRGZRKZDRLBVEYHSBRGZRKZDRLBVEY&issuer=bastion&algorithm=SHA1&digits=6&period=30',
    );
  });

  it('of a counted secret spells out its counter, also where that is 0', () => {
    const { periodSeconds, ...rest } = { periodSeconds: 0, ...usual({ issuer: 'bank', account: 'alice' }) };
    assert.equal(periodSeconds, 30);
    const counted: HotpCredential = { ...rest, type: 'hotp', counter: 0 };
    assert.equal(
      otpauthUri(counted),
      'otpauth://hotp/bank:alice?secret=HSBRGZRKZDRLBVEYHSBRGZRKZDRLBVEY&issuer=bank&algorithm=SHA1&digits=6&counter=0',
    );
  });

  it('holds whatever secret and parameters it was made of', () => {
    fc.assert(
      fc.property(credentials, (credential) => {
        const { secret, algorithm, digits, ...found } = read(otpauthUri(credential)).parameters;
        assert.deepEqual([secret, algorithm, digits], [toBase32(credential.secret), credential.algorithm, String(credential.digits)]);
        if (credential.type === 'totp') assert.equal(found['period'], String(credential.periodSeconds));
        else assert.equal(found['counter'], String(credential.counter));
      }),
    );
  });

  it('reads back the same, whatever is in it', () => {
    fc.assert(
      fc.property(credentials, (credential) => {
        assert.deepEqual(parseOtpauthUri(otpauthUri(credential)), credential);
      }),
      { numRuns: 1000 },
    );
  });

  const names = [
    'with blanks in it',
    'Smith & Sons',
    'a+b',
    '100%',
    'a=b?c#d',
    'a/b',
    'Bücher',
    '世界 😀',
    '"quoted"',
    '%41',
    "it's",
    '..',
    '.',
    'host:22',
    ':',
    'a: b',
    'alice@[::1]',
  ];
  for (const name of names) {
    it(`brings ${JSON.stringify(name)} to the phone as issuer and as account, and back`, () => {
      for (const issuer of [name, '', 'i']) {
        for (const account of [name, '', 'a']) {
          const uri = otpauthUri(usual({ issuer, account }));
          const { label, parameters } = read(uri);
          assert.equal(label, issuer === '' ? account : `${issuer}:${account}`);
          assert.equal(parameters['issuer'] ?? '', issuer);
          assert.deepEqual(parseOtpauthUri(uri), usual({ issuer, account }));
        }
      }
    });
  }

  it('has no issuer where none was given, unless the account would be taken for one', () => {
    assert.equal('issuer' in read(otpauthUri(usual({ issuer: '', account: 'alice' }))).parameters, false);
    assert.equal(read(otpauthUri(usual({ issuer: '', account: 'alice:1' }))).parameters['issuer'], '');
  });

  it('is ASCII without blanks, whatever the names are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (issuer, account) => {
        assert.match(otpauthUri(usual({ issuer, account })), /^otpauth:\/\/totp\/[!-~]*$/);
      }),
    );
  });

  it('survives half a surrogate pair, which cannot be percent-encoded', () => {
    assert.equal(read(otpauthUri(usual({ issuer: '', account: 'a\ud800' }))).label, 'a\ufffd');
    assert.equal(parseOtpauthUri(otpauthUri(usual({ issuer: '\udc00', account: 'a' }))).issuer, '\ufffd');
  });

  it('is not written where it would be too long to be read again', () => {
    const long = 'é'.repeat(MAX_LABEL_CHARACTERS);
    assert.equal(isLabel(long), true);
    assertRefuses(() => otpauthUri(usual({ issuer: long, account: long })), /too long for an otpauth URI/, toBase32(SECRET));
    assertRefuses(() => otpauthUri(usual({ issuer: 'x'.repeat(256), account: 'y'.repeat(256) })), /too long for an otpauth URI/);
    const longest = usual({ issuer: 'x'.repeat(256), account: 'y'.repeat(255) });
    assert.deepEqual(parseOtpauthUri(otpauthUri(longest)), longest);
  });
});

describe('the short URI for a QR code on a screen', () => {
  it('leaves out what is usual, and tells the issuer once', () => {
    assert.equal(
      shortUri(usual({ issuer: 'bastion', account: 'alice@bastion' })),
      'otpauth://totp/bastion:alice@bastion?secret=HSBRGZRKZDRLBVEYHSBRGZRKZDRLBVEY',
    );
    assert.equal(
      shortUri({ ...usual({ issuer: 'a:b', account: '&digits=6' }), digits: 8 }),
      'otpauth://totp/a:b:%26digits%3D6?secret=HSBRGZRKZDRLBVEYHSBRGZRKZDRLBVEY&issuer=a%3Ab&digits=8',
    );
  });

  it('means the same as the whole one, whatever is in it', () => {
    fc.assert(
      fc.property(credentials, (credential) => {
        assert.deepEqual(parseOtpauthUri(shortUri(credential)), parseOtpauthUri(otpauthUri(credential)));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the kind of a secret', () => {
  it('is the same where the codes are, and another for another algorithm, length, period or counter', () => {
    const totp = { type: 'totp', secret: SECRET, algorithm: 'SHA1', digits: 6, periodSeconds: 30, issuer: '', account: '' } as const;
    assert.equal(kindOf(totp), kindOf({ ...totp, secret: SECRET.with(0, 1), issuer: 'x' }));
    const hotp: HotpCredential = { ...totp, type: 'hotp', counter: 3 };
    const later: HotpCredential = { ...hotp, counter: 4 };
    assert.equal(kindOf(hotp), kindOf(later));
    const others = [totp, hotp, { ...totp, algorithm: 'SHA256' }, { ...totp, digits: 8 }, { ...totp, periodSeconds: 60 }] as const;
    assert.equal(new Set(others.map(kindOf)).size, others.length);
    assert.deepEqual(others.map(movingFactorOf), ['totp 30', 'hotp', 'totp 30', 'totp 30', 'totp 60']);
    assert.deepEqual(
      [SECRET, SECRET.with(0, 1), SECRET.slice(1)].map((secret) => haveSameSecret(hotp, { secret })),
      [true, false, false],
    );
  });
});

describe('a name', () => {
  it('may hold anything but control characters, and has a length', () => {
    assert.equal(isLabel('x'.repeat(MAX_LABEL_CHARACTERS)), true);
    assert.equal(isLabel('x'.repeat(MAX_LABEL_CHARACTERS + 1)), false);
    for (const name of ['a\nb', '\u0000', '\u007f', '\u009b31m', '\u001b']) assert.equal(isLabel(name), false);
    fc.assert(fc.property(anyName, isLabel));
  });
});

describe('the key to type', () => {
  it('is base32 in groups of four', () => {
    assert.equal(groupedKey(SECRET), 'HSBR GZRK ZDRL BVEY HSBR GZRK ZDRL BVEY');
    assert.equal(groupedKey(Uint8Array.of(1, 2, 3)), 'AEBA G');
    assert.equal(groupedKey(new Uint8Array()), '');
  });
});

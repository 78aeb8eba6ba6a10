/** otpauth URIs are read as the services and apps write them, and a wrong one is refused without telling its secret. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { toBase32, type CodeParameters } from '../../src/otp/code.ts';
import { parseOtpauthUri } from '../../src/otp/uri.ts';
import { MAX_LABEL_CHARACTERS } from '../../src/otp/names.ts';
import { assertRefuses } from './credentials.ts';

const SECRET = 'JBSWY3DPEHPK3PXP';
const LONGER = 'KRUGKIDROVUWG2ZAMJZG653OEBTG66BANJ2W24DT';

interface Read {
  readonly issuer: string;
  readonly account: string;
  readonly secret?: string;
  readonly parameters?: Partial<CodeParameters>;
}

const WRITTEN: readonly (readonly [by: string, uri: string, read: Read])[] = [
  ['Google', `otpauth://totp/Google%3Aalice%40gmail.com?secret=${SECRET}&issuer=Google`, { issuer: 'Google', account: 'alice@gmail.com' }],
  ['Google Authenticator', `otpauth://totp/Google:alice?secret=${SECRET}`, { issuer: 'Google', account: 'alice' }],
  [
    'the Key URI Format itself',
    `otpauth://totp/ACME%20Co:john.doe@email.com?secret=${LONGER}&issuer=ACME%20Co&algorithm=SHA1&digits=6&period=30`,
    { issuer: 'ACME Co', account: 'john.doe@email.com', secret: LONGER },
  ],
  [
    'Microsoft',
    `otpauth://totp/Microsoft%20Entra%20ID:alice%40contoso.com?secret=${SECRET.toLowerCase()}&issuer=Microsoft%20Entra%20ID`,
    { issuer: 'Microsoft Entra ID', account: 'alice@contoso.com' },
  ],
  ['GitHub', `otpauth://totp/GitHub:alice?secret=${SECRET}&issuer=GitHub`, { issuer: 'GitHub', account: 'alice' }],
  [
    'Aegis',
    `otpauth://totp/Issuer%3Aname?period=60&digits=8&algorithm=SHA256&secret=${SECRET}&issuer=Issuer`,
    { issuer: 'Issuer', account: 'name', parameters: { algorithm: 'SHA256', digits: 8, periodSeconds: 60 } },
  ],
  [
    'FreeOTP',
    `otpauth://totp/Issuer:name?secret=${SECRET}&algorithm=SHA512&digits=6&period=30&lock=false&image=https%3A%2F%2Fexample.org%2Fa.png`,
    { issuer: 'Issuer', account: 'name', parameters: { algorithm: 'SHA512' } },
  ],
  [
    'Bitwarden',
    `otpauth://totp/alice%40example.org?secret=${SECRET}&issuer=Example&algorithm=SHA1&digits=7&period=15`,
    { issuer: 'Example', account: 'alice@example.org', parameters: { digits: 7, periodSeconds: 15 } },
  ],
  [
    'AWS',
    `otpauth://totp/Amazon%20Web%20Services:root-account-mfa-device@123456789012?secret=${LONGER}${LONGER}&issuer=Amazon%20Web%20Services`,
    { issuer: 'Amazon Web Services', account: 'root-account-mfa-device@123456789012', secret: LONGER + LONGER },
  ],
  [
    'Dropbox',
    `otpauth://totp/Dropbox:alice%40example.org?secret=${SECRET}&issuer=Dropbox`,
    { issuer: 'Dropbox', account: 'alice@example.org' },
  ],
  [
    'a web form, with "+" for blanks',
    `otpauth://totp/Big+Corp:alice+x?secret=JBSW+Y3DP+EHPK+3PXP&issuer=Big+Corp`,
    { issuer: 'Big Corp', account: 'alice+x' },
  ],
  [
    'somebody in capitals',
    `OTPAUTH://TOTP/BANK:ALICE?SECRET=${SECRET}&ISSUER=BANK&ALGORITHM=SHA1&DIGITS=6&PERIOD=30`,
    { issuer: 'BANK', account: 'ALICE' },
  ],
  [
    'somebody with a blank after the colon',
    `otpauth://totp/Issuer:%20alice?secret=${SECRET}&issuer=Issuer`,
    { issuer: 'Issuer', account: 'alice' },
  ],
  [
    'somebody who names two issuers',
    `otpauth://totp/Old%20Name:alice?secret=${SECRET}&issuer=New+Name`,
    { issuer: 'New Name', account: 'alice' },
  ],
  ['somebody who names nothing', `otpauth://totp/?secret=${SECRET}`, { issuer: '', account: '' }],
  [
    'somebody who pads',
    `otpauth://totp/x?secret=JBSWY3DPEHPK3PXPME%3D%3D%3D%3D%3D%3D`,
    { issuer: '', account: 'x', secret: `${SECRET}ME` },
  ],
  [
    'somebody who pads in the open',
    `otpauth://totp/x?secret=JBSWY3DPEHPK3PXPME======`,
    { issuer: '', account: 'x', secret: `${SECRET}ME` },
  ],
  ['somebody with dashes in the algorithm', `otpauth://totp/x?secret=${SECRET}&algorithm=sha-1`, { issuer: '', account: 'x' }],
  ['somebody who writes an empty algorithm', `otpauth://totp/x?secret=${SECRET}&algorithm=`, { issuer: '', account: 'x' }],
];

describe('an otpauth URI is read as it is written by', () => {
  for (const [by, uri, { issuer, account, secret = SECRET, parameters = {} }] of WRITTEN) {
    it(by, () => {
      const { secret: bytes, ...rest } = parseOtpauthUri(uri);
      assert.equal(toBase32(bytes), secret);
      const usual = { type: 'totp', algorithm: 'SHA1', digits: 6, periodSeconds: 30 };
      assert.deepEqual(rest, { ...usual, ...parameters, issuer, account });
    });
  }
});

it('a URI of a counted secret has its counter, and starts at 0 where it has none', () => {
  for (const [more, counter] of [
    ['&counter=42&digits=6', 42],
    ['', 0],
    ['&period=60', 0],
  ] as const) {
    const { secret, ...rest } = parseOtpauthUri(`otpauth://hotp/Bank:alice?secret=${SECRET}&issuer=Bank${more}`);
    assert.equal(toBase32(secret), SECRET);
    assert.deepEqual(rest, { type: 'hotp', algorithm: 'SHA1', digits: 6, issuer: 'Bank', account: 'alice', counter });
  }
});

const S = `secret=${SECRET}`;
const WRONG: readonly (readonly [what: string, uri: string, why: RegExp])[] = [
  ['of Steam, whose codes are letters', `otpauth://steam/Steam:alice?${S}&issuer=Steam`, /its "type" is malformed or unsupported/],
  ['of Yandex', `otpauth://yaotp/alice?${S}`, /its "type" is malformed or unsupported/],
  ['whose type is the secret', `otpauth://${SECRET}/alice?${S}`, /its "type" is malformed or unsupported/],
  ['with MD5', `otpauth://totp/a?${S}&algorithm=MD5`, /its "algorithm" is malformed or unsupported/],
  ['with 5 digits', `otpauth://totp/a?${S}&digits=5`, /its "digits" is malformed or unsupported/],
  ['with 9 digits', `otpauth://totp/a?${S}&digits=9`, /its "digits" is malformed or unsupported/],
  ['with digits that are no number', `otpauth://totp/a?${S}&digits=six`, /its "digits" is malformed or unsupported/],
  ['with a period of 10 seconds', `otpauth://totp/a?${S}&period=10`, /its period is not from 15 to 300 seconds/],
  ['with a period of 301 seconds', `otpauth://totp/a?${S}&period=301`, /its period is not from 15 to 300 seconds/],
  ['with a period of 0', `otpauth://totp/a?${S}&period=0`, /its "period" is malformed or unsupported/],
  ['with a period that is no number', `otpauth://totp/a?${S}&period=30s`, /its "period" is malformed or unsupported/],
  ['with a counter below 0', `otpauth://hotp/a?${S}&counter=-1`, /its "counter" is malformed or unsupported/],
  ['with a counter beyond whole numbers', `otpauth://hotp/a?${S}&counter=9007199254740992`, /its "counter" is malformed or unsupported/],
  ['without a secret', 'otpauth://totp/a?issuer=b', /it has no secret/],
  ['with an empty secret', 'otpauth://totp/a?secret=', /it has no secret/],
  ['without a question mark', 'otpauth://totp/a', /it has no secret/],
  ['with a secret of 9 bytes', `otpauth://totp/a?secret=${SECRET.slice(0, 15)}`, /its secret is not base32, or is too short or too long/],
  ['with a secret of 129 bytes', `otpauth://totp/a?secret=${'A'.repeat(207)}`, /its secret is not base32, or is too short or too long/],
  ['with a secret that is no base32', `otpauth://totp/a?secret=${SECRET}01`, /its secret is not base32, or is too short or too long/],
  ['with damaged percent-encoding of the name', `otpauth://totp/a%zz?${S}`, /it is malformed or too long/],
  ['with damaged percent-encoding of the secret', `otpauth://totp/a?${S}%4`, /it is malformed or too long/],
  ['with a control character in the account', `otpauth://totp/a%1b%5B2Jb?${S}`, /control characters/],
  ['with a control character in the issuer', `otpauth://totp/a?${S}&issuer=b%0Ac`, /control characters/],
  ['with an account that is too long', `otpauth://totp/${'x'.repeat(MAX_LABEL_CHARACTERS + 1)}?${S}`, /over 256 characters/],
  ['that is too long', `otpauth://totp/a?${S}&image=${'x'.repeat(2048)}`, /it is malformed or too long/],
  ['without a type', `otpauth://?${S}`, /it is malformed or too long/],
  ['of another kind', `https://example.org/?${S}`, /it is malformed or too long/],
  ['that is empty', '', /it is malformed or too long/],
];

describe('a URI is refused, and its secret not told,', () => {
  for (const [what, uri, why] of WRONG) {
    it(`where it is one ${what}`, () => {
      assertRefuses(() => parseOtpauthUri(uri), why, SECRET);
    });
  }

  it('where what stands between the parameters is damaged: the message told the value, and the secret in it', () => {
    for (const key of ['digits', 'period', 'algorithm', 'counter'])
      for (const between of ['%26', ';', '?', '%3F', '#'])
        assertRefuses(() => parseOtpauthUri(`otpauth://totp/a?${key}=6${between}${S}`), /is malformed or unsupported/, SECRET);
  });

  it('and nothing else comes of one damaged character anywhere', () => {
    const uri = `otpauth://totp/Example:alice%40example.org?${S}&issuer=Example&algorithm=SHA256&digits=8&period=60`;
    fc.assert(
      fc.property(fc.nat(uri.length - 1), fc.string({ unit: 'binary', maxLength: 2 }), (at, wrong) => {
        const damaged = uri.slice(0, at) + wrong + uri.slice(at + 1);
        try {
          assert.ok(parseOtpauthUri(damaged).secret.length >= 10);
        } catch {
          assertRefuses(() => parseOtpauthUri(damaged), /./, SECRET);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** A secret file of google-authenticator is read as its PAM module reads it, and nothing else is taken for one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { codeAt, fromBase32, stepAt, toBase32 } from '../../src/otp/code.ts';
import { MAX_GOOGLE_AUTHENTICATOR_BYTES, parseGoogleAuthenticator } from '../../src/otp/pam-google-authenticator.ts';
import { assertRefuses } from './credentials.ts';

/** The secret and the codes of the module's own unit test. */
const SECRET = '2SH3V3GDW7ZNMGYE';
const NOW = 10_000 * 30_000;
const NAMELESS = { issuer: '', account: '', secret: fromBase32(SECRET), algorithm: 'SHA1', digits: 6 };
const TOTP = { type: 'totp', ...NAMELESS, periodSeconds: 30 };

const file = (...lines: readonly string[]): string => [SECRET, ...lines, ''].join('\n');
const parse = (...lines: readonly string[]): ReturnType<typeof parseGoogleAuthenticator> => parseGoogleAuthenticator(file(...lines), NOW);

describe('a file by the clock', () => {
  it('is read with what it remembers, and says what is not carried over', () => {
    const read = parse(
      '" RATE_LIMIT 3 30 299999990',
      '" WINDOW_SIZE 17',
      '" DISALLOW_REUSE 10001 9999 10000',
      '" TOTP_AUTH',
      '64517897',
      '32932735',
    );
    assert.deepEqual(read, {
      credential: TOTP,
      emergency: ['64517897', '32932735'],
      lastStep: 10_001,
      notes: [
        'WINDOW_SIZE 17 is not carried over: notp.toml sets the window',
        'RATE_LIMIT is not carried over: notp has its own guess budget',
      ],
    });
  });

  it("makes the codes of the module's own unit test", () => {
    const { credential } = parse('" TOTP_AUTH');
    const codes = [10_000, 10_001, 11_000, 20_000].map((step) => codeAt(credential.secret, step, credential));
    assert.deepEqual(codes, ['050548', '478726', '229713', '178844']);
  });

  it('has nothing to say where everything is as in notp', () => {
    assert.deepEqual(parse('" WINDOW_SIZE 3', '" DISALLOW_REUSE', '" TOTP_AUTH', '" RESETTING_TIME_SKEW ', '" TIME_SKEW 0').notes, []);
  });

  it('keeps its period', () => {
    assert.deepEqual(parse('" STEP_SIZE 60', '" TOTP_AUTH').credential, { ...TOTP, periodSeconds: 60 });
  });

  const notes: readonly (readonly [line: string, note: RegExp])[] = [
    ['" TIME_SKEW -4', /^TIME_SKEW -4 .*the phone's clock must be right$/],
    ['" LAST0 192.0.2.7 1795490199', /^the grace period of earlier logins/],
    ['" WINDOW_SIZE 1', /^WINDOW_SIZE 1 is not carried over/],
    ['" SOMETHING new', /^the option on line 4 is unknown and not carried over/],
  ];
  for (const [line, note] of notes)
    it(`says what becomes of ${line}`, () => {
      const read = parse('" TOTP_AUTH', '" DISALLOW_REUSE', line);
      assert.equal(read.notes.length, 1);
      assert.match(read.notes[0] ?? '', note);
    });

  it('says that codes could be used again there', () => {
    assert.deepEqual(parse('" TOTP_AUTH').notes, ['the module accepted a code more than once; notp accepts each code once']);
  });

  it('does not keep its owner out for codes that are hours ahead', () => {
    const read = parse('" TOTP_AUTH', '" DISALLOW_REUSE 10000 10050 10051');
    assert.equal(read.lastStep, 10_050);
    assert.deepEqual(read.notes, ['the codes in DISALLOW_REUSE that are far in the future are not carried over']);
  });
});

describe('a file by the counter', () => {
  const HOTP = { type: 'hotp', ...NAMELESS, counter: 7 };

  it('is read with the counter of the next code', () => {
    const read = parse('" WINDOW_SIZE 3', '" HOTP_COUNTER 7', '27329185');
    assert.deepEqual(read, { credential: HOTP, emergency: ['27329185'], lastStep: undefined, notes: [] });
  });

  it('asks for those codes alone where the clock is named too, as the module does', () => {
    const read = parse('" TOTP_AUTH', '" HOTP_COUNTER 7', '" DISALLOW_REUSE 10000', '" TIME_SKEW 2');
    assert.deepEqual([read.credential, read.lastStep], [HOTP, undefined]);
    assert.deepEqual(read.notes, ['TOTP_AUTH is not carried over: the module used HOTP_COUNTER too']);
  });

  it('does not count where its counter is 0', () => {
    assert.equal(parse('" TOTP_AUTH', '" HOTP_COUNTER 0').credential.type, 'totp');
  });
});

describe('the first line', () => {
  const ways = ['2sh3v3gdw7znmgye', '2SH3 V3GD-W7ZN\tMGYE', `${SECRET}\r`, `${SECRET}A`, ` ${SECRET} `];
  for (const way of ways)
    it(`is read as ${JSON.stringify(way)}`, () => {
      assert.deepEqual(parseGoogleAuthenticator(`${way}\n" TOTP_AUTH`, NOW).credential, TOTP);
    });

  it('may hold digits that look like letters', () => {
    const { credential } = parseGoogleAuthenticator('0181AAAAAAAAAAAA\n" TOTP_AUTH\n', NOW);
    assert.equal(toBase32(credential.secret), 'OLBLAAAAAAAAAAAA');
  });

  const wrong: readonly (readonly [what: string, line: string, why: RegExp])[] = [
    ['too short', 'HSBRGZRKZDRLBVE', /line 1: its secret has 9 bytes, but notp accepts 10 to 128$/],
    ['one byte', 'HS', /line 1: its secret has 1 bytes/],
    ['too long', 'A'.repeat(207), /line 1: its secret has 129 bytes/],
    ['empty', '', /line 1: it is not a base32 secret/],
    ['padded, which the module refuses', `${SECRET}ME======`, /line 1: it is not a base32 secret/],
    ['with a 9', 'HSBRGZRKZDRLBVE9', /line 1: it is not a base32 secret/],
    ['an option', '" TOTP_AUTH', /line 1: it is not a base32 secret/],
    ['a URI', `otpauth://totp/a?secret=${SECRET}`, /line 1: it is not a base32 secret/],
  ];
  for (const [what, line, why] of wrong)
    it(`is refused where it is ${what}`, () => {
      assertRefuses(() => parseGoogleAuthenticator(`${line}\n" TOTP_AUTH\n`, NOW), why, line === '' ? undefined : line);
    });
});

describe('a file is refused', () => {
  const wrong: readonly (readonly [what: string, lines: readonly string[], why: RegExp])[] = [
    ['that no code logs in by', ['" WINDOW_SIZE 3', '12345678'], /neither TOTP_AUTH nor a HOTP_COUNTER from 1 on$/],
    ['with steps too short', ['" TOTP_AUTH', '" STEP_SIZE 14'], /line 3: STEP_SIZE is 14, but notp accepts 15 to 300 seconds$/],
    ['with steps too long', ['" STEP_SIZE 301', '" TOTP_AUTH'], /line 2: STEP_SIZE is 301/],
    ['with a window that the module refuses', ['" TOTP_AUTH', '" WINDOW_SIZE 101'], /line 3: WINDOW_SIZE is 101/],
    ['with a counter that nobody reached', ['" HOTP_COUNTER 1099511627777'], /line 2: HOTP_COUNTER is 1099511627777/],
    ['with a counter below 0', ['" HOTP_COUNTER -1'], /line 2: the value of HOTP_COUNTER/],
    ['with a step that is none', ['" TOTP_AUTH', '" DISALLOW_REUSE 1 x'], /line 3: the value of DISALLOW_REUSE/],
    ['with a rate limit of one number', ['" TOTP_AUTH', '" RATE_LIMIT 3'], /line 3: the value of RATE_LIMIT/],
    ['with an option twice', ['" TOTP_AUTH', '" STEP_SIZE 30', '" STEP_SIZE 60'], /line 4: STEP_SIZE is there twice$/],
    ['with an option without its blank', ['"TOTP_AUTH'], /line 2: an option must be/],
    ['with a code of seven digits', ['" TOTP_AUTH', '1234567'], /line 3: it is neither/],
    ['with a code that begins with 0', ['" TOTP_AUTH', '01234567'], /line 3: it is neither/],
    ['with a blank after a code', ['" TOTP_AUTH', '12345678 '], /line 3: it is neither/],
    ['with words in it', ['" TOTP_AUTH', '12345678', 'for the printer'], /line 4: it is neither/],
    [
      'with more codes than fit',
      ['" TOTP_AUTH', ...Array.from({ length: 33 }, (_, i) => String(10_000_000 + i))],
      /more than 32 emergency codes$/,
    ],
  ];
  for (const [what, lines, why] of wrong)
    it(what, () => {
      assertRefuses(() => parse(...lines), why, SECRET);
    });

  it('that is over the cap by one character', () => {
    const whole = file('" TOTP_AUTH');
    const blank = '\n'.repeat(MAX_GOOGLE_AUTHENTICATOR_BYTES - whole.length);
    assert.equal(parseGoogleAuthenticator(whole + blank, NOW).credential.type, 'totp');
    assertRefuses(() => parseGoogleAuthenticator(`${whole}${blank}\n`, NOW), /over 64 KiB$/, SECRET);
  });
});

describe('whatever stands in a file', () => {
  const words = fc.constantFrom(
    '" ',
    '"',
    'TOTP_AUTH',
    'HOTP_COUNTER',
    'STEP_SIZE',
    'LAST3',
    'RATE_LIMIT',
    ' 30',
    ' 1',
    '12345678',
    '\n',
    '\r\n',
    '\t',
    'é',
    '\0',
  );

  it('is read, or refused without a word of it', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string({ maxLength: 4 })), { maxLength: 20 }), (parts) => {
        const text = `${SECRET}\n${parts.join('')}`;
        try {
          parseGoogleAuthenticator(text, NOW);
        } catch {
          assertRefuses(() => parseGoogleAuthenticator(text, NOW), /^this google-authenticator file cannot be used: /, SECRET);
        }
      }),
    );
  });

  it('comes out as it went in, in any order of its lines and with either line end', () => {
    const secrets = fc.uint8Array({ minLength: 10, maxLength: 128 });
    const codes = fc.uniqueArray(fc.integer({ min: 10_000_000, max: 99_999_999 }), { maxLength: 32 });
    const steps = fc.array(fc.integer({ min: 0, max: stepAt(NOW, 20) }), { minLength: 1 });
    fc.assert(
      fc.property(secrets, codes, steps, fc.constantFrom('\n', '\r\n'), fc.boolean(), (secret, emergency, spent, end, codesFirst) => {
        const options = ['" TOTP_AUTH', '" STEP_SIZE 20', `" DISALLOW_REUSE ${spent.join(' ')}`];
        const lines = codesFirst ? [...emergency, ...options] : [...options, ...emergency];
        const read = parseGoogleAuthenticator([toBase32(secret), ...lines].join(end), NOW);
        assert.deepEqual(read.credential, { ...TOTP, secret, periodSeconds: 20 });
        assert.deepEqual([read.emergency, read.lastStep, read.notes], [emergency.map(String), Math.max(...spent), []]);
      }),
    );
  });
});

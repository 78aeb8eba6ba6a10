/** Values of another type than usual were replaced by defaults without a word, and what stands beside URIs was dropped. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accountIn, entriesOf, FEW } from './written.ts';

const SECRET = 'HSBRGZRKZDRLBVEY';
const OTHER = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const URI = `otpauth://totp/GitHub:alice?secret=${SECRET}&issuer=GitHub`;
const BYTES = [60, -125, 19, 102, 42, -56, -30, -80, -44, -104];
const [ALICE] = FEW;
const MALFORMED = 'its secret is malformed, or too short or too long';

type Parameters = Readonly<Record<'digits' | 'period' | 'counter' | 'algorithm' | 'type', unknown>>;

/** Each format with one account, whose parameters are `with`. */
const FORMATS: Readonly<Record<string, (given: Partial<Parameters>) => object>> = {
  Aegis: ({ type = 'totp', algorithm = 'SHA1', ...rest }) => ({
    header: {},
    db: { entries: [{ type, name: 'alice', issuer: 'GitHub', info: { secret: SECRET, algo: algorithm, ...rest } }] },
  }),
  '2FAS': ({ type, ...rest }) => ({
    schemaVersion: 4,
    services: [{ name: 'GitHub', secret: SECRET, otp: { account: 'alice', tokenType: type, ...rest } }],
  }),
  andOTP: (given) => [{ secret: SECRET, issuer: 'GitHub', label: 'alice', ...given }] as const,
  'FreeOTP+': ({ type = 'TOTP', algorithm = 'SHA1', ...rest }) => ({
    tokens: [{ secret: BYTES, issuerExt: 'GitHub', label: 'alice', type, algo: algorithm, ...rest }],
  }),
  Stratum: ({ type = 2, algorithm = 0, digits, period, counter }) => ({
    Authenticators: [
      {
        Secret: SECRET,
        Issuer: 'GitHub',
        Username: 'alice',
        Type: type,
        Algorithm: algorithm,
        Digits: digits,
        Period: period,
        Counter: counter,
      },
    ],
  }),
};

function told(value: unknown): (string | object)[] {
  const { entries } = entriesOf(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
  return entries?.map(accountIn) ?? [];
}

for (const [program, fileOf] of Object.entries(FORMATS)) {
  describe(`an export of ${program}`, () => {
    const hotp = program === 'Stratum' ? 1 : 'HOTP';
    const numbers = [{}, { digits: 8, period: 60 }, { digits: '8', period: '60' }, { digits: null, period: null, counter: null }];

    it('has numbers as numbers or as text', () => {
      for (const [i, expected] of [ALICE, { ...ALICE, digits: 8, period: 60 }, { ...ALICE, digits: 8, period: 60 }, ALICE].entries())
        assert.deepEqual(told(fileOf(numbers[i] ?? {})), [expected]);
      // FreeOTP+ has the counter of the last code.
      const counter = program === 'FreeOTP+' ? 10 : 9;
      for (const given of [9, '9']) assert.deepEqual(told(fileOf({ type: hotp, counter: given })), [{ ...ALICE, type: 'hotp', counter }]);
    });

    it('had the usual in the place of what is something else', () => {
      const wrong: readonly (readonly [Partial<Parameters>, string])[] = [
        [{ digits: 'eight' }, 'unsupported number of digits: eight'],
        [{ digits: '' }, 'unsupported number of digits: ""'],
        [{ digits: [8] }, 'unsupported number of digits: no number'],
        [{ digits: true }, 'unsupported number of digits: no number'],
        [{ digits: OTHER }, 'unsupported number of digits: no number'],
        [{ period: '60s' }, 'unsupported period: 60s seconds'],
        [{ period: {} }, 'unsupported period: no number seconds'],
        [{ type: hotp, counter: '1e3' }, 'unsupported counter: 1e3'],
        [{ type: hotp, counter: false }, 'unsupported counter: no number'],
        [{ algorithm: 256 }, 'unsupported algorithm: 256'],
        [{ algorithm: ['SHA256'] }, 'unsupported algorithm: no name'],
        [{ type: 7 }, 'unsupported kind of code: 7'],
        [{ type: {} }, 'unsupported kind of code: no name'],
      ];
      for (const [given, why] of wrong) assert.deepEqual(told(fileOf(given)), [`entry 1 GitHub:alice: ${why}`]);
    });
  });
}

describe('an export', () => {
  it('of FreeOTP+ whose secret has something else than bytes in it was read as another secret', () => {
    for (const wrong of ['x', 300, -200, 1.9, null, [1]]) {
      const tokens = [{ secret: [wrong, ...BYTES.slice(1)], issuerExt: 'GitHub', label: 'alice', type: 'TOTP', algo: 'SHA1' }];
      assert.deepEqual(told({ tokens }), [`entry 1 GitHub:alice: ${MALFORMED}`]);
    }
  });

  it('in XML with its ampersands by number lost the digits', () => {
    for (const amp of ['&amp;', '&#38;', '&#038;', '&#x26;', '&#X26;'])
      for (const text of [`<v>${URI.replaceAll('&', amp)}${amp}digits=8</v>`, `a,${URI.replaceAll('&', amp)}${amp}digits=8,b`])
        assert.deepEqual(told(text), [{ ...ALICE, digits: 8 }], text);
  });

  it('of pass with parameters beside its secret lost them', () => {
    const account = { ...ALICE, issuer: '', account: '' };
    assert.deepEqual(told(`hunter2\ntotp: ${SECRET}\ndigits: 8\nperiod: 60\nTOTP algorithm: SHA256\n`), [
      { ...account, digits: 8, period: 60, algorithm: 'SHA256' },
    ]);
    assert.deepEqual(told(`counter: 7\nhotp: ${SECRET}\n`), [{ ...account, type: 'hotp', counter: 7 }]);
    assert.deepEqual(told(`totp: ${SECRET}\ndigits: eight\n`), ['line 1 : unsupported number of digits: eight']);
    const unclear = 'which digits, period, algorithm or counter it has is unclear';
    assert.deepEqual(told(`totp: ${SECRET}\ndigits: 8\ndigits: 6\n`), [`line 1 : ${unclear}`]);
    assert.deepEqual(told(`totp: ${SECRET}\ndigits: 8\ntotp: ${OTHER}\n`), [`line 1 : ${unclear}`, `line 3 : ${unclear}`]);
  });

  it('with URIs dropped a bare secret beside them', () => {
    const why = 'a secret without an otpauth URI: import it by itself';
    assert.deepEqual(told(`${URI}\n\ntotp: ${OTHER}\n`), [ALICE, `line 3 : ${why}`]);
    assert.deepEqual(told(`{"a":"${URI}",\n"totp": "${OTHER}"}`), [ALICE, `line 2 : ${why}`]);
    assert.deepEqual(told(`<v>${URI}</v>\n<String><Key>TOTP Seed</Key><Value ProtectInMemory="True">${OTHER}</Value></String>`), [
      ALICE,
      `line 2 : ${why}`,
    ]);
    // The same secret again, and words.
    assert.deepEqual(told(`${URI}\ntotp: ${SECRET}\notp: it is on the old phone, not here\n`), FEW);
  });
});

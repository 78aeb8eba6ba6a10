/** A users file of pam_oath is read line by line: every token that notp can keep, and why another cannot be kept. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { codeAt, stepAt } from '../../src/otp/code.ts';
import { MAX_PAM_OATH_BYTES, parsePamOath, type PamOathToken } from '../../src/otp/pam-oath.ts';
import { assertRefuses } from './credentials.ts';

/** The key of RFC 4226, with its codes 755224 287082 359152 969429 338314. */
const HEX = '3132333435363738393031323334353637383930';
const KEY = Uint8Array.from(Buffer.from(HEX, 'hex'));
const NOW = Date.UTC(2026, 10, 24, 3, 0, 10);
const NAMES = { secret: KEY, issuer: '', account: 'alice', algorithm: 'SHA1', digits: 6 };

function onlyToken(line: string): PamOathToken {
  const { tokens, mistakes } = parsePamOath(line, NOW);
  assert.deepEqual(mistakes, []);
  assert.equal(tokens.length, 1);
  return tokens[0] as PamOathToken;
}

/** `lastStep` of a token whose last code is the one `steps` away from now. */
function lastStepAfter(steps: number, timestamp = '2026-11-24T03:00:00L', type = 'HOTP/T30'): number | undefined {
  const [, period = '30', digits = '6'] = /T(\d+)(?:\/(\d))?/.exec(type) ?? [];
  const now = stepAt(NOW, Number(period));
  const code = codeAt(KEY, now + steps, { algorithm: 'SHA1', digits: Number(digits) as 6 | 8 });
  const { lastStep } = onlyToken(`${type} alice - ${HEX} 3 ${code} ${timestamp}`);
  return lastStep === undefined ? undefined : lastStep - now;
}

describe('the type of a token', () => {
  const types: readonly (readonly [type: string, moving: object])[] = [
    ['HOTP', { type: 'hotp', counter: 0 }],
    ['HOTP/E', { type: 'hotp', counter: 0 }],
    ...[6, 7, 8].map((digits) => [`HOTP/E/${digits}`, { type: 'hotp', digits, counter: 0 }] as const),
    ['HOTP/T30', { type: 'totp', periodSeconds: 30 }],
    ['HOTP/T60', { type: 'totp', periodSeconds: 60 }],
    ...[6, 7, 8].map((digits) => [`HOTP/T30/${digits}`, { type: 'totp', digits, periodSeconds: 30 }] as const),
    ...[6, 7, 8].map((digits) => [`HOTP/T60/${digits}`, { type: 'totp', digits, periodSeconds: 60 }] as const),
  ];
  for (const [type, moving] of types)
    it(`may be ${type}`, () => {
      const credential = { ...NAMES, ...moving };
      assert.deepEqual(onlyToken(`${type} alice - ${HEX}`), {
        line: 1,
        user: 'alice',
        credential,
        pin: false,
        lastStep: undefined,
        notes: [],
      });
    });
});

describe('the counter of the next code', () => {
  const counters: readonly (readonly [how: string, fields: string, next: number])[] = [
    ['is 0 where no login was', '', 0],
    ['is the one of the file where no login was', '4', 4],
    ['is one more than that of the last code', '3 969429 2026-11-24T03:00:00L', 4],
    ['is one more than 0 after the very first code', '0 755224 2026-11-24T03:00:00L', 1],
    ['is the one of the file where that is the next already', '4 969429 2026-11-24T03:00:00L', 4],
    ['goes past the last code where the counter was put back', '0 969429', 4],
    ['is the one of the file where the last code is of another key', '4 000000 2026-11-24T03:00:00L', 4],
  ];
  for (const [how, fields, next] of counters)
    it(how, () => {
      const { credential } = onlyToken(`HOTP alice - ${HEX} ${fields}`);
      assert.deepEqual(credential, { type: 'hotp', ...NAMES, counter: next });
    });
});

describe('the step of the last code', () => {
  it('is found around now', () => {
    assert.deepEqual(
      [0, -1, 1, -10, 50].map((steps) => lastStepAfter(steps)),
      [0, -1, 1, -10, 50],
    );
  });

  it('is found with a period of a minute and eight digits', () => {
    assert.equal(lastStepAfter(-2, '2026-11-24T03:00:00L', 'HOTP/T60/8'), -2);
  });

  it('is not looked for where it can no longer matter', () => {
    assert.equal(lastStepAfter(-11), undefined);
    assert.equal(lastStepAfter(0, '2026-11-22T23:59:59L'), undefined);
  });

  it('is found whatever the zone of its time is', () => {
    assert.equal(lastStepAfter(0, '2026-11-24T17:00:00L'), 0);
    assert.equal(lastStepAfter(0, '2026-11-23T15:00:00L'), 0);
  });

  it('is found without a time', () => {
    const code = codeAt(KEY, stepAt(NOW, 30), { algorithm: 'SHA1', digits: 6 });
    assert.equal(onlyToken(`HOTP/T30 alice - ${HEX} 0 ${code}`).lastStep, stepAt(NOW, 30));
  });

  it('is looked for from the first one on where the clock stands at 1970', () => {
    const code = codeAt(KEY, 1, { algorithm: 'SHA1', digits: 6 });
    assert.equal(parsePamOath(`HOTP/T30 alice - ${HEX} 0 ${code}`, 30_000).tokens[0]?.lastStep, 1);
  });
});

describe('a file', () => {
  it('has comments, empty lines, tabs and either line end', () => {
    const text = `# users\r\n\r\n  # more\n\t HOTP \t alice\t-\t${HEX}\r\n   \nHOTP/T30\tbob\t+\t${HEX.replaceAll('3', 'a')}\t0\n#HOTP eve - ${HEX}`;
    const { tokens, mistakes } = parsePamOath(text, NOW);
    assert.deepEqual(mistakes, []);
    assert.deepEqual(
      tokens.map(({ line, user, pin }) => [line, user, pin]),
      [
        [4, 'alice', false],
        [6, 'bob', false],
      ],
    );
  });

  it('may have several tokens of one user, in their order', () => {
    const { tokens } = parsePamOath(`HOTP alice - ${HEX} 5\nHOTP bob - ${HEX}\nHOTP/T60/8 alice - ${HEX}\n`, NOW);
    assert.deepEqual(
      tokens.map(({ line, user, credential }) => [line, user, credential.type]),
      [
        [1, 'alice', 'hotp'],
        [2, 'bob', 'hotp'],
        [3, 'alice', 'totp'],
      ],
    );
  });

  it('says where a password went before the code', () => {
    const { pin, notes } = onlyToken(`HOTP alice swordfish ${HEX}`);
    assert.equal(pin, true);
    assert.deepEqual(notes, ['its password is not carried over: notp asks for a code only']);
  });

  it('of nothing but comments has no tokens', () => {
    assert.deepEqual(parsePamOath('# nobody yet\n', NOW), { tokens: [], mistakes: [] });
  });

  it('is refused where it is over the cap by one character', () => {
    const line = `HOTP alice - ${HEX}\n`;
    const full = line.padEnd(MAX_PAM_OATH_BYTES, '\n');
    assert.equal(parsePamOath(full, NOW).tokens.length, 1);
    assertRefuses(() => parsePamOath(`${full}\n`, NOW), /over 2 MiB$/, HEX);
  });

  it('of 2,000 users is read whole, around the lines that are wrong', () => {
    const keys = Array.from({ length: 2000 }, () => randomBytes(20));
    const lines = keys.map((key, i) => (i % 100 === 7 ? `HOTP user${i} - x` : `HOTP/T30\tuser${i}\t-\t${key.toString('hex')}`));
    const { tokens, mistakes } = parsePamOath(lines.join('\n'), NOW);
    assert.deepEqual([tokens.length, mistakes.length], [1980, 20]);
    for (const { line, user, credential } of tokens) {
      assert.equal(user, `user${line - 1}`);
      assert.deepEqual(Buffer.from(credential.secret), keys[line - 1]);
    }
    assert.deepEqual([mistakes[1]?.line, mistakes[1]?.user], [108, 'user107']);
  });
});

describe('a line cannot be kept', () => {
  const wrong: readonly (readonly [what: string, line: string, why: RegExp, user?: string])[] = [
    ['of a type that pam_oath does not know', `MOTP alice - ${HEX}`, /^its type must be one of HOTP/],
    ['of seconds that it does not know', `HOTP/T45 alice - ${HEX}`, /^its type/],
    ['of nine digits', `HOTP/E/9 alice - ${HEX}`, /^its type/],
    ['whose type names digits alone', `HOTP/6 alice - ${HEX}`, /^its type/],
    ['whose type is in lower case', `hotp alice - ${HEX}`, /^its type/],
    ['without a type', `${HEX} alice - x`, /^its type/],
    ['without a key', `HOTP alice ${HEX}`, /^it has no key/],
    ['without a user', `HOTP ${HEX}`, /^it has no key/],
    ['with a key for a user', `HOTP ${HEX} 0 755224`, /^its second field is not a user name$/],
    ['with a user that is none', `HOTP al:ice - ${HEX}`, /^its second field is not a user name$/],
    ['with an odd number of hex digits', `HOTP alice - ${HEX}0`, /^its key is not an even number/, 'alice'],
    ['with a key in base32', `HOTP alice - GEZDGNBVGY3TQOJQ`, /^its key is not an even number/, 'alice'],
    ['with a key that is too short', `HOTP alice - ${HEX.slice(0, 18)}`, /^its key has 9 bytes, but notp accepts 10 to 128$/, 'alice'],
    ['with a key that is too long', `HOTP alice - ${'31'.repeat(129)}`, /^its key has 129 bytes/, 'alice'],
    ['with a comment behind', `HOTP alice - ${HEX} # Alice`, /^its counter/, 'alice'],
    ['with a counter below 0', `HOTP alice - ${HEX} -1`, /^its counter/, 'alice'],
    ['with a counter that nobody reached', `HOTP alice - ${HEX} 1099511627777`, /^its counter/, 'alice'],
    ['with a last code that is none', `HOTP alice - ${HEX} 0 -`, /^its last code/, 'alice'],
    ['with a time in another form', `HOTP alice - ${HEX} 0 755224 2009-12-07T23:23:49Z`, /^its time/, 'alice'],
    ['with a time that is none', `HOTP alice - ${HEX} 0 755224 2009-13-07T23:23:49L`, /^its time/, 'alice'],
    ['with an eighth field', `HOTP alice - ${HEX} 0 755224 2009-12-07T23:23:49L ::1`, /^it has more than 7 fields$/, 'alice'],
  ];
  for (const [what, line, why, user] of wrong)
    it(what, () => {
      const { tokens, mistakes } = parsePamOath(`HOTP bob - ${HEX}\n${line}\nHOTP carol - ${HEX}`, NOW);
      assert.deepEqual(
        tokens.map((token) => token.user),
        ['bob', 'carol'],
      );
      assert.equal(mistakes.length, 1);
      assert.deepEqual([mistakes[0]?.line, mistakes[0]?.user], [2, user]);
      assert.match(mistakes[0]?.why ?? '', why);
      assert.ok(!JSON.stringify(mistakes).includes(HEX.slice(0, 8)), 'the key is told');
    });
});

describe('whatever stands in a file', () => {
  const words = fc.constantFrom(
    'HOTP',
    '/T30',
    '/E',
    '/8',
    ' ',
    '\t',
    '\n',
    '\r\n',
    'alice',
    ' - ',
    HEX,
    '755224',
    '2009-12-07T23:23:49L',
    '#',
    '\0',
    'é',
  );

  it('is a token, a mistake or nothing, for each line once', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string({ maxLength: 3 })), { maxLength: 40 }), (parts) => {
        const text = parts.join('');
        const { tokens, mistakes } = parsePamOath(text, NOW);
        const lines = [...tokens, ...mistakes].map(({ line }) => line);
        assert.equal(new Set(lines).size, lines.length);
        assert.ok(lines.every((line) => line >= 1 && line <= text.split('\n').length));
        // A name may be anything that is no key by itself.
        assert.ok(!mistakes.some(({ user, why }) => user === HEX || why.includes(HEX)));
      }),
      { examples: [[['HOTP', '\t', 'G', HEX, ' - ', '!']]] },
    );
  });

  it('never lets a code in again that let in once', () => {
    const past = fc.record({
      type: fc.constantFrom('HOTP', 'HOTP/T30'),
      accepted: fc.nat({ max: 10_000 }),
      ahead: fc.integer({ min: -10, max: 50 }),
    });
    fc.assert(
      fc.property(past, ({ type, accepted, ahead }) => {
        const moving = type === 'HOTP' ? accepted : stepAt(NOW, 30) + ahead;
        const code = codeAt(KEY, moving, { algorithm: 'SHA1', digits: 6 });
        const { credential, lastStep } = onlyToken(`${type}\talice\t-\t${HEX}\t${accepted}\t${code}\t2026-11-24T03:00:00L`);
        if (credential.type === 'hotp') assert.equal(credential.counter, accepted + 1);
        else assert.ok(lastStep !== undefined && lastStep >= moving);
      }),
    );
  });
});

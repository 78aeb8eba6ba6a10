/** What RFC 6030 says about a key beside its secret was passed over: its policy, check digits, second keys and values of another form. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readPskc } from '../../src/formats/pskc.ts';
import { KEY } from './token-files.ts';

const BYTES = Buffer.from(KEY, 'hex');
const BASE64 = BYTES.toString('base64');
const NOW = Date.parse('2026-11-30T12:00:00Z');
const MALFORMED = 'its secret is malformed, or too short or too long';

interface Parts {
  readonly algorithm?: string;
  readonly format?: string;
  readonly secret?: string;
  readonly data?: string;
  readonly policy?: string;
  readonly device?: string;
  readonly after?: string;
}

/** Why the token is not taken, or what it is. */
function told({ algorithm = 'totp', format = '<ResponseFormat Length="6" Encoding="DECIMAL"/>', ...parts }: Parts): string {
  const { secret = `<PlainValue>${BASE64}</PlainValue>`, data = '', policy, device = '', after = '' } = parts;
  const rules = policy === undefined ? '' : `<Policy>${policy}</Policy>`;
  const read = readPskc(
    `<KeyContainer xmlns="urn:ietf:params:xml:ns:keyprov:pskc" xmlns:x="urn:x"><KeyPackage><DeviceInfo><SerialNo>1</SerialNo>${device}</DeviceInfo>
    <Key Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:${algorithm}"><AlgorithmParameters>${format}</AlgorithmParameters>
    <Data><Secret>${secret}</Secret>${data}</Data>${rules}</Key>${after}</KeyPackage></KeyContainer>`,
    NOW,
  );
  assert.ok(read?.kind === 'tokens');
  const { tokens, mistakes } = read.file;
  const taken = tokens.map(({ credential: { type, secret: bytes } }) => `${type} ${Buffer.from(bytes).toString('hex')}`);
  return [...taken, ...mistakes.map(({ serial, why }) => `${serial}: ${why}`)].join();
}

function value(name: string, text: string): string {
  return `<${name}><PlainValue>${text}</PlainValue></${name}>`;
}

describe('a key of a PSKC', () => {
  const isTaken = `totp ${KEY}`;

  it('was taken although its policy forbids it', () => {
    const rules: readonly (readonly [policy: string, why: string])[] = [
      ['<x:OnlyOnSite>true</x:OnlyOnSite>', 'its policy has a rule that notp does not know: OnlyOnSite'],
      ['<KeyUsage>CR</KeyUsage><KeyUsage>Encrypt</KeyUsage>', 'its policy permits no one-time codes'],
      ['<KeyUsage/>', 'its policy permits no one-time codes'],
      ['<PINPolicy MinLength="4" PINUsageMode="Prepend"/>', 'its codes need a PIN, which notp does not ask for'],
      ['<PINPolicy PINKeyId="p"/>', 'its codes need a PIN, which notp does not ask for'],
      ['<NumberOfTransactions>5</NumberOfTransactions>', 'its policy limits how often it may be used, which notp does not count'],
      ['<ExpiryDate>2010-01-01T00:00:00Z</ExpiryDate>', 'it expired at 2010-01-01T00:00:00Z'],
      ['<ExpiryDate>2026-11-30T12:30:00+01:00</ExpiryDate>', 'it expired at 2026-11-30T12:30:00+01:00'],
      ['<StartDate>2099-01-01T00:00:00.5</StartDate>', 'it may not be used before 2099-01-01T00:00:00.5'],
      ['<StartDate>soon</StartDate>', 'its StartDate is malformed'],
      ['<ExpiryDate>2026-19-39T00:00:00Z</ExpiryDate>', 'its ExpiryDate is malformed'],
    ];
    for (const [policy, why] of rules) assert.equal(told({ policy }), `1: ${why}`);
    assert.equal(told({ device: '<ExpiryDate>2010-01-01T00:00:00Z</ExpiryDate>' }), '1: it expired at 2010-01-01T00:00:00Z');
  });

  it('is taken where its policy is met', () => {
    for (const policy of [
      '',
      '<KeyUsage>CR</KeyUsage><KeyUsage>OTP</KeyUsage>',
      '<PINPolicy MinLength="4" PINUsageMode="Local"/>',
      '<StartDate>2010-01-01T00:00:00Z</StartDate><ExpiryDate>2099-01-01T00:00:00</ExpiryDate>',
    ])
      assert.equal(told({ policy, device: '<StartDate>2026-11-30T12:00:00Z</StartDate>' }), isTaken);
  });

  it('was read as one with other codes where it has check digits, or there is more than one', () => {
    const format = '<ResponseFormat Length="6" Encoding="DECIMAL"/>';
    for (const check of ['true', '1'])
      assert.equal(told({ format: format.replace('/>', ` CheckDigits="${check}"/>`) }), '1: each of its codes ends in a check digit');
    assert.equal(told({ format: format.replace('/>', ' CheckDigits="false"/>') }), isTaken);
    assert.equal(told({ after: '<Key Id="b"/>' }), '1: its package has several keys');
    assert.equal(told({ format: format + format }), '1: it has several elements AlgorithmParameters/ResponseFormat');
    assert.equal(told({ format: '<ResponseFormat Length="" Encoding="DECIMAL"/>' }), '1: unsupported number of digits: ""');
  });

  it('was read as another one where its secret is hex, base32, cut or mistyped', () => {
    const wrong = [
      ...[KEY, KEY.toUpperCase() + KEY.slice(0, 24), KEY.slice(1), BASE64.slice(0, 8) + '!' + BASE64.slice(8)],
      ...[BASE64.slice(0, -1), BASE64.slice(0, 20), BASE64.slice(0, 24), BASE64.replace('M', '-'), 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', ''],
      'A'.repeat(10_000),
    ];
    for (const text of wrong) assert.equal(told({ secret: `<PlainValue>${text}</PlainValue>` }), `1: ${MALFORMED}`, text);
    for (const text of [BASE64, `${BASE64.slice(0, 8)}\n   ${BASE64.slice(8)}\n`, `<![CDATA[${BASE64}]]>`])
      assert.equal(told({ secret: `<PlainValue>${text}</PlainValue>` }), isTaken);
    assert.equal(told({ secret: `<PlainValue>${BASE64}</PlainValue>`.repeat(2) }), '1: its Secret must be one value');
    assert.equal(told({ data: `<Secret><PlainValue>${BASE64}</PlainValue></Secret>` }), '1: its Secret must be one value');
  });

  it('had the usual interval or counter where it has another one that is no number', () => {
    for (const [text, shown] of [
      ['1e2', '1e2'],
      ['0x3c', '0x3c'],
      [' ', '""'],
      ['-30', '-30'],
      ['99999999999', '99999999999'],
      ['GEZDGNBVGY3TQOJQ', 'no number'],
    ] as const) {
      assert.equal(told({ data: value('TimeInterval', text) }), `1: unsupported period: ${shown} seconds`);
      const counted = told({ algorithm: 'hotp', data: value('Counter', text) });
      assert.equal(counted, text === '99999999999' ? `hotp ${KEY}` : `1: unsupported counter: ${shown}`);
    }
    assert.equal(told({ data: '<TimeInterval/>' }), '1: its TimeInterval must be one value');
    assert.equal(told({ data: `<x:Note>hello</x:Note>${value('TimeInterval', '60')}` }), isTaken);
  });
});

/** What is imported is known by itself where it can be, --from settles it, and a wrong one tells no secret. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import type { ImportFormat } from '../../../src/terminal/choices.ts';
import { bareCredential, readSource, type GivenParameters } from '../../../src/commands/import/read-source.ts';
import { toBase32 } from '../../../src/otp/code.ts';
import type { Credential } from '../../../src/otp/uri.ts';
import { openPythonNotp } from '../../../src/seal/python-notp.ts';
import { assertRefuses } from '../../otp/credentials.ts';
import { ROOT, run } from '../../support/process.ts';

const SECRET = 'HSBRGZRKZDRLBVEY';
const URI = `otpauth://totp/Bank:alice?secret=${SECRET}&issuer=Bank&digits=8`;
const MIGRATION =
  'otpauth-migration://offline?data=CjUKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZSABKAEwAhABGAEgACjKlYjnBQ%3D%3D';
const PYTHON = fs.readFileSync(path.join(ROOT, 'test/vectors/python-notp.txt'), 'utf8');

function credentialsOf(text: string, { from, told = {} }: { from?: ImportFormat; told?: GivenParameters } = {}): readonly Credential[] {
  const source = readSource(text, from, told);
  assert.equal(source.kind, 'credentials');
  return source.credentials;
}

/** Issuer, account and secret of each. */
function namesOf(all: readonly Credential[]): string[] {
  return all.map(({ issuer, account, secret }) => `${issuer}/${account}/${toBase32(secret)}`);
}

describe('what is imported', () => {
  const texts: readonly (readonly [what: string, text: string, read: readonly string[]])[] = [
    ['an otpauth URI', URI, [`Bank/alice/${SECRET}`]],
    ['one in capitals', URI.replace('otpauth://totp', 'OTPAUTH://TOTP'), [`Bank/alice/${SECRET}`]],
    ['one with blanks and empty lines around it', `\r\n  ${URI}\t\r\n\n`, [`Bank/alice/${SECRET}`]],
    ['one that zbarimg has read', `QR-Code:${URI}\n`, [`Bank/alice/${SECRET}`]],
    ['several, one a line', `${URI}\n${URI.replaceAll('Bank', 'Mail')}\n`, [`Bank/alice/${SECRET}`, `Mail/alice/${SECRET}`]],
    ['a transfer of a phone', MIGRATION, ['Example/alice@google.com/JBSWY3DPEHPK3PXP']],
    ['a transfer and a URI', `${URI}\r\n${MIGRATION}\r\n`, ['Example/alice@google.com/JBSWY3DPEHPK3PXP', `Bank/alice/${SECRET}`]],
    ['base32', SECRET, [`//${SECRET}`]],
    ['base32 in groups, over lines', 'hsbr gzrk\r\nzdrl bvey\r\n', [`//${SECRET}`]],
    ['base32 that could be hex', 'ABCDEFABCDEFABCD', ['//ABCDEFABCDEFABCD']],
  ];
  for (const [what, text, read] of texts) {
    it(`is known by itself as ${what}`, () => {
      assert.deepEqual(namesOf(credentialsOf(text)), read);
    });
  }

  it('is known by itself as a file of the Python notp', () => {
    const source = readSource(PYTHON, undefined, { digits: 8 });
    assert.ok(source.kind === 'python-notp');
    assert.equal(toBase32(openPythonNotp(source.file, 'test') ?? new Uint8Array()), SECRET);
  });

  it('is what --from says, and nothing else', () => {
    assert.deepEqual(namesOf(credentialsOf(URI, { from: 'uri' })), [`Bank/alice/${SECRET}`]);
    assert.deepEqual(namesOf(credentialsOf(SECRET, { from: 'base32' })), [`//${SECRET}`]);
    assert.equal(credentialsOf(MIGRATION, { from: 'otpauth-migration' }).length, 1);
    assert.equal(credentialsOf(MIGRATION, { from: 'uri' }).length, 1);
    assert.equal(readSource(PYTHON, 'python-notp', {}).kind, 'python-notp');
    const hex = 'ABCDEFABCDEFABCD';
    assert.deepEqual(namesOf(credentialsOf(`${hex}\n${hex}`, { from: 'base32' })), [`//${hex}${hex}`]);
    const wrong: readonly (readonly [text: string, from: ImportFormat, why: RegExp])[] = [
      [URI, 'base32', /this is not a secret/],
      [URI, 'python-notp', /two lines of hex digits/],
      [SECRET, 'python-notp', /two lines of hex digits/],
      [SECRET, 'uri', /it is malformed or too long/],
      [SECRET, 'otpauth-migration', /the input contains no otpauth-migration URI/],
      [URI, 'otpauth-migration', /the input contains no otpauth-migration URI/],
      [PYTHON, 'base32', /this is not a secret/],
      ['', 'uri', /the input contains no URI/],
      ['\n', 'otpauth-migration', /the input contains no URI/],
    ];
    for (const [text, from, why] of wrong) assertRefuses(() => readSource(text, from, {}), why, SECRET);
  });

  it('is refused where it is nothing of these, and not told', () => {
    const wrong = ['', '\n', 'HSBRGZRK', `${SECRET}01`, `https://example.org/?secret=${SECRET}`, `${SECRET}\n${URI}x`];
    for (const text of wrong) assertRefuses(() => readSource(text, undefined, {}), /./, SECRET);
    assertRefuses(() => readSource(`${URI}\n${SECRET}`, undefined, {}), /it is malformed or too long/, SECRET);
    assertRefuses(() => readSource(`${URI}&period=1`, undefined, {}), /its period is not from 15/, SECRET);
  });

  it('is a list without what notp cannot hold, each named with its line, where it is well-formed', () => {
    const list = ['# of the old phone', URI, `otpauth://steam/Steam:bob?secret=${SECRET}`, `${URI}&period=1`, `QR-Code:${URI}`].join('\n');
    const source = readSource(list, undefined, {});
    assert.ok(source.kind === 'credentials');
    assert.deepEqual(namesOf(source.credentials), [`Bank/alice/${SECRET}`, `Bank/alice/${SECRET}`]);
    assert.deepEqual(source.skipped, [
      { place: 'line 3', name: 'Steam:bob', why: 'unsupported kind of code: steam' },
      { place: 'line 4', name: 'Bank:alice', why: 'unsupported period: 1 seconds' },
    ]);
    assertRefuses(
      () => readSource(`${URI}\n${URI.replace(SECRET, 'no')}`, undefined, {}),
      /^line 2 \("Bank:alice"\): this otpauth URI/,
      SECRET,
    );
    assertRefuses(() => readSource(`${URI}&period=9\n${URI}&period=5`, undefined, {}), /^line 1 \("Bank:alice"\): this otp/, SECRET);
  });
});

describe('what is told beside a secret', () => {
  const all: GivenParameters = { issuer: 'Bank', account: 'alice', digits: 8, periodSeconds: 60, algorithm: 'SHA256' };

  it('is taken for base32, and the rest is as usual', () => {
    const [credential] = credentialsOf(SECRET, { told: all });
    assert.ok(credential !== undefined);
    const { secret, ...rest } = credential;
    assert.equal(toBase32(secret), SECRET);
    assert.deepEqual(rest, { type: 'totp', ...all });
    const usual = { type: 'totp', algorithm: 'SHA1', digits: 6, periodSeconds: 30, issuer: '', account: '' };
    assert.deepEqual(bareCredential(secret, {}), { ...usual, secret });
    assert.deepEqual(bareCredential(secret, { digits: 7 }), { ...usual, digits: 7, secret });
  });

  it('is refused for what says it itself', () => {
    const wrong: readonly GivenParameters[] = [
      { issuer: '' },
      { account: 'a' },
      { digits: 6 },
      { periodSeconds: 30 },
      { algorithm: 'SHA1' },
    ];
    for (const text of [URI, MIGRATION])
      for (const each of wrong)
        assert.throws(() => readSource(text, undefined, each), { code: 'usage', message: /an otpauth URI already has these parameters/ });
  });
});

/** The data of one part: one account, and the numbers of the transfer. */
function part(numbers: readonly number[]): string {
  const account = Buffer.concat([Buffer.from([0x0a, 10]), Buffer.alloc(10, 7), Buffer.from([0x12, 1, 0x61])]);
  const data = Buffer.concat([Buffer.from([0x0a, account.length]), account, Buffer.from(numbers)]);
  return `otpauth-migration://offline?data=${encodeURIComponent(data.toString('base64'))}`;
}

/** Of a transfer that says how many codes it has. */
function partOf(index: number, size: number): string {
  return part([0x10, 1, 0x18, size, 0x20, index, 0x28, 5]);
}

/** What is said on stderr while `text` is read. */
async function said(text: string): Promise<string> {
  const program = `
    import { readSource } from ${JSON.stringify(path.join(ROOT, 'src/commands/import/read-source.ts'))};
    console.log(readSource(process.argv[1], undefined, {}).credentials.length);`;
  const { code, stdout, stderr } = await run([process.execPath, '--input-type=module', '-e', program, text]);
  assert.deepEqual([code, stdout], [0, `${text.split('\n').length}\n`], stderr);
  return stderr;
}

describe('a transfer of several QR codes', () => {
  it('of which some are missing is told, and how many', async () => {
    assert.equal(await said(partOf(0, 3)), 'notp: hint: the phone shows 3 QR codes, but this is only 1 of them: import the others too\n');
    assert.match(await said(`${partOf(2, 3)}\n${partOf(0, 3)}`), /this is only 2 of them/);
    assert.match(await said(`${partOf(1, 2)}\n${partOf(1, 2)}`), /this is only 1 of them/);
  });

  it('that is whole needs no word', async () => {
    assert.equal(await said(`${partOf(1, 2)}\n${partOf(0, 2)}`), '');
    assert.equal(await said(partOf(0, 1)), '');
    assert.equal(await said(URI), '');
  });

  it('that does not say whether it is whole is told', async () => {
    assert.match(await said(part([])), /^notp: hint: the transfer does not say how many QR codes it has: compare [^\n]*\n$/);
  });
});

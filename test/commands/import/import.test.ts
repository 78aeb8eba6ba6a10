/** What `notp import` reads: files of the Python notp, base32 and otpauth URIs as services write them. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacks } from '../../support/world.ts';
import { assertCodeOf, assertRefused, ownCodes, PYTHON_FILE, PYTHON_PASSWORD, SECRET, type OwnCodes } from '../codes/own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

describe('a file of the Python notp', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  let own: OwnCodes;
  let file: string;
  let password: string;
  before(() => {
    own = ownCodes('import-python');
    file = own.put('old', PYTHON_FILE);
    password = own.put('password', `${PYTHON_PASSWORD}\n`);
  });

  it('is recognised, opens with its password, and gives the codes and the secret that it held', async () => {
    const imported = await own.notp(['import', 'old', '--file', file, '--passphrase-file', password]);
    assert.equal(imported.code, 0, imported.stderr);
    assert.equal(imported.stdout, '');
    assert.equal(imported.stderr, `Imported old: ${path.join(own.secrets, 'old')}; notp code old shows its codes\n`);
    const exported = await own.notp(['export', 'old', '--to', 'base32', '--passphrase-file', password]);
    assert.equal(exported.stdout, `${SECRET}\n`);
    assert.equal(fs.statSync(path.join(own.secrets, 'old')).mode & 0o777, 0o600);
    assert.equal(fs.statSync(own.secrets).mode & 0o777, 0o700);
  });

  it('is read from stdin with --from, and sealed by another passphrase where one is given', async () => {
    const words = ['import', 'piped', '--from', 'python-notp', '--passphrase-file', password];
    const { code, stderr } = await own.notp([...words, '--new-passphrase-file', own.passphraseFile], { input: PYTHON_FILE });
    assert.equal(code, 0, stderr);
    await assertCodeOf(own, 'piped', SECRET);
  });

  it('takes issuer, account and parameters that the file does not know', async () => {
    const told = ['--issuer', 'Old Corp', '--account', 'ada', '--digits', '8', '--period', '60', '--algorithm', 'SHA256'];
    const words = ['--file', file, '--passphrase-file', '-', '--new-passphrase-file', '-', '--json', ...told];
    const { code, stdout } = await own.notp(['import', 'told', ...words], { input: `${PYTHON_PASSWORD}\n${PASSPHRASE}\n` });
    assert.equal(code, 0);
    const { id, file: place, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
    assert.match(String(id), /^[0-9a-f]{32}$/);
    assert.equal(place, path.join(own.secrets, 'told'));
    const expected = { context: 'told', type: 'totp', issuer: 'Old Corp', account: 'ada', algorithm: 'SHA256', digits: 8, period: 60 };
    assert.deepEqual(rest, expected);
    await assertCodeOf(own, 'told', SECRET, ['--totp=sha256', '--digits=8', '--time-step-size=60s']);
  });

  it('with a wrong password is refused, and nothing is written', async () => {
    const earlier = own.files();
    const wrong = await own.notp(['import', 'wrong', '--file', file, '--passphrase-file', own.passphraseFile]);
    assertRefused(wrong, 1, /the password does not open this file of the Python notp/);
    assert.deepEqual(own.files(), earlier);
  });

  const [nonce = '', ciphertext = ''] = PYTHON_FILE.trimEnd().split('\n');
  const damaged: readonly (readonly [string, string])[] = [
    ['with its lines swapped', `${ciphertext}\n${nonce}\n`],
    ['cut off in the first line', nonce.slice(0, 20)],
    ['cut off after the first line', `${nonce}\n`],
    ['cut off in the tag', `${nonce}\n${ciphertext.slice(0, 40)}\n`],
    ['cut off in the middle of a byte', `${nonce}\n${ciphertext.slice(0, -1)}\n`],
    ['without its last byte', `${nonce}\n${ciphertext.slice(0, -2)}\n`],
    ['without its first bytes', PYTHON_FILE.slice(4)],
    ['with a byte changed', `${nonce}\n00${ciphertext.slice(2)}\n`],
    ['with a third line', `${PYTHON_FILE}${nonce}\n`],
  ];
  for (const [how, text] of damaged) {
    it(`${how} is refused, and nothing is written`, async () => {
      const earlier = own.files();
      const refused = await own.notp(['import', 'damaged', '--from', 'python-notp', '--passphrase-file', password], { input: text });
      assertRefused(refused, 1, /file of the Python notp/);
      assert.deepEqual(own.files(), earlier);
    });
  }

  it('cut off is refused without --from too', async () => {
    for (const cut of [5, 32, 33, 60]) {
      const refused = await own.notp(['import', 'cut', '--passphrase-file', password], { input: PYTHON_FILE.slice(0, cut) });
      assertRefused(refused, 1, /no secret|file of the Python notp/);
    }
    assert.ok(!fs.existsSync(path.join(own.secrets, 'cut')));
  });
});

describe('a secret in base32', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  let own: OwnCodes;
  before(() => {
    own = ownCodes('import-base32');
  });

  for (const [name, text] of [
    ['as-it-is', SECRET],
    ['in-groups', ' hsbr gzrk\tzdrl bvey \r\n'],
    ['with-dashes', 'HSBR-GZRK-ZDRL-BVEY\n\n'],
  ] as const) {
    it(`is taken as people paste it, of 10 bytes too (${name})`, async () => {
      const { code, stderr } = await own.import(name, text);
      assert.equal(code, 0, stderr);
      await assertCodeOf(own, name, SECRET);
    });
  }

  it('takes parameters of its own, with --file and padding', async () => {
    const file = own.put('padded', 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOI=\n');
    const words = ['--file', file, '--from', 'base32', '--digits', '7', '--period', '15', '--algorithm', 'SHA512'];
    assert.equal((await own.opening(['import', 'padded', ...words])).code, 0);
    await assertCodeOf(own, 'padded', 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOI=', ['--totp=sha512', '--digits=7', '--time-step-size=15s']);
  });
});

describe('otpauth URIs', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  const WRITTEN: readonly (readonly [string, string, string])[] = [
    ['Google', `otpauth://totp/Google%3Aalice%40gmail.com?secret=${SECRET.toLowerCase()}&issuer=Google`, 'alice@gmail.com'],
    ['Microsoft', `otpauth://totp/Microsoft:alice%40example.org?secret=${SECRET}&issuer=Microsoft`, 'alice@example.org'],
    ['GitHub', `otpauth://totp/GitHub:alice?secret=${SECRET}&issuer=GitHub`, 'alice'],
    ['Aegis Test', `otpauth://totp/Aegis%20Test%3Aalice?period=30&digits=6&algorithm=SHA1&secret=${SECRET}&issuer=Aegis+Test`, 'alice'],
    ['Bücher', `OTPAUTH://TOTP/B%C3%BCcher:J%C3%BCrgen%20K?SECRET=${SECRET}&issuer=B%C3%BCcher`.replace('SECRET=', 'secret='), 'Jürgen K'],
  ];
  let own: OwnCodes;
  before(() => {
    own = ownCodes('import-uri');
  });

  it('as services write them keep issuer and account, each under a name of its own', async () => {
    const { code, stdout, stderr } = await own.import('all', WRITTEN.map(([, uri]) => uri).join('\n'), ['--json']);
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split('\n');
    const found = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      found.map(({ issuer, account, type, period, digits, algorithm }) => ({ issuer, account, type, period, digits, algorithm })),
      WRITTEN.map(([issuer, , account]) => ({ issuer, account, type: 'totp', period: 30, digits: 6, algorithm: 'SHA1' })),
    );
    const names = found.map(({ context }) => String(context));
    assert.equal(new Set(names).size, names.length);
    for (const name of names) assert.match(name, /^all-[A-Za-z0-9_.-]+$/);
    await assertCodeOf(own, names[0] ?? '', SECRET);
  });

  it('that no code can be made of are refused without telling the secret', async () => {
    const earlier = own.files();
    for (const uri of [
      `otpauth://totp/a?secret=${SECRET}1`,
      `otpauth://totp/a?secret=${SECRET}&digits=9`,
      `otpauth://totp/a?secret=${SECRET}&period=5`,
      `otpauth://totp/a?secret=${SECRET}&algorithm=MD5`,
      `otpauth://steam/a?secret=${SECRET}`,
      `otpauth://totp/a%1b%5b31m?secret=${SECRET}`,
      `otpauth://totp/%ff?secret=${SECRET}`,
      'otpauth://totp/a?secret=',
      'otpauth://totp/a',
    ]) {
      const refused = await own.import('bad', uri);
      assertRefused(refused, 1, /this otpauth URI cannot be used/);
      assert.doesNotMatch(refused.stderr, new RegExp(`${SECRET}|\u001b`));
    }
    assert.deepEqual(own.files(), earlier);
  });

  it('say themselves what they are for: a second word on it is wrong usage', async () => {
    assertRefused(await own.import('told', WRITTEN[2]?.[1] ?? '', ['--digits', '8']), 2, /an otpauth URI already has these parameters/);
  });
});

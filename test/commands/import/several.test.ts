/** `notp import` of several accounts at once, as phones export them: all of them or none. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { lacks, must } from '../../support/world.ts';
import { assertCodeOf, assertRefused, migrationUri, ownCodes, SECRET, type OwnCodes, type PhoneAccount } from '../codes/own-codes.ts';

const BYTES = [...Buffer.from('12345678901234567890')];
const SECRET_20 = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const secret = Uint8Array.from(BYTES);
const ACCOUNTS: readonly PhoneAccount[] = [
  { secret, name: 'GitHub:alice', issuer: 'GitHub' },
  { secret, name: 'alice@gmail.com', issuer: 'Google' },
  { secret, name: 'Bücher & Söhne: jürgen', algorithm: 2, digits: 2 },
  { secret, name: 'counted', type: 1, counter: 3 },
  { secret, name: 'GitHub:alice', issuer: 'GitHub' },
];

describe('several accounts at once', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  let own: OwnCodes;
  before(() => {
    own = ownCodes('import-several');
  });

  it('from one QR code of a phone each get a name, and keep what makes their codes', async () => {
    const { code, stdout, stderr } = await own.import('phone', `${migrationUri(ACCOUNTS)}\n`, ['--json']);
    assert.equal(code, 0, stderr);
    const found = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      found.map(({ context, issuer, account }) => [context, issuer, account]),
      [
        ['phone-GitHub-alice', 'GitHub', 'alice'],
        ['phone-Google-alice-gmail.com', 'Google', 'alice@gmail.com'],
        ['phone-B-cher-S-hne-j-rgen', 'Bücher & Söhne', 'jürgen'],
        ['phone-counted', '', 'counted'],
        ['phone-GitHub-alice-2', 'GitHub', 'alice'],
      ],
    );
    assert.deepEqual(Object.keys(own.files()), ['.state.db', ...found.map(({ context }) => String(context)).toSorted()]);
    await assertCodeOf(own, 'phone-GitHub-alice', SECRET_20);
    await assertCodeOf(own, 'phone-B-cher-S-hne-j-rgen', SECRET_20, ['--totp=sha256', '--digits=8']);
    const counted = await own.opening(['code', 'phone-counted']);
    assert.equal(counted.stdout, must(['oathtool', '--hotp', '-c', '3', '-b', SECRET_20]));
  });

  it('from several QR codes, and otpauth URIs among them, come in one go', async () => {
    const [first, second] = [migrationUri(ACCOUNTS.slice(0, 1), { parts: 2 }), migrationUri(ACCOUNTS.slice(1, 2), { part: 1, parts: 2 })];
    const lines = [first, '', `  otpauth://totp/Shop:eve?secret=${SECRET}`, second].join('\r\n');
    const { code, stderr } = await own.import('parts', lines);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /hint/);
    const names = Object.keys(own.files()).filter((name) => name.startsWith('parts'));
    assert.deepEqual(names, ['parts-GitHub-alice', 'parts-Google-alice-gmail.com', 'parts-Shop-eve']);
  });

  it('of which a QR code is missing come with a hint', async () => {
    const { code, stderr } = await own.import('part', migrationUri(ACCOUNTS.slice(0, 1), { parts: 3 }));
    assert.equal(code, 0);
    assert.match(stderr, /notp: hint: the phone shows 3 QR codes, but this is only 1 of them: import the others too\n/);
  });

  it('are refused all together where one name is taken, and replaced all together with --replace', async () => {
    const uri = migrationUri([...ACCOUNTS.slice(0, 2), { secret, name: 'new' }]);
    const earlier = own.files();
    assertRefused(await own.import('phone', uri), 1, /phone-GitHub-alice already exists\nnotp: hint: give --replace/);
    assert.deepEqual(own.files(), earlier);
    const { code, stderr } = await own.import('phone', uri, ['--replace']);
    assert.equal(code, 0, stderr);
    const later = own.files();
    assert.ok('phone-new' in later);
    assert.notEqual(later['phone-GitHub-alice'], earlier['phone-GitHub-alice']);
    assert.equal(later['phone-GitHub-alice-2'], earlier['phone-GitHub-alice-2']);
  });

  it('are refused all together where one of them is none, or the QR code is cut off', async () => {
    const earlier = own.files();
    const whole = migrationUri(ACCOUNTS);
    for (const text of [
      whole.slice(0, 60),
      whole.slice(0, -8),
      `${whole}\notpauth://totp/a?secret=no`,
      `${whole}\nhello`,
      migrationUri([...ACCOUNTS, { secret: secret.subarray(0, 4), name: 'short' }]),
      migrationUri([{ secret, name: 'md5', algorithm: 4 }]),
      migrationUri([]),
    ]) {
      const refused = await own.import('broken', text);
      assertRefused(refused, 1, /URI cannot be used/);
      assert.ok(!refused.stderr.includes(SECRET_20.slice(0, 8)));
    }
    assert.deepEqual(own.files(), earlier);
  });
});

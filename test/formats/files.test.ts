/** Files at the edges of the formats: entries of pass, CSV and JSON of any kind, what is known and not read, and what is malformed. */
import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { describe, it } from 'node:test';
import { rowsOf } from '../../src/formats/csv.ts';
import { inputOf } from '../../src/formats/format.ts';
import { readExport } from '../../src/formats/formats.ts';
import { entriesOfUri, unsupportedUri, urisIn } from '../../src/formats/uris.ts';
import { openCbc, openGcm, pbkdf2, scrypt } from '../../src/formats/ciphers.ts';
import { accountIn, entriesOf, FEW } from './written.ts';

const SECRET = 'HSBRGZRKZDRLBVEY';
const URI = `otpauth://totp/GitHub:alice?secret=${SECRET}&issuer=GitHub`;

function read(text: string): ReturnType<typeof entriesOf> {
  return entriesOf(Buffer.from(text));
}

function item(name: string, totp: string | null): object {
  return { type: 1, name, login: { username: 'alice', totp } };
}

function aegis(...entries: readonly object[]): string {
  return JSON.stringify({ version: 1, header: {}, db: { version: 2, entries } });
}

function told(text: string): (string | object)[] {
  return read(text).entries?.map(accountIn) ?? [];
}

describe('an entry of pass', () => {
  it('is the URI in it, wherever it stands', () => {
    const entry = `hunter2\nlogin: alice\n${URI}\nhttps://example.org\n`;
    assert.deepEqual(told(entry), FEW);
    assert.equal(read(entry).entries?.[0]?.place, 'line 3');
  });

  it('of gopass has the secret behind a name', () => {
    for (const name of ['totp', 'TOTP', 'otp', 'totp_secret', 'hotp']) {
      const { program, entries } = read(`hunter2\n---\n${name}: hsbr gzrk zdrl bvey\n`);
      assert.equal(program, 'pass');
      const type = name === 'hotp' ? 'hotp' : 'totp';
      assert.deepEqual(entries?.map(accountIn), [{ ...FEW[0], type, issuer: '', account: '' }]);
    }
    assert.equal(readExport(Buffer.from('hunter2\ntotp: 1234\n')), undefined);
  });
});

describe('URIs', () => {
  it('are found in JSON, XML and CSV, with their escapes', () => {
    const inXml = `<String><Key>otp</Key><Value ProtectInMemory="True">${URI.replaceAll('&', '&amp;')}</Value></String>`;
    const inJson = `{"a":[[[[[[[[[["${URI.replaceAll('/', String.raw`\/`).replaceAll('&', String.raw`\u0026`)}"]]]]]]]]]]}`;
    const inText = [`<${URI}>`, `'${URI}'`, `otp: ${URI} `, `x\t${URI}\ty`];
    for (const text of [inXml, inJson, `"x","${URI}","y"`, `x;${URI};y`, ...inText]) assert.deepEqual(told(text), FEW);
    // Escaped as no JSON is: taken as it stands.
    assert.deepEqual(told(`"${URI}&note=\\q"`), FEW);
  });

  it('lose nothing of what follows a comma, a blank or an escape', () => {
    const long = URI.replace('issuer=GitHub', '') + 'issuer=Git, Hub; Inc&digits=8&period=60';
    const expected = [{ ...FEW[0], issuer: 'Git, Hub; Inc', digits: 8, period: 60 }];
    const inXml = `<Value>${long.replaceAll('&', '&amp;')}</Value>`;
    for (const text of [`hunter2\n${long}`, `otpauth: ${long}`, inXml, `{"totp":"${long}"}`, `a,"${long}",b`, `QR-Code:${long}`])
      assert.deepEqual(told(text), expected, text);
    const inCsv = `a,${long.replaceAll(/[,;]/g, '').replaceAll('&', '&amp;')},b`;
    assert.deepEqual(told(inCsv), [{ ...expected[0], issuer: 'Git Hub Inc' }]);
  });

  it('of a transfer give all of its accounts', () => {
    const transfer =
      'otpauth-migration://offline?data=CjUKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZSABKAEwAhABGAEgACjKlYjnBQ%3D%3D';
    assert.deepEqual(
      urisIn(`a "${transfer}"`).map(({ name }) => name),
      ['Example:alice@google.com'],
    );
  });

  it('that notp cannot hold are skipped by name, without a word of the secret', () => {
    const wrong: readonly (readonly [uri: string, name: string, why: RegExp])[] = [
      [`otpauth://steam/Steam:bob?secret=${SECRET}`, 'Steam:bob', /^unsupported kind of code: steam$/],
      [`otpauth://yaotp/Yandex:bob?secret=${SECRET}`, 'Yandex:bob', /^unsupported kind of code: yaotp$/],
      [`${URI}&encoder=steam`, 'GitHub:alice', /^unsupported kind of code: steam$/],
      [`steam://${SECRET}`, '', /^unsupported kind of code: steam$/],
      [`steam://${SECRET}/x`, '', /^unsupported kind of code: steam$/],
      [`motp://Old:bob?secret=${SECRET}`, '', /^unsupported kind of code: motp$/],
      [`otpauth://totp${SECRET}!/a?secret=${SECRET}`, 'a', /^unsupported kind of code: "totp/],
      [`${URI}&digits=5`, 'GitHub:alice', /^unsupported number of digits: 5$/],
      [`${URI}&period=10`, 'GitHub:alice', /^unsupported period: 10 seconds$/],
      [`${URI}&period=3000`, 'GitHub:alice', /^unsupported period: 3000 seconds$/],
      [`${URI}&algorithm=MD5`, 'GitHub:alice', /^unsupported algorithm: MD5$/],
      ['otpauth://totp/a%ff?secret=AAAA', 'a%ff', /cannot be used/],
      ['otpauth://totp/?issuer=x', '', /it has no secret/],
    ];
    for (const [uri, name, why] of wrong) {
      const [entry] = entriesOfUri(uri, 'line 1');
      assert.ok(entry !== undefined && 'why' in entry, uri);
      assert.equal(entry.name, name);
      assert.match(entry.why, why);
    }
    assert.equal(unsupportedUri('hello', 'line 1'), undefined);
  });

  it('in Bitwarden of kinds that notp holds and does not hold stand side by side', () => {
    const all = [item('GitHub', SECRET), item('x', null), item('y', 'nothing'), item('z', `${URI}&digits=9`)];
    assert.deepEqual(told(JSON.stringify({ encrypted: false, items: all })), [
      ...FEW,
      'entry 3 y:alice: its secret is malformed, or too short or too long',
      'entry 4 GitHub:alice: unsupported number of digits: 9',
    ]);
    assert.equal(readExport(Buffer.from(JSON.stringify({ encrypted: false, items: [] }))), undefined);
    assert.equal(readExport(Buffer.from('no login_totp here\n1\n')), undefined);
    assert.deepEqual(told(`login_totp\n${SECRET}\n`), [{ ...FEW[0], issuer: '', account: '' }]);
  });
});

describe('an entry', () => {
  const entry = { type: 'totp', name: 'alice', issuer: 'GitHub', info: { secret: SECRET } };

  it('has what is usual where the file says nothing', () => {
    assert.deepEqual(told(aegis(entry)), FEW);
    const algorithms = ['sha1', 'HmacSHA1', 'SHA-1', ''].map((algo) => ({ ...entry, info: { secret: SECRET, algo } }));
    assert.deepEqual(told(aegis(...algorithms)), Array(4).fill(FEW[0]));
  });

  it('that notp cannot hold is skipped by name', () => {
    const wrong: readonly (readonly [object, string])[] = [
      [{ type: 'yandex' }, 'GitHub:alice: unsupported kind of code: yandex'],
      [{ type: '\u001b[31m' }, String.raw`GitHub:alice: unsupported kind of code: "\u001b[31m"`],
      [{ info: { secret: 'AAAA' } }, 'GitHub:alice: its secret is malformed, or too short or too long'],
      [{ info: { secret: 17 } }, 'GitHub:alice: its secret is malformed, or too short or too long'],
      [{ info: { secret: SECRET, digits: 5 } }, 'GitHub:alice: unsupported number of digits: 5'],
      [{ info: { secret: SECRET, algo: 'MD5' } }, 'GitHub:alice: unsupported algorithm: MD5'],
      [{ info: { secret: SECRET, period: 10 } }, 'GitHub:alice: unsupported period: 10 seconds'],
      [{ info: { secret: SECRET, period: 30.5 } }, 'GitHub:alice: unsupported period: 30.5 seconds'],
      [{ type: 'hotp', info: { secret: SECRET, counter: -1 } }, 'GitHub:alice: unsupported counter: -1'],
      [{ name: 'a\u0007', issuer: '' }, 'a\u0007: its name is too long or has control characters'],
      [
        { name: '%'.repeat(250), issuer: '%'.repeat(250) },
        `${'%'.repeat(250)}:${'%'.repeat(250)}: its name is too long or has control characters`,
      ],
      [{ name: 'x'.repeat(3000), issuer: '' }, `${'x'.repeat(3000)}: its name is too long or has control characters`],
    ];
    for (const [change, why] of wrong) assert.deepEqual(told(aegis({ ...entry, ...change })), [`entry 1 ${why}`]);
    const services = [{ name: 'GitHub', secret: SECRET, otp: { label: 'alice' } }];
    assert.deepEqual(told(JSON.stringify({ schemaVersion: 1, services })), FEW);
    const bytes = JSON.stringify({ tokens: [{ type: 'TOTP', secret: [1, 'x'], label: 'a' }] });
    assert.deepEqual(told(bytes), ['entry 1 a: its secret is malformed, or too short or too long']);
    const stratum = JSON.stringify({
      Authenticators: [{ Type: 9, Username: 'a' }, { Username: 'b' }, { Type: 2, Algorithm: 7, Username: 'c', Secret: SECRET }],
    });
    assert.deepEqual(told(stratum), [
      'entry 1 a: unsupported kind of code: 9',
      'entry 2 b: unsupported kind of code: ""',
      'entry 3 c: unsupported algorithm: 7',
    ]);
  });
});

describe('CSV', () => {
  it('is read as RFC 4180 and its relatives write it', () => {
    const expected = [
      { line: 2, row: { a: '1', b: 'x, "y"\nz' } },
      { line: 5, row: { a: '3', b: '' } },
    ];
    assert.deepEqual(rowsOf('A,b\r\n1,"x, ""y""\nz"\n\n3\n'), expected);
    assert.deepEqual(rowsOf('a;b\n1;"x, ""y""\nz"\n\n3;\n'), expected);
    assert.deepEqual(rowsOf('a\tb\n1\t"x, ""y""\nz"\n\n3\t'), expected);
    assert.deepEqual(rowsOf('a,b\n1,"open, and\nso on'), [{ line: 2, row: { a: '1', b: 'open, and\nso on' } }]);
    assert.deepEqual(rowsOf('a\n1'), [{ line: 2, row: { a: '1' } }]);
    assert.deepEqual(rowsOf(''), []);
  });
});

describe('a file that notp knows and does not read', () => {
  const known: readonly (readonly [bytes: string, program: RegExp, hint: RegExp])[] = [
    ['SQLite format 3\0and more', /SQLite/, /export from the app/],
    ['PK\x03\x04', /zip/, /unzip -p/],
    ['\x1f\x8b\x08', /gzip/, /zcat/],
    ['\xfd7zXZ\0', /compressed/, /bsdcat/],
    ...['\x89PNG\r\n', '\xff\xd8\xff\xe0', 'GIF89a', 'RIFF\xff\0\0\0WEBP', '%PDF-1.7\n', '<svg xmlns="http://www.w3.org/2000/svg">'].map(
      (bytes) => [bytes, /picture/, /zbarimg -q --raw FILE \| notp import NAME/] as const,
    ),
    ['\x03\xd9\xa2\x9a', /KeePass/, /keepassxc-cli export/],
    ['\xac\xed\0\x05', /FreeOTP/, /FreeOTP\+/],
    ['-----BEGIN PGP MESSAGE-----\n', /OpenPGP/, /gpg --decrypt/],
    ['\x85\x02\x0c\x03', /OpenPGP/, /pass show/],
    ['\x85\x01\x0c\x03', /OpenPGP/, /pass show/],
    ['age-encryption.org/v1\n', /age/, /age --decrypt/],
    ['{"version":1,"salt":"a","content":"b"}', /Proton Authenticator/, /without a password/],
    ['{"encrypted":true,"passwordProtected":true,"data":"x"}', /Bitwarden/, /file format \.json/],
    ['{"version":1,"kdfParams":{"memLimit":1e12},"encryptedData":"","encryptionNonce":""}', /Ente/, /plain text/],
  ];
  for (const [bytes, program, hint] of known) {
    it(`is named with how to export it: ${program.source}, ${JSON.stringify(bytes.slice(0, 12))}`, () => {
      const found = readExport(Buffer.from(bytes, 'latin1'));
      assert.ok(found?.kind === 'unreadable');
      assert.match(found.program, program);
      assert.match(found.hint, hint);
    });
  }

  it('is undefined where it is nothing of these', () => {
    // Not text, and not random: as a program is, or text in UTF-16.
    for (const bytes of [Buffer.alloc(5000, 0xff), Buffer.from('secret: HSBRGZRKZDRLBVEY\u00e4\n'.repeat(20), 'utf16le')])
      assert.equal(readExport(bytes), undefined);
    for (const text of ['', 'hello', SECRET, `RIFF${SECRET}`, '{}', '[]', '{', '[[[[[[[[[[', '\x85\x03\0\0', 'a,b\n1,2', '{"tokens":[{}]}'])
      assert.equal(readExport(Buffer.from(text, 'latin1')), undefined, text);
    assert.equal(inputOf(Buffer.from([0xff, 0xfe])).text, '');
  });
});

describe('a locked file that is damaged', () => {
  const locked: readonly Uint8Array[] = [
    ...[
      { version: 1, header: { slots: [{ type: 1 }], params: {} }, db: 'AAAA' },
      {
        version: 1,
        header: { slots: [{ type: 1, n: 32_768, r: 8, p: 1, salt: 'xyz', key: '00', key_params: 3 }], params: {} },
        db: 'AAAA',
      },
      { version: 1, header: { slots: [{ type: 1, n: 3, r: 8, p: 1, salt: '00' }], params: {} }, db: 'AAAA' },
      { version: 1, header: { slots: [] }, db: '' },
      { schemaVersion: 4, services: [], servicesEncrypted: 'AAAA' },
      { schemaVersion: 4, services: [], servicesEncrypted: 'AAAA:AAAA:AAAA' },
      { kdfParams: { memLimit: 16_384, opsLimit: 1, salt: 'AAAAAAAAAAAAAAAAAAAAAA==' }, encryptedData: '', encryptionNonce: '' },
    ].map((json) => Buffer.from(JSON.stringify(json))),
    Buffer.from('AUTHENTICATORPRO' + 'x'.repeat(40)),
    Buffer.from('AuthenticatorPro' + 'x'.repeat(40)),
    Buffer.concat([Buffer.from([0, 2, 0x30, 0]), Buffer.alloc(30)]),
  ];
  for (const [i, bytes] of locked.entries()) {
    it(`opens by no password (${i + 1})`, () => {
      assert.equal(entriesOf(bytes, 'test').entries, undefined);
    });
  }

  it('asks for no more work than there is a cap for', () => {
    const salt = new Uint8Array(16);
    assert.equal(scrypt('a', salt, { N: 2 ** 22, r: 8, p: 1 }), undefined);
    assert.equal(scrypt('a', salt, { N: 16, r: 1, p: 9 }), undefined);
    assert.equal(scrypt('a', salt, { N: 16.5, r: 1, p: 1 }), undefined);
    assert.ok(scrypt('a', salt, { N: 16, r: 1, p: 1 }) !== undefined);
    assert.equal(openCbc(undefined, salt, salt), undefined);
    assert.equal(openGcm(undefined, salt, salt), undefined);
    for (const [cipher, bytes] of [
      ['aes-128-cbc', 16],
      ['aes-256-cbc', 32],
    ] as const) {
      const sealing = createCipheriv(cipher, new Uint8Array(bytes), salt);
      const sealed = Buffer.concat([sealing.update('hello'), sealing.final()]);
      assert.equal(openCbc(new Uint8Array(bytes), salt, sealed)?.toString(), 'hello');
    }
    for (const rounds of [0, 1.5, 5_000_001]) assert.equal(pbkdf2('a', salt, rounds, 'sha1'), undefined);
  });
});

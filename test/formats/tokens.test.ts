/** Files of hardware tokens: PSKC of RFC 6030, of python3-pskc and of pskctool, and the CSV files of makers. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { readPskc } from '../../src/formats/pskc.ts';
import { readAssignments, readTokenCsv } from '../../src/formats/token-csv.ts';
import { seedOf } from '../../src/formats/seeds.ts';
import type { HardwareToken, TokenDefaults, TokenFile } from '../../src/formats/tokens.ts';
import { rootOf } from '../../src/formats/xml.ts';
import { ROOT } from '../support/process.ts';
import { must, scratchFolder } from '../support/world.ts';
import { COUNTED, csvOf, KEY, lacksPskc, pskcOf, TIMED, tokenIn, toldOf } from './token-files.ts';

const PSK = '12345678901234567890123456789012';

function vector(name: string): string {
  return fs.readFileSync(path.join(ROOT, 'test/vectors', name), 'utf8');
}

/** The tokens in `text`, which `given` opens if it is locked. */
function tokensIn(text: string, given?: string, defaults?: TokenDefaults): TokenFile | undefined {
  const read = readPskc(text, 0, defaults);
  assert.equal(read?.kind, given === undefined ? 'tokens' : 'locked');
  return read.kind === 'locked' ? read.open(given ?? '') : read.file;
}

/** Why each token that cannot be used cannot. */
function wrong(file: TokenFile | undefined): string[] {
  return file?.mistakes.map(({ line, serial, why }) => `line ${line}: ${serial}: ${why}`) ?? [];
}

function key(attributes: string, inside: string, device = '<SerialNo>4711</SerialNo>'): string {
  return `<KeyPackage><DeviceInfo>${device}</DeviceInfo><Key ${attributes}>${inside}</Key></KeyPackage>`;
}

function container(...packages: readonly string[]): string {
  return `<KeyContainer xmlns="urn:ietf:params:xml:ns:keyprov:pskc">\n${packages.join('\n')}\n</KeyContainer>`;
}

/** The tokens of a CSV file. */
function told(text: string, defaults?: TokenDefaults): object[] | undefined {
  return csvOf(text, defaults)?.tokens.map(tokenIn);
}

describe('PSKC', () => {
  const expected = { serial: '987654321', user: '', type: 'hotp', digits: 8, secret: KEY, counter: 0 };

  it('of RFC 6030 opens with its pre-shared key (figure 6) and with its password (figure 7), and with no other', () => {
    for (const [name, given, by, model] of [
      ['pskc-pre-shared-key.xml', PSK, 'pre-shared key', 'Manufacturer'],
      ['pskc-password.xml', 'qwerty', 'password', 'TokenVendorAcme'],
    ] as const) {
      const text = vector(name);
      const read = readPskc(text, 0);
      assert.ok(read?.kind === 'locked' && read.by === by);
      assert.deepEqual(read.open(given)?.tokens.map(tokenIn), [{ ...expected, model }]);
      for (const other of ['', 'qwertz', PSK.replace('9', '8'), '00', '0'.repeat(64)]) assert.equal(read.open(other), undefined);
    }
  });

  it('whose value or MAC was changed is refused, and does not harm the other tokens', () => {
    const text = vector('pskc-pre-shared-key.xml');
    const [one = ''] = /<KeyPackage>[^]*<\/KeyPackage>/.exec(text) ?? [];
    for (const [from, to] of [
      ['AAECAwQFBgcICQoL', 'BAECAwQFBgcICQoL'],
      ['Su+NvtQf', 'Tu+NvtQf'],
      ['<ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</ValueMAC>', ''],
    ] as const) {
      const both = text.replace(one, one + one.replaceAll('987654321', '2').replace(from, to));
      const file = tokensIn(both, PSK);
      assert.equal(file?.tokens.length, 1);
      assert.deepEqual(wrong(file), ['line 19: 2: its MAC is wrong: it was changed, or the key is another']);
      assert.equal(tokensIn(text.replace(from, to), PSK), undefined);
    }
    for (const change of [
      text.replace('#hmac-sha1', '#hmac-md5'),
      text.replace('#hmac-sha1', ''),
      text.replace('ESIzRFVmd4iZABEiM0RVZgKn6WjLaTC1sbeBMSvIhRejN9vJa2BOlSaMrR7I5wSX', 'ESIz'),
      text.replace(/<MACKey>[^]*<\/MACKey>/, ''),
      text.replace(/<MACMethod[^]*<\/MACMethod>/, ''),
    ])
      assert.equal(tokensIn(change, PSK), undefined);
    const costly = vector('pskc-password.xml').replace('>1000<', '>9000000<');
    assert.equal(tokensIn(costly, 'qwerty'), undefined);
    assert.equal(tokensIn(vector('pskc-password.xml').replace('>16<', '>17<'), 'qwerty'), undefined);
  });

  it('of python3-pskc gives its tokens, plain and locked', { skip: lacksPskc() }, () => {
    const tokens = [TIMED, COUNTED];
    const locked = pskcOf(tokens, 'password', 'a');
    assert.equal(tokensIn(locked.replace(/<KeyLength>.*/, ''), 'a')?.tokens.length, 2);
    assert.equal(tokensIn(locked.replace(/<KeyLength>.*/, '<PRF Algorithm="#hmac-sha256"/>'), 'a'), undefined);
    for (const [words, given] of [
      [['plain'], undefined],
      [['password', 'korrektes Pferd'], 'korrektes Pferd'],
      [['key', PSK], PSK],
      [['key', PSK + PSK, 'aes256-cbc'], PSK + PSK],
      [['key', PSK + PSK.slice(16), 'aes192-cbc'], PSK + PSK.slice(16)],
    ] as const) {
      const file = tokensIn(pskcOf(tokens, ...words), given);
      assert.deepEqual(file?.tokens.map(tokenIn), tokens.map(toldOf));
      assert.deepEqual(file.mistakes, []);
    }
  });

  it('that pskctool has signed gives its tokens', { skip: lacksPskc() }, () => {
    const folder = scratchFolder('pskc');
    const [plain, signingKey, certificate] = ['plain.xml', 'key.pem', 'certificate.pem'].map((name) => path.join(folder, name)) as [
      string,
      string,
      string,
    ];
    fs.writeFileSync(plain, pskcOf([TIMED, COUNTED], 'plain'));
    const request = ['-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=notp', '-keyout', signingKey, '-out', certificate];
    must(['openssl', 'req', '-x509', ...request]);
    const signed = must(['pskctool', '--sign', '--sign-key', signingKey, '--sign-crt', certificate, plain]);
    assert.match(signed, /SignatureValue/);
    assert.deepEqual(tokensIn(signed)?.tokens.map(tokenIn), [TIMED, COUNTED].map(toldOf));
  });

  const totp = 'Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp"';
  const secret = '<Data><Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret></Data>';

  it('without parameters has what is usual, or what is said beside it', () => {
    const usual = { serial: '4711', model: '', user: '', type: 'totp', digits: 6, secret: KEY, period: 30 };
    assert.deepEqual(tokensIn(container(key(totp, secret)))?.tokens.map(tokenIn), [usual]);
    const defaults = { digits: 8, periodSeconds: 60, algorithm: 'SHA256' } as const;
    const [token] = tokensIn(container(key(totp, secret)), undefined, defaults)?.tokens ?? [];
    assert.deepEqual(token && tokenIn(token), { ...usual, digits: 8, period: 60 });
    assert.equal(token?.credential.algorithm, 'SHA256');
    const suite = '<AlgorithmParameters><Suite>HMAC-SHA512</Suite><ResponseFormat Length="8"/></AlgorithmParameters>';
    const [own] = tokensIn(container(key(totp, suite + secret)), undefined, defaults)?.tokens ?? [];
    assert.deepEqual([own?.credential.algorithm, own?.credential.digits], ['SHA512', 8]);
    const draft = container(key('Algorithm="http://www.ietf.org/keyprov/pskc#hotp" Id="A1"', secret, ''));
    assert.deepEqual(
      tokensIn(draft)?.tokens.map(tokenIn),
      [{ ...usual, serial: 'A1', type: 'hotp', period: undefined, counter: 0 }].map(withoutUndefined),
    );
  });

  it('tells whose a token is, also by a distinguished name', () => {
    const users = ['alice', 'UID=alice,DC=example', 'DC=example, CN=alice'].map((user) => key(totp, `${secret}<UserId>${user}</UserId>`));
    const device = key(totp, secret, '<SerialNo>4711</SerialNo><UserId>alice</UserId>');
    assert.deepEqual(
      tokensIn(container(...users, device))?.tokens.map(({ user }) => user),
      Array(4).fill('alice'),
    );
  });

  it('of which notp cannot hold a token says which and why', () => {
    const file = tokensIn(
      container(
        key('Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:OCRA-1:HOTP-SHA1-6:QN08"', secret),
        key(totp, `<AlgorithmParameters><ResponseFormat Encoding="HEXADECIMAL" Length="6"/></AlgorithmParameters>${secret}`),
        key(totp, `<AlgorithmParameters><ResponseFormat Length="5"/></AlgorithmParameters>${secret}`),
        key(totp, ''),
        key('', secret),
        key(totp, secret, ''),
        '<KeyPackage/>',
      ),
    );
    assert.deepEqual(file?.tokens, []);
    assert.deepEqual(wrong(file), [
      'line 2: 4711: unsupported kind of code: QN08',
      'line 3: 4711: unsupported encoding of its codes: "HEXADECIMAL"',
      'line 4: 4711: unsupported number of digits: 5',
      'line 5: 4711: its secret is malformed, or too short or too long',
      'line 6: 4711: unsupported kind of code: none',
      'line 7: : it has no serial number',
      'line 8: : unsupported kind of code: none',
    ]);
  });

  it('may have its counter encrypted too', () => {
    const text = vector('pskc-pre-shared-key.xml');
    const [value = ''] = /<EncryptedValue>[^]*<\/ValueMAC>/.exec(text) ?? [];
    const file = tokensIn(text.replace('<PlainValue>0</PlainValue>', value), PSK);
    assert.match(wrong(file).join(''), /unsupported counter: /);
  });

  it('is nothing else', () => {
    for (const text of ['', 'hello', '<a/>', '<KeyContainer>', '<!DOCTYPE a [<!ENTITY b "c">]><KeyContainer>&b;</KeyContainer>'])
      assert.equal(readPskc(text, 0), undefined);
    assert.equal(rootOf('<a>'.repeat(100_000)), undefined);
  });
});

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}

function serials(list: string): string[] {
  return readAssignments(list).map(({ serial }) => serial);
}

/** The kind of a token in a row of such columns, with its counter or interval, or why it has none. */
function kindIn(columns: string, values: string): string {
  const file = csvOf(`serial,seed,${columns}\n1,${KEY},${values}\n`);
  const [taken] = file?.tokens ?? [];
  if (taken === undefined) return file?.mistakes[0]?.why ?? '';
  const { credential } = taken;
  return credential.type === 'totp' ? `totp ${credential.periodSeconds}` : `hotp ${credential.counter}`;
}

/** What the codes are made with in a row of such columns, or why that is not known. */
function parameters(columns: string, values: string): unknown {
  const read = readTokenCsv(`upn,serial number,secret key,${columns}\nalice,1,${KEY},${values}\n`);
  if (read === undefined || 'why' in read) return read?.why;
  const [mistake] = read.mistakes;
  if (mistake !== undefined) return mistake.why;
  const [{ credential }] = read.tokens as [HardwareToken];
  return [
    credential.type,
    credential.algorithm,
    credential.digits,
    credential.type === 'totp' ? credential.periodSeconds : credential.counter,
  ];
}

/** The token in a row of such columns, or why there is none. */
function rowIn(columns: string, values: string): unknown {
  const file = csvOf(`serial,${columns}\n1,${values}\n`);
  return file?.mistakes[0]?.why ?? file?.tokens.map(tokenIn);
}

describe('the CSV of tokens', () => {
  const BASE32 = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
  const token = {
    serial: '1234567',
    model: 'Contoso HardwareKey',
    user: 'Helga@contoso.com',
    type: 'totp',
    digits: 6,
    secret: KEY,
    period: 60,
  };

  it('is that of Entra, in any order, with its seeds in base32, hex or base64', () => {
    const header = 'upn,serial number,secret key,time interval,manufacturer,model';
    for (const seed of [BASE32, BASE32.toLowerCase(), KEY, KEY.toUpperCase(), `0x${KEY}`, Buffer.from(KEY, 'hex').toString('base64')])
      assert.deepEqual(told(`${header}\nHelga@contoso.com,1234567,${seed},60,Contoso,HardwareKey\n`), [token]);
    assert.deepEqual(
      told(
        `\ufeffModel;Manufacturer;UPN;Serial Number;Secret Key;Time Interval\r\nHardwareKey;Contoso;Helga@contoso.com;1234567;${BASE32};60\r\n`.slice(
          1,
        ),
      ),
      [token],
    );
  });

  it('is that of Token2, of Feitian without a header, and the log of the tool of Yubico', () => {
    const plain = { ...token, model: '', user: '' };
    assert.deepEqual(told(`serial,secret(hex)\n1234567,${KEY}\n`), [{ ...plain, period: 30 }]);
    assert.deepEqual(told(`1234567,${KEY}\n\n`, { periodSeconds: 60 }), [plain]);
    assert.deepEqual(told(`1234567\t${KEY}`, { digits: 8, algorithm: 'SHA256' }), [{ ...plain, digits: 8, period: 30 }]);
    const log = `LOGGING START,30.11.26 13:00\nOATH-HOTP,30.11.26 13:01,1,ubhe12345678,,${KEY},,,0,0,0,6,0,0,0,0,0,0\nOATH-HOTP,30.11.26 13:02,1,,,${KEY}\n`;
    const yubico = { ...plain, model: 'Yubico', type: 'hotp', counter: 0, period: undefined };
    assert.deepEqual(told(log), [
      withoutUndefined({ ...yubico, serial: 'ubhe12345678' }),
      withoutUndefined({ ...yubico, serial: '30.11.26 13:02' }),
    ]);
  });

  it('has tokens by events with a counter, or with no interval', () => {
    const counted = withoutUndefined({ ...token, model: '', user: '', type: 'hotp', counter: 0, period: undefined });
    assert.deepEqual(told(`serial,seed,time interval\n1234567,${KEY},0\n`), [counted]);
    assert.deepEqual(told(`serial,seed,counter,digits,algorithm\n1234567,${KEY},7,8,SHA-256\n`), [{ ...counted, counter: 7, digits: 8 }]);
    assert.deepEqual(told(`serial,seed,model\n1234567,${KEY},HOTP c100\n`), [{ ...counted, model: 'HOTP c100' }]);
  });

  it('had a token of the type TOTP counted where its table has a column for counters', () => {
    const all = 'type,counter,interval';
    const rows: readonly (readonly [columns: string, values: string, expected: string])[] = [
      [all, 'TOTP,0,60', 'totp 60'],
      [all, 'TOTP,0,', 'totp 30'],
      [all, 'time-based,,30', 'totp 30'],
      [all, 'TOTP,7,60', 'its type is TOTP, but it has a counter'],
      [all, 'TOTP,,0', 'unsupported period: 0 seconds'],
      [all, 'HOTP,7,30', 'hotp 7'],
      [all, 'OATH-HOTP,,0', 'hotp 0'],
      [all, 'Event,7,60', 'its type is HOTP, but it has an interval'],
      [all, 'c200,0,60', 'it has a counter and an interval, but no type'],
      [all, ',,60', 'totp 60'],
      ['counter,interval', '7,0', 'hotp 7'],
      ['model', 'EventGuard TOTP 300', 'totp 30'],
      ['model,type', 'HOTP c100,TOTP', 'totp 30'],
      ['model,counter', 'HOTP/TOTP,5', 'hotp 5'],
      ['counter', '0x10', 'unsupported counter: 0x10'],
      ['counter', '1e3', 'unsupported counter: 1e3'],
      ['interval', 'thirty', 'unsupported period: thirty seconds'],
      ['digits', '8.0', 'unsupported number of digits: 8.0'],
    ];
    for (const [columns, values, expected] of rows) assert.equal(kindIn(columns, values), expected, `${columns}: ${values}`);
  });

  it('had columns whose names were not known passed over, and the usual parameters taken', () => {
    for (const name of ['hash algorithm', 'Algo', 'HMAC', 'HMAC-Algorithm'])
      assert.deepEqual(parameters(name, 'SHA256'), ['totp', 'SHA256', 6, 30]);
    for (const name of ['code length', 'Length', 'OTP digits', 'number of digits', 'code digits'])
      assert.deepEqual(parameters(name, '8'), ['totp', 'SHA1', 8, 30]);
    for (const name of ['time step (s)', 'step', 'timestep seconds', 'Period (seconds)', 'interval in seconds'])
      assert.deepEqual(parameters(name, '60'), ['totp', 'SHA1', 6, 60]);
    for (const name of ['initial counter', 'counter value', 'moving factor', 'event counter', 'start counter'])
      assert.deepEqual(parameters(name, '500'), ['hotp', 'SHA1', 6, 500]);
    const unknown = 'has columns that notp does not know: ';
    for (const name of ['pin', 'status', 'drift', 'expiry date', 'küche', '']) assert.equal(parameters(name, '1'), `${unknown}"${name}"`);
    assert.equal(parameters('a,b,c,d,e,f', '1,2,3,4,5,6'), `${unknown}"a", "b", "c", "d", "e"`);
    // Nothing is passed over in a column without a value, or with one that says something else.
    assert.deepEqual(parameters('pin,Department,order no,Batch number', ',Research,,77'), ['totp', 'SHA1', 6, 30]);
  });

  it('had a value taken and another one passed over', () => {
    const other = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJR';
    const plain = { serial: '1', model: '', user: '', type: 'totp', digits: 6, secret: KEY, period: 30 };
    assert.deepEqual(rowIn('secret hex,secret base32', `${KEY},${BASE32}`), [plain]);
    assert.deepEqual(rowIn('seed,secret base32', `${KEY},${BASE32}`), [plain]);
    for (const columns of ['secret hex,secret base32', 'secret hex,seed', 'secret base32,secret hex'])
      assert.match(
        String(rowIn(columns, columns.startsWith('secret hex') ? `${KEY},${other}` : `${other},${KEY}`)),
        /^its secret is another one in each column$/,
      );
    assert.equal(rowIn('secret hex,secret base32', `${KEY},${other}1`), 'its secret is malformed, or too short or too long');
    assert.equal(rowIn('seed,seed', `${KEY},${KEY.replace('31', '32')}`), 'its columns "seed" and "seed" differ');
    assert.equal(rowIn('seed,upn,username', `${KEY},alice,bob`), 'its columns "upn" and "username" differ');
    assert.deepEqual(rowIn('seed,step,interval', `${KEY},60,60`), [{ ...plain, period: 60 }]);
    assert.equal(rowIn('seed,manufacturer,interval', `${KEY},Foo, Inc,60`), 'it has more fields than the header');
    const bare = csvOf(`1,${KEY},60\n2,${KEY}\n`);
    assert.deepEqual(wrong(bare), ['line 1: 1: it has more than serial number and seed, and no header that says what']);
    assert.equal(bare?.tokens.length, 1);
    const log = csvOf(`OATH-HOTP,30.11.26 13:01,1,ubhe12345678,,${KEY},,,0,0,0,8,16,0,0,0,0,0\n`);
    assert.deepEqual(
      log?.tokens.map(tokenIn),
      [{ ...plain, serial: 'ubhe12345678', model: 'Yubico', type: 'hotp', digits: 8, counter: 16, period: undefined }].map(
        withoutUndefined,
      ),
    );
  });

  it('says with the line what cannot be used', () => {
    assert.deepEqual(wrong(csvOf(`serial,seed,model\n1,${KEY},a\u0007\na\u0007,${KEY},b\n`)), [
      'line 2: 1: its model is too long or has control characters',
      'line 3: a\u0007: its name is too long or has control characters',
    ]);
    const file = csvOf(`serial,seed,time interval\n1,${KEY},5\n2,hello!,30\n,${KEY},30\n4\n`);
    assert.deepEqual(wrong(file), [
      'line 2: 1: unsupported period: 5 seconds',
      'line 3: 2: its secret is malformed, or too short or too long',
      'line 4: : it has no serial number',
      'line 5: 4: its secret is malformed, or too short or too long',
    ]);
  });

  it('is nothing else', () => {
    for (const text of ['', 'hello', 'a,b\n1,2\n', '<KeyContainer/>']) assert.equal(csvOf(text), undefined);
    assert.ok('why' in seedOf('!'));
  });

  it('of owners has a user and a serial number a line', () => {
    const list = 'user,serial number\n# of Monday\nalice,1\n\n"bob",  2\ncarol\n';
    assert.deepEqual(readAssignments(list), [
      { line: 3, user: 'alice', serial: '1' },
      { line: 5, user: 'bob', serial: '2' },
      { line: 6, user: 'carol', serial: '' },
    ]);
    assert.deepEqual(readAssignments('# nobody\n'), []);
  });

  it('of owners lost a token whose serial number begins like a header', () => {
    assert.deepEqual(serials('alice,SERIAL-77\nbob,serial\n'), ['SERIAL-77', 'serial']);
    assert.deepEqual(serials('# of Monday, or later\nUser;Serial-No.\nalice;Serial1\n'), ['Serial1']);
  });
});

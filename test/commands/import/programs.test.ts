/** `notp import` of files that other programs write themselves here: KeePassXC, pass, zbarimg; and of what else people hand over. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacks, must } from '../../support/world.ts';
import { run } from '../../support/process.ts';
import { FEW, lacksWriter, MANY, STEAM, written } from '../../formats/written.ts';
import { answer, assertCodeOf, assertRefused, ownCodes, SECRET, type OwnCodes } from '../codes/own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

const URI = `otpauth://totp/GitHub:alice?secret=${SECRET}&issuer=GitHub`;
const BANK = 'otpauth://totp/Bank:ada?secret=4SJHB4GSD43FZBAI7C2HLRJGPQ&issuer=Bank&algorithm=SHA512&digits=8';
const BANK_CODES = ['4SJHB4GSD43FZBAI7C2HLRJGPQ', ['--totp=sha512', '--digits=8']] as const;

/** An entry of KeePass's XML. */
function entry(title: string, user: string, uri: string): string {
  const values = { Title: title, UserName: user, otp: uri.replaceAll('&', '&amp;') };
  const strings = Object.entries(values).map(([key, value]) => `<String><Key>${key}</Key><Value>${value}</Value></String>`);
  return `<Entry>${strings.join('')}</Entry>`;
}

describe('what other programs write', { skip: lacks({ programs: ['keepassxc-cli', 'pass', 'gpg', 'zbarimg', 'oathtool'] }) }, () => {
  let own: OwnCodes;
  before(() => {
    own = ownCodes('import-programs');
  });

  it('KeePassXC: its XML and CSV give the codes of each entry, and its database is named with the way to them', async () => {
    const database = path.join(own.folder, 'passwords.kdbx');
    const password = 'a password\n';
    const xml = `<?xml version="1.0"?><KeePassFile><Meta/><Root><Group><Name>all</Name>${entry('GitHub', 'alice', URI)}${entry('Bank', 'ada', BANK)}</Group></Root></KeePassFile>`;
    const made = await run(['keepassxc-cli', 'import', '--set-password', own.put('plain.xml', xml), database], {
      input: password.repeat(2),
    });
    assert.equal(made.code, 0, made.stderr);
    for (const format of ['xml', 'csv']) {
      const exported = await run(['keepassxc-cli', 'export', '--format', format, database], { input: password });
      const { code, stderr } = await own.import(format, exported.stdout);
      assert.equal(code, 0, stderr);
      await assertCodeOf(own, `${format}-GitHub-alice`, SECRET);
      await assertCodeOf(own, `${format}-Bank-ada`, ...BANK_CODES);
    }
    assertRefused(
      await own.opening(['import', 'all', '--file', database]),
      1,
      /passwords\.kdbx is a KeePass database, which notp does not read\nnotp: hint: keepassxc-cli export FILE \| notp import NAME\n/,
    );
  });

  it('pass: what it shows of an entry, and the file of it named with the way to that', async () => {
    const home = path.join(own.folder, 'gnupg');
    fs.mkdirSync(home, { mode: 0o700 });
    const environment = { GNUPGHOME: home, PASSWORD_STORE_DIR: path.join(own.folder, 'store') };
    const gpg = ['gpg', '--batch', '--passphrase', '', '--quick-generate-key', 'notp test <notp@example.org>', 'default', 'default'];
    for (const command of [gpg, ['pass', 'init', 'notp@example.org']]) assert.equal((await run(command, { environment })).code, 0);
    try {
      for (const [name, text] of [
        ['first', `hunter2\n${URI}\nlogin: alice\n`],
        ['alone', `${BANK}\n`],
      ] as const) {
        assert.equal((await run(['pass', 'insert', '--multiline', name], { environment, input: text })).code, 0);
        const shown = await run(['pass', 'show', name], { environment });
        assert.equal((await own.import(`pass-${name}`, shown.stdout)).code, 0);
      }
      await assertCodeOf(own, 'pass-first', SECRET);
      await assertCodeOf(own, 'pass-alone', ...BANK_CODES);
      const file = path.join(environment.PASSWORD_STORE_DIR, 'first.gpg');
      assertRefused(
        await own.opening(['import', 'x', '--file', file]),
        1,
        /OpenPGP encrypts, which notp does not read\nnotp: hint: .*pass show ENTRY/,
      );
    } finally {
      await run(['gpgconf', '--kill', 'all'], { environment });
    }
  });

  it('zbarimg: its lines as they are, and a picture named with the way to them, which works', async () => {
    const picture = path.join(own.folder, 'code.png');
    const exported = await own.import('shown', URI);
    assert.equal(exported.code, 0, exported.stderr);
    assert.equal((await own.opening(['export', 'shown', '--to', 'png', '--file', picture])).code, 0);
    const other = path.join(own.folder, 'other.png');
    assert.equal((await own.opening(['export', 'pass-alone', '--to', 'png', '--file', other])).code, 0);
    const lines = must(['zbarimg', '-q', picture, other]);
    assert.match(lines, /^(QR-Code:otpauth:.*\n){2}$/);
    const { code, stderr } = await own.import('scanned', lines);
    assert.equal(code, 0, stderr);
    await assertCodeOf(own, 'scanned-GitHub-alice', SECRET);
    await assertCodeOf(own, 'scanned-Bank-ada', ...BANK_CODES);
    const refused = await own.opening(['import', 'picture', '--file', picture]);
    assertRefused(refused, 1, /code\.png is a picture, which notp does not read\n/);
    const [, hint = ''] = /hint: (zbarimg .*?) \| notp import NAME;/.exec(refused.stderr) ?? [];
    const piped = must(['sh', '-c', hint.replace('FILE', picture)]);
    assert.equal((await own.import('picture', piped)).code, 0);
    await assertCodeOf(own, 'picture', SECRET);
  });
});

describe('a file of another program', { skip: lacksWriter() }, () => {
  let own: OwnCodes;
  before(() => {
    own = ownCodes('import-exports');
  });

  it('comes in without what notp cannot hold, which is named', async () => {
    const file = own.put('aegis.json', written('aegis', [...MANY, STEAM]));
    const { code, stdout, stderr } = await own.opening(['import', 'phone', '--file', file]);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /^(Imported phone-[^\n]+\n){4}Imported 4 of 5 secrets\nSkipped: 1\n {2}entry 5: "Steam:bob": unsupported kind of code: steam\n$/,
    );
    await assertCodeOf(own, 'phone-GitHub-alice', SECRET);
    const json = await own.opening(['import', 'json', '--file', file, '--json']);
    const skipped = json.stdout.trimEnd().split('\n').at(-1) ?? '';
    const expected = { context: null, result: 'skipped', place: 'entry 5', name: 'Steam:bob', why: 'unsupported kind of code: steam' };
    assert.deepEqual(JSON.parse(skipped), expected);
  });

  it('of which nothing can come in is refused with the reason', async () => {
    assertRefused(
      await own.import('nothing', written('two_fas', [STEAM])),
      1,
      /this file of 2FAS has no secret that notp can hold: entry 1: "Steam:bob": unsupported kind of code: STEAM\n/,
    );
  });

  it('of which much cannot come in names the first, and counts the others', async () => {
    const { code, stderr } = await own.import('much', written('two_fas', [...FEW, ...Array<typeof STEAM>(25).fill(STEAM)]));
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Skipped: 25\n(?: {2}entry \d+: [^\n]+\n){20} {2}and 5 more\n$/);
  });

  it('that is locked opens with its password, which also seals, unless another is given', async () => {
    const password = 'its own password';
    const words = ['--passphrase-file', own.put('password', `${password}\n`)];
    const file = own.put('vault.json', written('aegis', FEW, password));
    assertRefused(await own.opening(['import', 'locked', '--file', file]), 1, /the password does not open this file of Aegis/);
    assert.equal((await own.notp(['import', 'locked', '--file', file, ...words])).code, 0);
    const shown = await own.notp(['code', 'locked', ...words]);
    assert.match(shown.stdout, /^\d{6}\n$/);
    const resealed = ['import', 'resealed', '--file', file, ...words, '--new-passphrase-file', own.passphraseFile];
    assert.equal((await own.notp(resealed)).code, 0);
    await assertCodeOf(own, 'resealed', SECRET);
    const stratum = own.put('backup.stratum', written('stratum', FEW, password));
    const terminal = own.inTerminal(['import', 'asked', '--file', stratum]);
    await answer(
      terminal,
      [/Password of the Stratum file: /, password],
      [/New passphrase: /, PASSPHRASE],
      [/The same again: /, PASSPHRASE],
    );
    assert.equal(await terminal.exited, 0, terminal.output());
    await assertCodeOf(own, 'asked', SECRET);
  });

  it('takes no word on its parameters, and may be larger than a list of URIs', async () => {
    assertRefused(await own.import('x', written('aegis', FEW), ['--digits', '8']), 2, /a file of Aegis already has these parameters/);
    const large = JSON.stringify({ ...JSON.parse(Buffer.from(written('aegis', FEW)).toString()), icon: 'A'.repeat(1024 * 1024) });
    assert.equal((await own.import('large', large)).code, 0);
    const larger = own.put('larger.json', `${large}${' '.repeat(16 * 1024 * 1024)}`);
    assertRefused(await own.opening(['import', 'larger', '--file', larger]), 1, /larger\.json is over 16384 KiB/);
  });
});

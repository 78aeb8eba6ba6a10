/** `notp export`: the secret in the clear as URI, base32 or QR code, after the passphrase, and into no file that is there. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { parseOtpauthUri, shortUri } from '../../../src/otp/uri.ts';
import { drawQr } from '../../../src/terminal/qr.ts';
import { acrossLines } from '../../support/process.ts';
import { lacks, must } from '../../support/world.ts';
import { answer, assertRefused, migrationUri, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';
import { steered } from '../enroll/steered.ts';

const URI = `otpauth://totp/Big%20Corp:eve?secret=${SECRET}&issuer=Big%20Corp&algorithm=SHA1&digits=6&period=30`;

describe('exporting', { skip: lacks({ programs: ['zbarimg', 'rsvg-convert', 'python3', 'oathtool'] }) }, () => {
  let own: OwnCodes;
  before(async () => {
    own = ownCodes('export');
    assert.equal((await own.import('corp', URI)).code, 0);
  });

  it('gives the URI with every parameter, base32, or both in one object', async () => {
    const uri = await own.opening(['export', 'corp']);
    assert.deepEqual(uri, { code: 0, signal: null, stdout: `${URI}\n`, stderr: '' });
    assert.equal((await own.opening(['export', 'corp', '--to', 'base32'])).stdout, `${SECRET}\n`);
    const { stdout } = await own.opening(['export', 'corp', '--json']);
    const names = { context: 'corp', type: 'totp', issuer: 'Big Corp', account: 'eve', algorithm: 'SHA1', digits: 6, period: 30 };
    assert.deepEqual(JSON.parse(stdout), { ...names, secret: SECRET, uri: URI });
  });

  it('draws a QR code in a pipe that scans to the URI', async () => {
    const { code, stdout } = await own.opening(['export', 'corp', '--to', 'qr']);
    assert.equal(code, 0);
    assert.equal(scanned(own.put('drawing.pgm', greyMap(stdout))), URI);
  });

  it('draws it on a terminal after the passphrase, and not where it would wrap', async () => {
    const terminal = own.inTerminal(['export', 'corp', '--to', 'qr']);
    await answer(terminal, [/Passphrase for corp: /, PASSPHRASE]);
    assert.equal(await terminal.exited, 0);
    assert.ok(terminal.output().endsWith(drawQr(shortUri(parseOtpauthUri(URI)), 'unicode', 2).replaceAll('\n', '\r\n')));
    assert.ok(!terminal.output().includes(PASSPHRASE));
    const narrow = own.inTerminal(['export', 'corp', '--to', 'qr'], 30);
    await answer(narrow, [/Passphrase for corp: /, PASSPHRASE]);
    await narrow.expect(
      acrossLines(/hint: the QR code needs \d+ columns, and this terminal has 30: widen it, or give --to png --file\r\n/),
    );
    assert.equal(await narrow.exited, 3);
    assert.doesNotMatch(narrow.output(), /[▀▄█]/);
  });

  it('makes images that scan to the URI, in a file of mode 0600 or in a pipe', async () => {
    for (const kind of ['png', 'svg'] as const) {
      const file = path.join(own.folder, `corp.${kind}`);
      const { code, stdout, stderr } = await own.opening(['export', 'corp', '--to', kind, '--file', file]);
      assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
      assert.equal(stderr, `notp: hint: ${file} holds the secret unencrypted: delete it after use\n`);
      assert.equal(fs.statSync(file).mode & 0o777, 0o600);
      const png = kind === 'svg' ? path.join(own.folder, 'from-svg.png') : file;
      if (kind === 'svg') must(['rsvg-convert', '--zoom', '2', '--output', png, file]);
      assert.equal(scanned(png), URI, kind);
    }
    const piped = own.shellInTerminal(`"$@" > ${own.folder}/piped.png`, [
      'export',
      'corp',
      '--to',
      'png',
      '--passphrase-file',
      own.passphraseFile,
    ]);
    assert.equal(await piped.exited, 0, piped.output());
    assert.equal(scanned(path.join(own.folder, 'piped.png')), URI);
  });

  it('writes no image on a terminal, before it asks for anything', async () => {
    for (const kind of ['png', 'svg']) {
      const terminal = own.inTerminal(['export', 'corp', '--to', kind]);
      await terminal.expect(
        new RegExp(`error: ${kind} cannot be shown on a terminal\r\nnotp: hint: give --file corp.${kind}, or redirect stdout`),
      );
      assert.equal(await terminal.exited, 2);
    }
  });

  it('overwrites no file and follows no symlink', async () => {
    const there = own.put('there', 'mine');
    const link = path.join(own.folder, 'link');
    fs.symlinkSync(path.join(own.folder, 'elsewhere'), link);
    const nowhere = await own.opening(['export', 'corp', '--file', path.join(own.folder, 'no/such/folder')]);
    // Root writes into no folder that somebody may make meanwhile.
    if (process.getuid?.() === 0)
      assertRefused(nowhere, 2, /no\/such: there is no such folder\nnotp: hint: name a file in a folder that only root can write/);
    else assertRefused(nowhere, 3, /--file never overwrites; name a new file/);
    for (const file of [there, link, own.folder])
      assertRefused(await own.opening(['export', 'corp', '--file', file]), 3, /--file never overwrites; name a new file/);
    assert.equal(fs.readFileSync(there, 'utf8'), 'mine');
    assert.ok(!fs.existsSync(path.join(own.folder, 'elsewhere')));
  });

  it("writes as root through no folder and no symlink of somebody else's", { skip: lacks({ root: true }) }, async () => {
    const { home, aim } = steered(own.folder);
    for (const file of [`${home}/x`, `${home}/link/x`, `${own.folder}/theirs/x`])
      assertRefused(
        await own.opening(['export', 'corp', '--file', file]),
        2,
        /somebody else\nnotp: hint: name a file in a folder that only root can write/,
      );
    assert.deepEqual([fs.readdirSync(aim), fs.readdirSync(home)], [[], ['link']]);
  });

  it('gives nothing for a wrong passphrase, nor into a full device', async () => {
    const wrong = own.put('wrong', 'something else\n');
    assertRefused(await own.notp(['export', 'corp', '--passphrase-file', wrong]), 1, /wrong passphrase for corp/);
    assertRefused(await own.opening(['export', 'none']), 1, /there is no secret/);
    assertRefused(await own.opening(['export', 'corp', '--to', 'paper']), 2, /Allowed choices are uri, base32, qr, png, svg/);
    const full = own.shellInTerminal('"$@" > /dev/full', ['export', 'corp', '--passphrase-file', own.passphraseFile]);
    await full.expect(/the result cannot be written to stdout: no space left on\s+device\s+\(ENOSPC\)/);
    assert.equal(await full.exited, 3);
  });

  it('never has a secret whose names no URI could hold: importing it is refused', async () => {
    const long = '😀'.repeat(128);
    const account = { secret: Buffer.from('12345678901234567890'), name: long, issuer: long };
    assertRefused(await own.import('long', migrationUri([account])), 1, /issuer and account are too long for an otpauth URI/);
    assert.ok(!fs.existsSync(path.join(own.secrets, 'long')));
  });

  it('lets the owner take along what they log in with, where their passphrase seals it', async () => {
    const { secret } = await own.enrol('ssh');
    const earlier = own.snapshot();
    assert.equal((await own.opening(['export', 'ssh', '--to', 'base32'])).stdout, `${secret}\n`);
    assert.deepEqual(own.snapshot(), earlier);
  });
});

function scanned(file: string): string {
  return must(['zbarimg', '--raw', '-q', file]).trimEnd();
}

/** What `##` and blanks show, as a portable grey map (pgm(5)). */
function greyMap(drawing: string): Buffer {
  const scale = 4;
  const rows = drawing.trimEnd().split('\n');
  const width = Math.max(...rows.map((row) => row.length / 2));
  const pixels = rows.flatMap((row) => {
    const line = Buffer.from(Array.from({ length: width * scale }, (_, x) => (row[2 * Math.floor(x / scale)] === '#' ? 0 : 255)));
    return Array.from({ length: scale }, () => line);
  });
  return Buffer.concat([Buffer.from(`P5 ${String(width * scale)} ${String(pixels.length)} 255\n`), ...pixels]);
}

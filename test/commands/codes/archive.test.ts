/** `notp export --all` and its import: all secrets in one sealed file, for any user and any host. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacks } from '../../support/world.ts';
import { answer, assertCodeOf, assertRefused, codeBy, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

describe('an archive of all secrets', { skip: lacks({ programs: ['oathtool', 'python3', 'setsid'] }) }, () => {
  let own: OwnCodes;
  let archive: string;
  before(async () => {
    own = ownCodes('archive');
    archive = path.join(own.folder, 'backup.notp');
    const uri = `otpauth://totp/GitHub:alice?secret=${SECRET}&issuer=GitHub&algorithm=SHA256&digits=8&period=45`;
    assert.equal((await own.import('github', uri)).code, 0);
    assert.equal((await own.import('bank', `otpauth://hotp/bank?secret=${SECRET}&counter=7`)).code, 0);
    await own.enrol();
    const { code, stdout, stderr } = await own.opening(['export', '--all', '--file', archive]);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
    assert.equal(stderr, `2 secrets in ${archive}, sealed by the same passphrase; notp import --file reads it\n`);
  });
  const KIND = ['--totp=sha256', '--digits=8', '--time-step-size=45s'];

  it('is a new file of 0600, in which no secret and no name is readable', () => {
    assert.equal(fs.statSync(archive).mode & 0o777, 0o600);
    assert.doesNotMatch(fs.readFileSync(archive, 'utf8'), new RegExp(`github|alice|bank|${SECRET}`, 'i'));
  });

  it('comes in again with its names, parameters and counters, sealed by its passphrase, and opens together', async () => {
    const other = ownCodes('archive-other');
    const imported = await other.opening(['import', '--file', archive, '--json']);
    assert.equal(imported.code, 0, imported.stderr);
    assert.deepEqual(
      imported.stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { context: string }).context),
      ['bank', 'github'],
    );
    await assertCodeOf(other, 'github', SECRET, KIND);
    assert.equal((await other.opening(['code', 'bank'])).stdout, `${codeBy(SECRET, 0, ['--hotp', '--counter=7'])}\n`);
    const again = await other.opening(['import', '--file', archive]);
    assertRefused(again, 1, /\/bank already exists\nnotp: hint: give --replace/);
    assert.equal((await other.opening(['import', '--file', archive, '--replace'])).code, 0);
  });

  it('asks for its password once in a terminal, and gives out one secret by its name', async () => {
    const other = ownCodes('archive-one');
    const terminal = other.inTerminal(['import', 'github', '--file', archive], 200);
    await answer(terminal, [/Password of the notp file: /, PASSPHRASE]);
    await terminal.expect(/Imported github: /);
    assert.equal(await terminal.exited, 0);
    assert.deepEqual(
      Object.keys(other.files()).filter((name) => !name.startsWith('.')),
      ['github'],
    );
    assertRefused(
      await other.opening(['import', 'none', '--file', archive]),
      1,
      /the archive has no secret none\nnotp: hint: it has bank, github/,
    );
  });

  it('goes through pipes, and to another passphrase', async () => {
    const piped = await own.opening(['export', '--all']);
    assert.equal(piped.code, 0);
    const other = ownCodes('archive-piped');
    const newFile = other.put('new', 'battery staple\n');
    const words = ['import', '--file', '-', '--passphrase-file', other.passphraseFile, '--new-passphrase-file', newFile];
    const { code, stderr } = await other.notp(words, { input: piped.stdout });
    assert.equal(code, 0, stderr);
    const exported = await other.notp(['export', 'github', '--to', 'base32', '--passphrase-file', newFile]);
    assert.equal(exported.stdout, `${SECRET}\n`);
  });

  it('is refused whole where it was changed or cut, or the password is wrong, and nothing comes in', async () => {
    const other = ownCodes('archive-broken');
    const text = fs.readFileSync(archive, 'utf8');
    const wrong = other.put('wrong', 'not this one\n');
    assertRefused(
      await other.notp(['import', '--file', archive, '--passphrase-file', wrong]),
      1,
      /the password does not open this file of notp/,
    );
    for (const [content, said] of [
      [text.slice(0, -40), /the archive is not JSON\nnotp: hint: the archive was cut off or changed; nothing was imported/],
      [text.replace('"t": 3', '"t": 1'), /"t" must be a whole number from 2 to 6/],
      [text.replace('"t": 3', '"t": 2'), /the password does not open this file of notp/],
      [text.replace('archive/1', 'archive/1", "more": "'), /unknown key|exact form/],
    ] as const)
      assertRefused(await other.opening(['import', '--file', other.put('broken', content)]), 1, said);
    assert.ok(!fs.existsSync(other.secrets));
    assertRefused(await other.opening(['import', '--file', archive, '--digits', '8']), 2, /an archive already has these parameters/);
  });

  it('names what another passphrase seals, and then ends with 1', async () => {
    const other = own.put('other', 'battery staple\n');
    assert.equal((await own.notp(['import', 'work', '--passphrase-file', other], { input: SECRET })).code, 0);
    const { code, stderr } = await own.opening(['export', '--all', '--file', `${archive}.2`]);
    assert.equal(code, 1);
    assert.match(stderr, /^2 secrets in [^]*notp: error: not in the archive, since another passphrase seals them: work\nnotp: hint: /);
    assert.equal((await own.notp(['remove', 'work', '--yes'])).code, 0);
  });

  it('overwrites nothing, is not shown on a terminal, and is not made of nothing', async () => {
    assertRefused(await own.opening(['export', '--all', '--file', archive]), 3, /already exists/);
    const terminal = own.inTerminal(['export', '--all'], 200);
    await terminal.expect(/an archive is no text for a terminal\r\nnotp: hint: give --file FILE/);
    assert.equal(await terminal.exited, 2);
    assertRefused(await own.opening(['export', 'github', '--all']), 2, /--all exports every secret/);
    assertRefused(await ownCodes('archive-none').opening(['export', '--all']), 1, /there are no secrets of your own/);
    const wrong = own.put('wrong', 'not this one\n');
    assertRefused(await own.notp(['export', '--all', '--passphrase-file', wrong]), 1, /this passphrase opens none of them/);
  });

  it('is all that an import without a name can be', async () => {
    assertRefused(await own.opening(['import', '--file', own.put('bare', SECRET)]), 2, /the secret needs a name/);
  });
});

/** `notp passphrase`: the new one opens, the old one does not, and whatever goes wrong before changes nothing. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { acrossLines } from '../../support/process.ts';
import { lacks, scratchFolder, addUser, installNotp, must, runAs } from '../../support/world.ts';
import { answer, assertCodeOf, assertRefused, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

const NEW = 'battery staple';
const ASKS_OLD = /Passphrase for mail: /;
const ASKS_NEW = /New passphrase: /;
const ASKS_AGAIN = /The same again: /;

interface Sealed {
  readonly id: string;
  readonly created: string;
  readonly nonce: string;
  readonly seal: { readonly kind: string; readonly m: number; readonly t: number; readonly p: number; readonly salt: string };
}

function changing(from: string, to: string): string[] {
  return ['passphrase', 'mail', '--passphrase-file', from, '--new-passphrase-file', to];
}

describe('changing a passphrase', { skip: lacks({ programs: ['oathtool', 'python3', 'setsid'] }) }, () => {
  let own: OwnCodes;
  let newFile: string;
  before(async () => {
    own = ownCodes('passphrase');
    newFile = own.put('new', `${NEW}\n`);
    assert.equal((await own.import('mail', SECRET, ['--period', '60'])).code, 0);
  });
  const sealed = (): Sealed => JSON.parse(fs.readFileSync(path.join(own.secrets, 'mail'), 'utf8')) as Sealed;

  it('asks for the old and twice for the new one, hidden; then only the new one opens', async () => {
    const earlier = sealed();
    const terminal = own.inTerminal(['passphrase', 'mail']);
    await answer(terminal, [ASKS_OLD, PASSPHRASE], [ASKS_NEW, NEW], [ASKS_AGAIN, NEW]);
    await terminal.expect(acrossLines(/The passphrase of \S+\/mail is changed\. Copies of the old file still open with the old one\./));
    assert.equal(await terminal.exited, 0);
    for (const hidden of [PASSPHRASE, NEW, SECRET]) assert.ok(!terminal.output().includes(hidden));
    assertRefused(await own.opening(['code', 'mail']), 1, /wrong passphrase for mail/);
    const { stdout } = await own.notp(['export', 'mail', '--passphrase-file', newFile]);
    assert.equal(new URL(stdout).searchParams.get('secret'), SECRET);
    assert.equal(new URL(stdout).searchParams.get('period'), '60');
    const later = sealed();
    assert.notEqual(later.seal.salt, earlier.seal.salt);
    assert.notEqual(later.nonce, earlier.nonce);
    assert.deepEqual({ ...later.seal, salt: '' }, { kind: 'passphrase', kdf: 'argon2id', m: 65536, t: 3, p: 1, salt: '' });
    assert.deepEqual([later.id, later.created], [earlier.id, earlier.created]);
    assert.equal(fs.statSync(path.join(own.secrets, 'mail')).mode & 0o777, 0o600);
  });

  it('takes both from stdin, the old one first, and gives one object with --json', async () => {
    const words = ['passphrase', 'mail', '--passphrase-file', '-', '--new-passphrase-file', '-', '--json'];
    const { code, stdout, stderr } = await own.alone(words, { input: `${NEW}\n${PASSPHRASE}\n` });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.deepEqual(JSON.parse(stdout), { context: 'mail', file: path.join(own.secrets, 'mail'), id: sealed().id });
    await assertCodeOf(own, 'mail', SECRET, ['--totp', '--time-step-size=60s']);
  });

  it('changes nothing for a wrong old one, an empty or missing new one, or a secret that is not there', async () => {
    const earlier = own.files();
    const both = ['--passphrase-file', newFile, '--new-passphrase-file', own.passphraseFile];
    assertRefused(await own.notp(['passphrase', 'mail', ...both]), 1, /wrong passphrase for mail/);
    const empty = own.put('empty', '\n');
    assertRefused(await own.opening(['passphrase', 'mail', '--new-passphrase-file', empty]), 2, /the first line is not a passphrase/);
    assertRefused(await own.opening(['passphrase', 'none', '--new-passphrase-file', newFile]), 1, /there is no secret/);
    const none = await own.alone(['passphrase', 'mail', '--passphrase-file', own.passphraseFile]);
    assertRefused({ ...none, stderr: none.stderr.replace('New passphrase: ', '') }, 1, /no passphrase was given/);
    assert.deepEqual(own.files(), earlier);
  });

  it('put the file that it had begun with over one that was sealed anew meanwhile', async () => {
    const terminal = own.inTerminal(['passphrase', 'mail']);
    await answer(terminal, [ASKS_OLD, PASSPHRASE]);
    await terminal.expect(ASKS_NEW);
    const [old, next] = [own.passphraseFile, newFile];
    assert.equal((await own.notp(changing(old, next))).code, 0);
    const meanwhile = own.files();
    await answer(terminal, [/^/, 'a third one'], [ASKS_AGAIN, 'a third one']);
    await terminal.expect(/mail was changed meanwhile/);
    assert.equal(await terminal.exited, 1);
    assert.deepEqual(own.files(), meanwhile);
    assert.equal((await own.notp(changing(next, old))).code, 0);
  });

  for (const [how, answers, ending] of [
    ['new ones that differ', [PASSPHRASE, NEW], 'another one\r'],
    ['Ctrl-C at the old one', [], '\x03'],
    ['Ctrl-C at the new one', [PASSPHRASE], '\x03'],
    ['Ctrl-C at the same again', [PASSPHRASE, NEW], '\x03'],
  ] as const) {
    it(`changes nothing after ${how}`, async () => {
      const earlier = own.files();
      const questions = [ASKS_OLD, ASKS_NEW, ASKS_AGAIN];
      const terminal = own.inTerminal(['passphrase', 'mail']);
      await answer(terminal, ...answers.map((text, i) => [questions[i] ?? ASKS_OLD, text] as const));
      await terminal.expect(questions[answers.length] ?? ASKS_OLD);
      terminal.send(ending);
      await terminal.expect(/nothing was changed/);
      assert.equal(await terminal.exited, 1);
      assert.deepEqual(own.files(), earlier);
    });
  }
});

it(
  'an ordinary user keeps codes, and owns what is written',
  { skip: lacks({ root: true, programs: ['useradd', 'setpriv', 'oathtool'] }) },
  async () => {
    const notp = installNotp(scratchFolder('own-user'));
    const user = addUser();
    const words = ['--passphrase-file', '-', '--new-passphrase-file', '-'];
    const secret = path.join(user.home, 'secret');
    fs.writeFileSync(secret, SECRET);
    const imported = await runAs(user, [notp, 'import', 'mail', '--file', secret, '--passphrase-file', '-'], { input: `${PASSPHRASE}\n` });
    assert.equal(imported.code, 0, imported.stderr);
    const changed = await runAs(user, [notp, 'passphrase', 'mail', ...words], { input: `${PASSPHRASE}\n${NEW}\n` });
    assert.equal(changed.code, 0, changed.stderr);
    const file = `${user.home}/.notp/mail`;
    assert.equal(must(['stat', '-c', '%U %a', file, path.dirname(file)]), `${user.name} 600\n${user.name} 700\n`);
    const exported = await runAs(user, [notp, 'export', 'mail', '--to', 'base32', '--passphrase-file', '-'], { input: `${NEW}\n` });
    assert.equal(exported.stdout, `${SECRET}\n`);
    assert.equal((await runAs(user, [notp, 'remove', 'mail', '--yes'])).code, 0);
    assert.ok(!fs.existsSync(file));
  },
);

/** `notp rename`: another name for the same secret; what is interrupted or refused loses nothing. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { lacks } from '../../support/world.ts';
import { answer, assertCodeOf, assertRefused, codeBy, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

describe('renaming a secret', { skip: lacks({ programs: ['oathtool', 'python3', 'setsid'] }) }, () => {
  let own: OwnCodes;
  const file = (name: string): string => path.join(own.secrets, name);
  const idOf = (name: string): string => (JSON.parse(fs.readFileSync(file(name), 'utf8')) as { id: string }).id;
  beforeEach(async () => {
    own = ownCodes('rename');
    assert.equal((await own.import('old', SECRET)).code, 0);
  });

  it('asks for the passphrase, and then its codes are under the new name alone', async () => {
    const id = idOf('old');
    const terminal = own.inTerminal(['rename', 'old', 'new'], 200);
    await answer(terminal, [/Passphrase for old: /, PASSPHRASE]);
    await terminal.expect(/Renamed old to new: \S+\/new\r\n/);
    assert.equal(await terminal.exited, 0);
    assert.deepEqual([fs.existsSync(file('old')), idOf('new')], [false, id]);
    await assertCodeOf(own, 'new', SECRET);
  });

  it('keeps the counter of a secret that counts, and is one object with --json', async () => {
    assert.equal((await own.import('bank', `otpauth://hotp/bank?secret=${SECRET}&counter=5`)).code, 0);
    assert.equal((await own.opening(['code', 'bank'])).code, 0);
    const id = idOf('bank');
    const { code, stdout, stderr } = await own.opening(['rename', 'bank', 'sparkasse', '--json']);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.deepEqual(JSON.parse(stdout), { context: 'sparkasse', file: file('sparkasse'), id, before: 'bank' });
    assert.equal((await own.opening(['code', 'sparkasse'])).stdout, `${codeBy(SECRET, 0, ['--hotp', '--counter=6'])}\n`);
  });

  it('is refused, and changes nothing, for a name that is taken, no name, a login’s, a secret, or a wrong passphrase', async () => {
    assert.equal((await own.import('other', SECRET)).code, 0);
    await own.enrol('deploy');
    await own.enrol();
    const earlier = own.files();
    const wrong = own.put('wrong', 'not this one\n');
    for (const [words, exitCode, said] of [
      [['old', 'other'], 1, /\/other already exists\nnotp: hint: give another name, or remove that one first: notp remove other/],
      [['old', 'old'], 1, /\/old already exists/],
      [['old', '../x'], 2, /is not a context name/],
      [['old', 'ssh'], 2, /ssh is the context of logins here/],
      [['old', 'deploy'], 1, /deploy is a login of this host/],
      [['deploy', 'new'], 1, /deploy is a login of this host, which is not renamed/],
      [['ssh', 'new'], 1, /ssh is a login of this host, which is not renamed/],
      [['old', SECRET], 2, /looks like the secret itself/],
      [['none', 'new'], 1, /there is no secret/],
    ] as const)
      assertRefused(await own.opening(['rename', ...words]), exitCode, said);
    assertRefused(await own.notp(['rename', 'old', 'new', '--passphrase-file', wrong]), 1, /wrong passphrase for old/);
    assert.deepEqual(own.files(), earlier);
  });

  it('that was interrupted between the two files is completed by the same command', async () => {
    assert.equal((await own.import('bank', `otpauth://hotp/bank?secret=${SECRET}&counter=5`)).code, 0);
    for (const [from, to] of [
      ['old', 'new'],
      ['bank', 'sparkasse'],
    ] as const) {
      const bytes = fs.readFileSync(file(from));
      assert.equal((await own.opening(['rename', from, to])).code, 0);
      fs.writeFileSync(file(from), bytes, { mode: 0o600 });
      const { code, stderr } = await own.opening(['rename', from, to]);
      assert.deepEqual([code, fs.existsSync(file(from))], [0, false], stderr);
    }
    await assertCodeOf(own, 'new', SECRET);
    assert.equal((await own.opening(['code', 'sparkasse'])).stdout, `${codeBy(SECRET, 0, ['--hotp', '--counter=5'])}\n`);
  });

  it('that was interrupted leaves the counter to the name that stays when the other is removed', async () => {
    assert.equal((await own.import('bank', `otpauth://hotp/bank?secret=${SECRET}&counter=5`)).code, 0);
    const bytes = fs.readFileSync(file('bank'));
    assert.equal((await own.opening(['rename', 'bank', 'sparkasse'])).code, 0);
    fs.writeFileSync(file('bank'), bytes, { mode: 0o600 });
    assert.equal((await own.notp(['remove', 'bank', '--yes'])).code, 0);
    assert.equal((await own.opening(['code', 'sparkasse'])).stdout, `${codeBy(SECRET, 0, ['--hotp', '--counter=5'])}\n`);
  });

  it('does not take a file for its own that only claims the id', async () => {
    assert.equal((await own.import('other', SECRET)).code, 0);
    const forged = fs.readFileSync(file('other'), 'utf8').replace(idOf('other'), idOf('old'));
    fs.writeFileSync(file('other'), forged);
    const earlier = own.files();
    assertRefused(await own.opening(['rename', 'old', 'other']), 1, /wrong passphrase for other/);
    assert.deepEqual(own.files(), earlier);
  });
});

/** `notp remove`: deletes one's own secret after a question, and nothing that logs in. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { before, beforeEach, describe, it } from 'node:test';
import { lacks } from '../../support/world.ts';
import { answer, assertRefused, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';

describe('removing a secret', { skip: lacks({ programs: ['python3', 'setsid'] }) }, () => {
  let own: OwnCodes;
  before(() => {
    own = ownCodes('remove');
  });
  beforeEach(async () => {
    if (!fs.existsSync(file())) assert.equal((await own.import('shop', SECRET)).code, 0);
  });
  const file = (): string => path.join(own.secrets, 'shop');
  const QUESTION = /Remove \S+\/shop for good\? Its codes cannot be made again\. Type yes: /;

  it('takes a yes', async () => {
    const terminal = own.inTerminal(['remove', 'shop'], 200);
    await answer(terminal, [QUESTION, ' Yes ']);
    await terminal.expect(/Removed .*\/shop\r\n/);
    assert.equal(await terminal.exited, 0);
    assert.ok(!fs.existsSync(file()));
  });

  for (const [name, typed] of [
    ['no', 'no\r'],
    ['y alone', 'y\r'],
    ['an empty answer', '\r'],
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04'],
    ['yes and Ctrl-C', 'yes\x03'],
  ] as const) {
    it(`does nothing after ${name}`, async () => {
      const earlier = own.files();
      const terminal = own.inTerminal(['remove', 'shop'], 200);
      await terminal.expect(QUESTION);
      terminal.send(typed);
      await terminal.expect(/notp: error: not confirmed\r\nnotp: hint: nothing was changed/);
      assert.equal(await terminal.exited, 1);
      assert.deepEqual(own.files(), earlier);
    });
  }

  it('needs --yes where there is no terminal, whatever stdin says', async () => {
    assertRefused(await own.alone(['remove', 'shop'], { input: 'yes\n' }), 2, /there is no terminal to ask on\nnotp: hint: give --yes/);
    assert.ok(fs.existsSync(file()));
    const { code, stdout, stderr } = await own.alone(['remove', 'shop', '--yes']);
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '', stderr: `Removed ${file()}\n` });
    assert.ok(!fs.existsSync(file()));
    assertRefused(await own.alone(['remove', 'shop', '--yes']), 1, /there is no secret/);
  });

  it('with --json is one object', async () => {
    const { code, stdout, stderr } = await own.alone(['remove', 'shop', '--yes', '--json']);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.deepEqual(JSON.parse(stdout), { context: 'shop', file: file(), removed: true });
  });

  it('takes the drafts that a kill has left of it along, and no others', async () => {
    const draft = (name: string): string => path.join(own.secrets, `.${name}.0123456789abcdef.tmp`);
    for (const name of ['shop', 'shop.2']) fs.copyFileSync(file(), draft(name));
    assert.equal((await own.alone(['remove', 'shop', '--yes'])).code, 0);
    assert.deepEqual([fs.existsSync(draft('shop')), fs.existsSync(draft('shop.2'))], [false, true]);
    fs.rmSync(draft('shop.2'));
  });

  it('forgets the counter of a counted one, and of no other', async () => {
    for (const name of ['bank', 'other']) assert.equal((await own.import(name, `otpauth://hotp/a?secret=${SECRET}&counter=5`)).code, 0);
    const id = (name: string): string => (JSON.parse(fs.readFileSync(path.join(own.secrets, name), 'utf8')) as { id: string }).id;
    const kept = id('other');
    assert.equal(countersIn(own).length, 2);
    assert.equal((await own.alone(['remove', 'bank', '--yes'])).code, 0);
    assert.deepEqual(countersIn(own), [kept]);
    assert.equal((await own.alone(['remove', 'other', '--yes'])).code, 0);
  });

  it('leaves what logs in, whose file is still needed to refuse by', async () => {
    await own.enrol('ssh');
    const earlier = own.snapshot();
    const refused = await own.alone(['remove', 'ssh', '--yes']);
    assertRefused(refused, 1, /ssh is a login of this host, which is revoked and not removed/);
    assert.deepEqual(own.snapshot(), earlier);
  });

  it('refuses names that are none, and files that are no secrets', async () => {
    assertRefused(await own.alone(['remove', '../passphrase', '--yes']), 2, /is not a context name/);
    fs.writeFileSync(path.join(own.secrets, 'notes'), 'my notes', { mode: 0o600 });
    assertRefused(await own.alone(['remove', 'notes', '--yes']), 3, /notes/);
    assert.equal(fs.readFileSync(path.join(own.secrets, 'notes'), 'utf8'), 'my notes');
  });
});

/** The ids of the sealed files that the store counts for. */
function countersIn({ secrets }: OwnCodes): unknown[] {
  const store = new DatabaseSync(path.join(secrets, '.state.db'), { readOnly: true });
  try {
    return store
      .prepare('SELECT * FROM counter')
      .all()
      .map((row) => row['id']);
  } finally {
    store.close();
  }
}

/** `notp list`: names, seals and days, issuers and accounts with the passphrase, never secrets; broken files do not hide the others. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacks } from '../../support/world.ts';
import { ownCodes, SECRET, type OwnCodes } from './own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

describe('a list of secrets', { skip: lacks({ programs: ['python3'] }) }, () => {
  let own: OwnCodes;
  before(async () => {
    own = ownCodes('list');
    const uris = [
      `otpauth://totp/${encodeURIComponent('A company with a long name')}:${encodeURIComponent('somebody@example.org')}?secret=${SECRET}`,
      `otpauth://totp/b?secret=${SECRET}`,
    ];
    assert.equal((await own.import('work', uris[0] ?? '')).code, 0);
    assert.equal((await own.import('zoo', uris[1] ?? '')).code, 0);
    fs.writeFileSync(path.join(own.secrets, 'cut'), fs.readFileSync(path.join(own.secrets, 'zoo')).subarray(0, 80), { mode: 0o600 });
    fs.mkdirSync(path.join(own.secrets, 'dir'));
    fs.symlinkSync('zoo', path.join(own.secrets, 'link'));
    for (const name of ['.hidden', 'with blank', 'new\nline']) fs.writeFileSync(path.join(own.secrets, name), 'x', { mode: 0o600 });
  });

  it('in a pipe is a line for each name, sorted, with what is wrong with the broken ones', async () => {
    const { code, stdout, stderr } = await own.alone(['list']);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    const lines = stdout.split('\n');
    assert.match(lines[0] ?? '', /^cut {3}cannot be used: .*\/cut: /);
    assert.match(lines[1] ?? '', /^dir {3}cannot be used: .*\/dir is no regular file$/);
    assert.match(lines[2] ?? '', /^link {2}cannot be used: .*\/link is a symlink$/);
    assert.match(lines[3] ?? '', /^work {2}passphrase {2}\d{4}-\d\d-\d\d$/);
    assert.match(lines[4] ?? '', /^zoo {3}passphrase {2}\d{4}-\d\d-\d\d$/);
    assert.deepEqual(lines.slice(5), ['']);
  });

  it('with --json is an object for each, and with the passphrase its names, but never a secret', async () => {
    const { code, stdout } = await own.opening(['list', '--json']);
    assert.equal(code, 0);
    const found = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      found.map((each) => Object.keys(each)),
      [
        ['context', 'error'],
        ['context', 'error'],
        ['context', 'error'],
        ['context', 'seal', 'created', 'id', 'type', 'issuer', 'account'],
        ['context', 'seal', 'created', 'id', 'type', 'issuer', 'account'],
      ],
    );
    assert.equal(found[3]?.['issuer'], 'A company with a long name');
    assert.equal(found[4]?.['account'], 'b');
    assert.ok(!stdout.includes(SECRET));
    const names = (await own.alone(['list', '--json'])).stdout;
    assert.ok(!names.includes('issuer') && names.includes('"context":"work","seal":"passphrase"'));
  });

  it('fits a terminal of 80 columns and one of 40, where the names have a line of their own', async () => {
    for (const [columns, seen] of [
      [80, /work {2}passphrase {2}\d{4}-\d\d-\d\d {2}A company with a long name\s+somebody@example\.org\r\nzoo /],
      [40, /work {2}passphrase {2}\d{4}-\d\d-\d\d\r\n {4}A company with a long name\r\n {4}somebody@example\.org\r\nzoo /],
    ] as const) {
      const terminal = own.inTerminal(['list', '--passphrase-file', own.passphraseFile], columns);
      await terminal.expect(/link .*is a symlink\r\n/);
      await terminal.expect(columns === 80 ? /work[^]*zoo[^\n]*\n/ : seen);
      assert.equal(await terminal.exited, 0);
      assert.doesNotMatch(terminal.output(), new RegExp(`\\x1b|${PASSPHRASE}|${SECRET}`));
    }
  });

  it('with a passphrase that opens none of them is the names alone, and says so with exit code 1', async () => {
    const wrong = own.put('wrong', 'something else\n');
    const names = (await own.alone(['list'])).stdout;
    for (const command of ['list', 'code']) {
      const { code, stdout, stderr } = await own.notp([command, '--passphrase-file', wrong]);
      assert.deepEqual({ code, stdout }, { code: 1, stdout: names });
      assert.match(stderr, /^notp: error: this passphrase opens none of them\nnotp: hint: [^\n]+\n$/);
    }
  });

  it('with a passphrase that opens one of them is that one with its names, and the others without', async () => {
    const other = own.put('other', 'something else\n');
    assert.equal(
      (await own.notp(['import', 'zoo2', '--passphrase-file', other], { input: `otpauth://totp/keeper?secret=${SECRET}` })).code,
      0,
    );
    const { code, stdout, stderr } = await own.notp(['list', '--passphrase-file', other]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.match(stdout, /^zoo {3}passphrase {2}\S+\nzoo2 {2}passphrase {2}\S+ {2}keeper\n/m);
    assert.equal((await own.alone(['remove', 'zoo2', '--yes'])).code, 0);
  });

  it('that is empty says what to do, with exit code 0, and makes no folder', async () => {
    const empty = ownCodes('list-empty');
    const { code, stdout, stderr } = await empty.opening(['code']);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
    assert.match(stderr, /^notp: hint: there are no secrets yet: notp import stores one/);
    assert.ok(!fs.existsSync(empty.secrets));
    fs.mkdirSync(empty.secrets, { mode: 0o700 });
    assert.match((await empty.alone(['list'])).stderr, /there are no secrets yet/);
  });
});

/** `notp code` without a live display: one code, for a person and for scripts, and the list where no name is given. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run } from '../../support/process.ts';
import { lacks, scratchFolder, serviceUser, SOURCE_NOTP, writeConfig, type Enrolled } from '../../support/world.ts';
import { answer, assertCode, assertRefused, codeBy, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

const OTHER_PASSPHRASE = 'battery staple';
const BIDI = '\u202egnp';

describe('the current code', { skip: lacks({ programs: ['oathtool', 'python3'] }) }, () => {
  let own: OwnCodes;
  before(async () => {
    own = ownCodes('code');
    const uri = `otpauth://totp/GitHub:alice?secret=${SECRET}&issuer=GitHub&algorithm=SHA256&digits=8&period=45`;
    assert.equal((await own.import('github', uri)).code, 0);
  });
  const KIND = ['--totp=sha256', '--digits=8', '--time-step-size=45s'];

  it('is one plain line in a pipe, nothing else said, after the passphrase from a file or stdin', async () => {
    const since = Date.now();
    const piped = await own.opening(['code', 'github']);
    assert.deepEqual({ ...piped, stdout: '' }, { code: 0, signal: null, stdout: '', stderr: '' });
    assert.match(piped.stdout, /^\d{8}\n$/);
    assertCode(piped.stdout.trimEnd(), since, SECRET, KIND);
    const asked = await own.alone(['code', 'github'], { input: `${PASSPHRASE}\n` });
    assert.equal(asked.stderr, 'Passphrase for github: ');
    assertCode(asked.stdout.trimEnd(), since, SECRET, KIND);
  });

  it('is printed once in a terminal with --once, after a hidden passphrase', async () => {
    const since = Date.now();
    const terminal = own.inTerminal(['code', 'github', '--once']);
    await answer(terminal, [/Passphrase for github: /, PASSPHRASE]);
    const [, shown = ''] = await terminal.expect(/\n(\d{8})\r\n/);
    assert.equal(await terminal.exited, 0);
    assertCode(shown, since, SECRET, KIND);
    assert.ok(!terminal.output().includes(PASSPHRASE));
    assert.ok(!terminal.output().includes('\x1b'), 'one plain line has no control sequences');
  });

  it('is one object with --json: this code and the next, and how long it is valid', async () => {
    const since = Date.now();
    const { code, stdout, stderr } = await own.opening(['code', 'github', '--json']);
    assert.equal(code, 0, stderr);
    const { code: shown, next, valid_seconds: valid, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
    const names = { context: 'github', type: 'totp', issuer: 'GitHub', account: 'alice', algorithm: 'SHA256', digits: 8, period: 45 };
    assert.deepEqual(rest, names);
    assertCode(String(shown), since, SECRET, KIND);
    assert.ok(Number(valid) >= 1 && Number(valid) <= 45);
    assert.ok([since, Date.now()].some((ms) => codeBy(SECRET, ms + 45_000, KIND) === next));
  });

  it('is not given for a wrong passphrase, none, or one of another secret', async () => {
    const wrong = own.put('wrong', `${OTHER_PASSPHRASE}\n`);
    const refused = await own.notp(['code', 'github', '--passphrase-file', wrong]);
    assertRefused(refused, 1, /^notp: error: wrong passphrase for github\n/);
    assert.ok(!refused.stderr.includes(OTHER_PASSPHRASE));
    const none = await own.alone(['code', 'github'], { input: '' });
    assertRefused({ ...none, stderr: none.stderr.replace('Passphrase for github: ', '') }, 1, /no passphrase was given/);
    const terminal = own.inTerminal(['code', 'github']);
    await answer(terminal, [/Passphrase for github: /, OTHER_PASSPHRASE]);
    await terminal.expect(/notp: error: wrong passphrase for github\r\nnotp: hint: /);
    assert.equal(await terminal.exited, 1);
    assert.ok(!terminal.output().includes(OTHER_PASSPHRASE));
  });

  it('ends without a code at Ctrl-C at the passphrase', async () => {
    const terminal = own.inTerminal(['code', 'github']);
    await terminal.expect(/Passphrase for github: /);
    terminal.send('\x03');
    assert.equal(await terminal.exited, 1);
    assert.doesNotMatch(terminal.output(), /\d{6}/);
  });

  it('is refused where there is no such secret, and where a name is none', async () => {
    assertRefused(await own.opening(['code', 'nothing']), 1, /there is no secret .*\/nothing\nnotp: hint: notp list shows all secrets/);
    assertRefused(await own.opening(['code', '../ssh']), 2, /"\.\.\/ssh" is not a context name/);
  });

  it('is not made of a file that is broken, shared, or of another name', async () => {
    const good = fs.readFileSync(path.join(own.secrets, 'github'));
    for (const [name, content, mode, said] of [
      ['cut', good.subarray(0, 100), 0o600, /cut: /],
      ['empty', '', 0o600, /empty: /],
      ['shared', good, 0o644, /has mode 0644, which lets others in/],
      ['renamed', good, 0o600, /sealed for another user or context/],
    ] as const) {
      const file = path.join(own.secrets, name);
      fs.writeFileSync(file, content);
      fs.chmodSync(file, mode);
      assertRefused(await own.opening(['code', name]), 3, said);
      fs.rmSync(file);
    }
  });
});

describe('code without a name', { skip: lacks({ programs: ['python3'] }) }, () => {
  let own: OwnCodes;
  before(async () => {
    own = ownCodes('code-list');
    const uri = `otpauth://totp/${encodeURIComponent(`Big${BIDI}`)}:eve?secret=${SECRET}`;
    assert.equal((await own.import('big', uri)).code, 0);
    const other = own.put('other', `${OTHER_PASSPHRASE}\n`);
    assert.equal((await own.notp(['import', 'small', '--passphrase-file', other], { input: SECRET })).code, 0);
  });

  it('lists the names at once in a pipe, and with a passphrase issuer and account, escaped', async () => {
    const piped = await own.alone(['code']);
    assert.equal(piped.code, 0);
    assert.equal(piped.stderr, '');
    assert.match(piped.stdout, /^big {4}passphrase {2}\d{4}-\d\d-\d\d\nsmall {2}passphrase {2}\d{4}-\d\d-\d\d\n$/);
    const opened = await own.opening(['code']);
    assert.match(opened.stdout, /^big .* {2}Big\\u202egnp {2}eve\nsmall {2}passphrase {2}\S+\n$/);
  });

  it('asks for a passphrase in a terminal, and an empty one gives the names', async () => {
    for (const [typed, seen] of [
      [PASSPHRASE, /big .* {2}Big\\u202egnp {2}eve\r\nsmall /],
      ['', /big {4}passphrase {2}\d{4}-\d\d-\d\d\r\nsmall /],
    ] as const) {
      const terminal = own.inTerminal(['code']);
      await answer(terminal, [/Passphrase, to see issuers and accounts \(empty: names only\): /, typed]);
      await terminal.expect(seen);
      assert.equal(await terminal.exited, 0);
      assert.ok(!terminal.output().includes(PASSPHRASE) && !terminal.output().includes('\u202e'));
    }
  });
});

it(
  'a secret that the host sealed gives no code, leaves it for root alone, and is not removed',
  { skip: lacks({ root: true, programs: ['useradd'] }) },
  async () => {
    const { uid, gid } = serviceUser();
    const folder = scratchFolder('code-host');
    for (const each of ['var', 'log', 'etc']) {
      fs.mkdirSync(path.join(folder, each), { mode: 0o700 });
      fs.chownSync(path.join(folder, each), uid, gid);
    }
    const config = writeConfig(folder, { top: `secrets = "${folder}/%u"` });
    const passphrase = path.join(folder, 'passphrase');
    fs.writeFileSync(passphrase, `${PASSPHRASE}\n`);
    const notp = ([command = '', ...rest]: readonly string[]): ReturnType<typeof run> =>
      run([...SOURCE_NOTP, command, ...rest, '--config', config]);
    assert.equal((await notp(['host-key', 'init'])).code, 0);
    const enrolled = await notp(['enroll', 'web', '--seal', 'host', '--no-confirm', '--json']);
    assert.equal(enrolled.code, 0, enrolled.stderr);
    for (const command of ['code', 'passphrase'])
      assertRefused(
        await notp([command, 'web', '--passphrase-file', passphrase]),
        1,
        /web is sealed by this host: its secret cannot leave it/,
      );
    assert.equal((await notp(['export', 'web'])).stdout, `${(JSON.parse(enrolled.stdout) as Enrolled).uri}\n`);
    assertRefused(await notp(['remove', 'web', '--yes']), 1, /web is a login of this host, which is revoked and not removed/);
    const taken = await run([...SOURCE_NOTP, 'import', 'web', '--replace', '--config', config, '--passphrase-file', passphrase], {
      input: SECRET,
    });
    assertRefused(taken, 1, /web is a login of this host/);
    assert.match((await notp(['list'])).stdout, /^web {2}host {8}\d{4}-\d\d-\d\d\n$/);
  },
);

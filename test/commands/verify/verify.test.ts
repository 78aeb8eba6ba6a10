/** `notp verify`: the decision of a login, for scripts. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacks, oathCode, untilFreshStep } from '../../support/world.ts';
import { ownState, PASSPHRASE, type OwnState } from '../own-state.ts';

describe('verify', { skip: lacks({ programs: ['oathtool', 'python3'] }) }, () => {
  let own: OwnState;
  before(() => {
    own = ownState('verify');
  });

  it('accepts a code once, with exit code 0 and one JSON object', async () => {
    const { secret } = await own.enrol('once');
    await untilFreshStep();
    const code = oathCode(secret);
    const accepted = await own.verify(code, 'once');
    assert.equal(accepted.code, 0);
    assert.equal(accepted.stderr, '');
    const { ref, ...rest } = JSON.parse(accepted.stdout) as Record<string, unknown>;
    assert.match(String(ref), /^[0-9a-f]{8}$/);
    assert.deepEqual(rest, { result: 'accepted', user: 'root', context: 'once', method: 'totp', step_offset: 0 });
    const replayed = await own.verify(code, 'once');
    assert.equal(replayed.code, 1);
    const said = JSON.parse(replayed.stdout) as Record<string, unknown>;
    assert.equal(said['reason'], 'replayed');
    assert.ok(Number(said['wait_seconds']) > 0 && Number(said['wait_seconds']) <= 30);
    assert.match(replayed.stderr, new RegExp(`^notp: error: code already used.* \\(ref ${String(said['ref'])}\\)\nnotp: hint: `));
    assert.equal(own.records().at(-1)?.['ref'], said['ref'], 'the reference finds the record');
  });

  it('says nothing on stdout without --json', async () => {
    const { secret } = await own.enrol('quiet');
    const input = `${oathCode(secret)}\n`;
    const { code, stdout, stderr } = await own.notp(['verify', 'quiet', '--code-stdin', '--passphrase-file', own.passphraseFile], {
      input,
    });
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' });
  });

  it('takes passphrase and code in one line, which may end as on Windows, or each on a line of stdin', async () => {
    const { secret, recovery } = await own.enrol('lines');
    const line = await own.notp(['verify', 'lines', '--code-stdin'], { input: `${PASSPHRASE} ${oathCode(secret)}\r\n` });
    assert.equal(line.code, 0, line.stderr);
    const lines = await own.notp(['verify', 'lines', '--code-stdin', '--passphrase-file', '-'], {
      input: `${PASSPHRASE}\n${recovery[0] ?? ''}`,
    });
    assert.equal(lines.code, 0, lines.stderr);
  });

  it('refuses a wrong code, a wrong passphrase, and what is no code, with exit code 1 and the reason', async () => {
    const { secret } = await own.enrol('wrong');
    const wrong = oathCode(secret, { offsetSeconds: 3600 });
    assert.match((await own.verify(wrong, 'wrong')).stdout, /"reason":"wrong_code"/);
    for (const nothing of ['', 'hello', '12345', '123456789', '\u0008INCORRECT']) {
      const { code, stdout } = await own.verify(nothing, 'wrong');
      assert.equal(code, 1);
      assert.match(stdout, /"reason":"no_proof"/, JSON.stringify(nothing));
    }
    const passphrase = await own.notp(['verify', 'wrong', '--code-stdin', '--json'], { input: `wrong horse ${oathCode(secret)}\n` });
    assert.equal(passphrase.code, 1);
    assert.match(passphrase.stdout, /"reason":"wrong_passphrase"/);
    assert.equal((await own.verify(oathCode(secret), 'wrong')).code, 0);
  });

  it('asks for two codes after five failures: a right single one is refused, two consecutive ones are not', async () => {
    const { secret } = await own.enrol('guessed');
    const wrong = oathCode(secret, { offsetSeconds: 3600 });
    for (let i = 0; i < 5; i++) assert.match((await own.verify(wrong, 'guessed')).stdout, /"wrong_code"/);
    await untilFreshStep();
    const code = oathCode(secret);
    assert.match((await own.verify(code, 'guessed')).stdout, /"step_up_required"/);
    const two = await own.verify(`${code} ${oathCode(secret, { offsetSeconds: 30 })}`, 'guessed');
    assert.match(two.stdout, /"method":"step_up"/);
  });

  it('could not decide, with exit code 3, where the sealed file or the store is damaged', async () => {
    const { recovery, file } = await own.enrol('damaged');
    const sealed = fs.readFileSync(file);
    fs.writeFileSync(file, sealed.subarray(0, 100));
    const bad = await own.verify(recovery[0] ?? '', 'damaged');
    assert.equal(bad.code, 3);
    assert.match(bad.stdout, /"bad_secret_file"/);
    fs.writeFileSync(file, sealed);
    const database = path.join(own.secrets, '.state.db');
    fs.renameSync(database, `${database}.away`);
    fs.writeFileSync(database, 'this is no database, whatever it says '.repeat(100), { mode: 0o600 });
    const unavailable = await own.verify(recovery[0] ?? '', 'damaged');
    fs.renameSync(`${database}.away`, database);
    assert.equal(unavailable.code, 3);
    assert.match(unavailable.stdout, /"store_unavailable"/);
    assert.equal((await own.verify(recovery[0] ?? '', 'damaged')).code, 0, 'the refused attempts spent the recovery code');
  });

  it('could not decide, with exit code 3, under a configuration that cannot be used', async () => {
    const config = path.join(own.folder, 'bad.toml');
    fs.writeFileSync(config, 'colour = "red"\n');
    const { code, stderr } = await own.notp(['verify', '--config', config, '--code-stdin']);
    assert.equal(code, 3);
    assert.match(stderr, /bad\.toml:1: unknown key "colour"/);
  });

  it('asks in a terminal, passphrase hidden and code shown, and gives three tries', async () => {
    const { secret, recovery } = await own.enrol('asked');
    const wrong = oathCode(secret, { offsetSeconds: 3600 });
    const terminal = own.inTerminal(['verify', 'asked']);
    await terminal.expect(/Passphrase: /);
    terminal.send(`${PASSPHRASE}\r`);
    for (let i = 0; i < 2; i++) {
      await terminal.expect(/One-time code: /);
      terminal.send(`${wrong}\r`);
      await terminal.expect(/code not accepted \(ref [0-9a-f]{8}\)/);
    }
    await terminal.expect(/One-time code: /);
    terminal.send(`${recovery[0] ?? ''}\r`);
    assert.equal(await terminal.exited, 0);
    assert.ok(!terminal.output().includes(PASSPHRASE));
  });

  it('needs --code-stdin where there is no terminal', async () => {
    await own.enrol('headless');
    const { code, stderr } = await own.notp(['verify', 'headless'], { input: '123456\n' });
    assert.equal(code, 2);
    assert.match(stderr, /notp: hint: give --code-stdin/);
  });

  it('does not know a user who is nobody', async () => {
    const { code, stderr } = await own.notp(['verify', '--user', '../root', '--code-stdin']);
    assert.equal(code, 2);
    assert.match(stderr, /there is no user "..\/root"/);
  });
});

describe('names of contexts', () => {
  let own: OwnState;
  before(async () => {
    own = ownState('names');
    await own.enrol();
  });

  const NAMES: readonly (readonly [string, string])[] = [
    ['..', '".."'],
    ['../../etc/passwd', '"../../etc/passwd"'],
    ['a/b', '"a/b"'],
    ['.state.db', '".state.db"'],
    ['', '""'],
    ['two words', '"two words"'],
    ['x'.repeat(65), `"${'x'.repeat(63)}…"`],
    ['x'.repeat(300), `"${'x'.repeat(63)}…"`],
    ['a\u001b[2Jb', '"a\\u001b[2Jb"'],
    ['line\nbreak', '"line\\u000abreak"'],
    ['ab\u202edc', '"ab\\u202edc"'],
    ['größe', '"größe"'],
  ];
  for (const [name, shown] of NAMES) {
    it(`that cannot be one are refused by verify and enroll and shown escaped: ${shown}`, async () => {
      const earlier = own.snapshot();
      for (const command of ['verify', 'enroll']) {
        const { code, stdout, stderr } = await own.notp([command, name]);
        assert.equal(code, 2);
        assert.equal(stdout, '');
        assert.ok(stderr.startsWith(`notp: error: ${shown} is not a context name\nnotp: hint: use at most 64 letters, digits`), stderr);
      }
      assert.deepEqual(own.snapshot(), earlier);
    });
  }

  it('take every letter that the rule allows, up to 64', async () => {
    for (const name of ['_', '0.a-B_9', 'x'.repeat(64)]) {
      const { code, stdout } = await own.verify('123456', name);
      assert.equal(code, 1);
      assert.match(stdout, /"not_enrolled"/);
    }
  });
});

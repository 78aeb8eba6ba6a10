/** What `notp enroll` takes, gives and refuses, without a terminal. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { nextStep } from '../../../src/enrolment/show.ts';
import { mayHaveDoor } from '../../../src/system/doors.ts';
import { run, runInTerminal } from '../../support/process.ts';
import {
  addUser,
  installNotp,
  lacks,
  must,
  oathCode,
  runAs,
  scratchFolder,
  secretShown,
  SOURCE_NOTP,
  type TestUser,
} from '../../support/world.ts';
import { ownState, PASSPHRASE, type OwnState } from '../own-state.ts';

describe('what enroll gives', { skip: lacks({ programs: ['oathtool', 'strace'] }) }, () => {
  let own: OwnState;
  let words: string[];
  before(() => {
    own = ownState('enroll');
    words = ['enroll', '--seal', 'passphrase', '--passphrase-file', own.passphraseFile, '--no-confirm'];
  });

  it('with --json is one object on one line with exactly the documented keys, and talk goes to stderr', async () => {
    const { code, stdout, stderr } = await own.notp([...words, 'json', '--json']);
    assert.equal(code, 0);
    assert.match(stdout, /^[^\n]*\n$/);
    const object = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(Object.keys(object), ['id', 'user', 'context', 'seal', 'file', 'uri', 'secret', 'recovery']);
    assert.equal(object['context'], 'json');
    assert.equal(object['seal'], 'passphrase');
    assert.equal(object['file'], path.join(own.secrets, 'json'));
    assert.equal((object['recovery'] as string[]).length, 10);
    const step = nextStep({ user: 'root', isSelf: true, isRoot: process.getuid?.() === 0, hasDoor: mayHaveDoor() });
    assert.match(stderr, /^Enrolled .*\n/);
    assert.equal(stderr.slice(stderr.indexOf('\n') + 1), `notp: hint: ${step}\n`);
  });

  it('without --json is QR code, key, URI and recovery codes on stdout', async () => {
    const { code, stdout, stderr } = await own.notp([...words, 'text']);
    assert.equal(code, 0);
    assert.match(stdout, /^URI: otpauth:\S+\n[ #\n]+Key: [A-Z2-7 ]+\nRecovery codes/);
    assert.doesNotMatch(stderr, /otpauth|Recovery/);
  });

  it('says in the URI each parameter that was asked for', async () => {
    const asked = ['--issuer', 'Big Corp', '--account', 'ada@far.example', '--digits', '8', '--period', '60', '--algorithm', 'SHA256'];
    const { secret, uri } = await own.enrol('asked', asked);
    const url = new URL(uri);
    assert.equal(decodeURIComponent(url.pathname), '/Big Corp:ada@far.example');
    const parameters = { secret, issuer: 'Big Corp', algorithm: 'SHA256', digits: '8', period: '60' };
    assert.deepEqual(Object.fromEntries(url.searchParams), parameters);
    const code = must(['oathtool', '--totp=sha256', '--digits=8', '--time-step-size=60s', '-b', secret]).trim();
    assert.equal((await own.verify(code, 'asked')).code, 0);
  });

  it('takes host and user as issuer and account, and the defaults of the configuration', async () => {
    const configured = ownState('enroll-code', { tables: '[code]\nissuer = "From the file"\ndigits = 7\nperiod = 45\n' });
    const url = new URL((await configured.enrol()).uri);
    assert.equal(url.searchParams.get('issuer'), 'From the file');
    assert.equal(url.searchParams.get('digits'), '7');
    assert.equal(url.searchParams.get('period'), '45');
    const plain = new URL((await own.enrol('plain')).uri);
    assert.equal(decodeURIComponent(plain.pathname), `/${hostname()}:root@${hostname()}`);
  });

  it('gives recovery codes that work once each', async () => {
    const { recovery } = await own.enrol('spare', ['--recovery', '3']);
    assert.equal(recovery.length, 3);
    for (const code of recovery) assert.equal((await own.verify(code, 'spare')).code, 0);
    const again = await own.verify(recovery[1] ?? '', 'spare');
    assert.equal(again.code, 1);
    assert.match(again.stdout, /"replayed"/);
    assert.equal((await own.enrol('none', ['--recovery', '0'])).recovery.length, 0);
  });

  it('keeps the sealed file 0600 in a folder 0700, without the secret or the codes in any file', async () => {
    const { secret, recovery, file } = await own.enrol('private');
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.equal(fs.statSync(own.secrets).mode & 0o777, 0o700);
    for (const name of fs.readdirSync(own.secrets)) {
      assert.equal(fs.statSync(path.join(own.secrets, name)).mode & 0o777, 0o600, name);
      const content = fs.readFileSync(path.join(own.secrets, name), 'latin1');
      for (const hidden of [secret, PASSPHRASE, ...recovery]) assert.ok(!content.includes(hidden), name);
    }
  });

  it('hands no secret to another program, as argument or in the environment', async () => {
    const trace = path.join(own.folder, 'trace');
    const command = [...SOURCE_NOTP, ...words, '--config', own.config, 'traced', '--json'];
    const { stdout } = await run(['strace', '-f', '-v', '-s', '4096', '-e', 'trace=execve', '-o', trace, ...command]);
    const { secret, recovery } = JSON.parse(stdout) as { secret: string; recovery: string[] };
    const calls = fs.readFileSync(trace, 'utf8');
    assert.match(calls, /execve\("[^"]*\/node"/);
    for (const hidden of [secret, PASSPHRASE, ...recovery]) assert.ok(!calls.includes(hidden));
  });

  it('refuses a second enrolment without --replace, and leaves the first', async () => {
    const first = await own.enrol('twice');
    const earlier = own.snapshot();
    const { code, stdout, stderr } = await own.notp([...words, 'twice', '--json']);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /notp: error: root is enrolled for twice already\nnotp: hint: give --replace/);
    assert.deepEqual(own.snapshot(), earlier);
    assert.equal((await own.verify(first.recovery[0] ?? '', 'twice')).code, 0);
  });

  it('reads the passphrase from stdin with -, also from a line that ends as on Windows, and refuses an empty, a missing and a binary one', async () => {
    const stdin = ['enroll', 'stdin', '--seal', 'passphrase', '--passphrase-file', '-', '--no-confirm', '--json'];
    assert.equal((await own.notp(stdin, { input: '' })).code, 2);
    assert.equal((await own.notp(stdin, { input: '\nsecond line\n' })).code, 2);
    assert.equal((await own.notp(stdin, { input: 'a\0b\n' })).code, 2);
    assert.equal((await own.notp(stdin, { input: 'x'.repeat(512) })).code, 2);
    assert.equal((await own.notp(stdin.with(5, path.join(own.folder, 'absent')))).code, 2);
    const { code, stdout } = await own.notp(stdin, { input: `${PASSPHRASE}\r\nrest\n` });
    assert.equal(code, 0);
    const { secret } = JSON.parse(stdout) as { secret: string };
    assert.equal((await own.verify(oathCode(secret), 'stdin')).code, 0);
  });

  it('without a terminal asks on stderr and reads the answers from stdin', async () => {
    const piped = await own.notp(['enroll', 'piped', '--seal', 'passphrase', '--no-confirm', '--json'], { input: `${PASSPHRASE}\n` });
    assert.equal(piped.code, 0);
    assert.match(piped.stderr, /^New passphrase: /);
    const unanswered = await own.notp(['enroll', 'unanswered', '--seal', 'passphrase', '--passphrase-file', own.passphraseFile]);
    assert.equal(unanswered.code, 1);
    assert.match(unanswered.stderr, /One-time code: [^]*the new secret was not confirmed/);
    assert.ok(!fs.existsSync(path.join(own.secrets, 'unanswered')));
  });

  it('refuses a user that is nobody, and shows the name escaped', async () => {
    const { code, stderr } = await own.notp(['enroll', '--user', 'no\u001b[31mbody\u202e']);
    assert.equal(code, 2);
    assert.match(stderr, /^notp: error: there is no user "no\\u001b\[31mbody\\u202e"\n/);
  });

  it('refuses to seal by the host where users keep their own state', async () => {
    const { code, stderr } = await own.notp(['enroll', '--seal', 'host', '--no-confirm']);
    assert.equal(code, 1);
    assert.match(stderr, /needs root and the system user notp\nnotp: hint: use --seal passphrase/);
  });
});

describe(
  'enrolling as an ordinary user',
  { skip: lacks({ root: true, withoutService: true, programs: ['useradd', 'setpriv', 'oathtool'] }) },
  () => {
    let notp: string;
    let user: TestUser;
    let other: TestUser;
    before(() => {
      notp = installNotp(scratchFolder('enroll-user'));
      user = addUser();
      other = addUser();
    });

    it('seals by a passphrase into the home, and needs nothing of root', async () => {
      const enrolled = await runAs(user, [`${notp}-enroll`, '--no-confirm', '--json', '--passphrase-file', '-'], {
        input: `${PASSPHRASE}\n`,
      });
      assert.equal(enrolled.code, 0, enrolled.stderr);
      const { secret, file, seal } = JSON.parse(enrolled.stdout) as { secret: string; file: string; seal: string };
      assert.equal(file, `${user.home}/.notp/ssh`);
      assert.equal(seal, 'passphrase');
      assert.equal(must(['stat', '-c', '%U %a', file, `${user.home}/.notp`]), `${user.name} 600\n${user.name} 700\n`);
      const verified = await runAs(user, [notp, 'verify', '--code-stdin'], { input: `${PASSPHRASE} ${oathCode(secret)}\n` });
      assert.equal(verified.code, 0, verified.stderr);
    });

    it('goes by the passwd database, whatever HOME and USER say', async () => {
      const environment = { HOME: other.home, USER: other.name, LOGNAME: other.name };
      const { stdout } = await runAs(user, [notp, 'enroll', 'elsewhere', '--no-confirm', '--json', '--passphrase-file', '-'], {
        input: `${PASSPHRASE}\n`,
        environment,
        cwd: '/',
      });
      const { file, user: name } = JSON.parse(stdout) as { file: string; user: string };
      assert.equal(name, user.name);
      assert.equal(file, `${user.home}/.notp/elsewhere`);
      assert.ok(!fs.existsSync(`${other.home}/.notp`));
    });

    it('asks on the terminal that su hands over, which controls nothing', async () => {
      const terminal = runInTerminal(['su', '-', user.name, '-c', `${notp} enroll by-su`]);
      for (const question of [/New passphrase: /, /The same again: /]) {
        await terminal.expect(question);
        terminal.send(`${PASSPHRASE}\r`);
      }
      const secret = await secretShown(terminal);
      await terminal.expect(/One-time code: /);
      terminal.send(`${oathCode(secret)}\r`);
      await terminal.expect(/Recovery codes/);
      assert.equal(await terminal.exited, 0);
      assert.ok(!terminal.output().includes(PASSPHRASE), 'the passphrase was echoed');
    });

    it('enrols nobody else', async () => {
      const { code, stderr } = await runAs(user, [notp, 'enroll', '--user', other.name, '--no-confirm']);
      assert.equal(code, 1);
      assert.match(stderr, /only root can enrol somebody else\nnotp: hint: sudo notp-enroll notp-t/);
      assert.ok(!fs.existsSync(`${other.home}/.notp`));
    });

    it('cannot seal by the host', async () => {
      const { code, stderr } = await runAs(user, [notp, 'enroll', 'host', '--seal', 'host', '--no-confirm']);
      assert.equal(code, 1);
      assert.match(stderr, /a host-sealed secret needs root/);
    });
  },
);

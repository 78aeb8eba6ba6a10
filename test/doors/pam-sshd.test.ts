/** `notp pam` behind a real sshd with the real OpenSSH client: key and code, password and code. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, it } from 'node:test';
import { FIRST_PASS } from '../../src/doctor/pam/stack.ts';
import { run, runInTerminal, type Terminal } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { addUser, installNotp, lacks, oathCode, untilFreshStep, type TestUser } from '../support/world.ts';
import { codeLine, pamWorld, PASSPHRASE, startPamSshd, wrongCode, type PamWorld } from './pam-world.ts';

const PASSWORD = 'a password of Unix';
const COMMAND = ['echo', 'in=$((6*7))'];
const KEY_THEN_CODE = 'publickey,keyboard-interactive:pam';
const PASSWORD_THEN_CODE = 'keyboard-interactive:pam,keyboard-interactive:pam';
const ONE_PROMPT = ['-o', 'NumberOfPasswordPrompts=1'];
/** ssh(1): what it exits with when it could not log in. */
const DENIED = 255;

describe(
  'a code guards a login through PAM',
  { skip: lacks({ root: true, programs: ['sshd', 'ssh', 'oathtool', 'python3', 'chpasswd'] }) },
  () => {
    let world: PamWorld;
    let checker: string;
    let user: TestUser;
    let sshd: Sshd;

    before(async () => {
      world = await pamWorld('pam-sshd');
      const notp = `${installNotp(world.folder)} pam`;
      user = addUser();
      assert.equal(spawnSync('chpasswd', { input: `${user.name}:${PASSWORD}\n` }).status, 0);
      checker = `${notp} --config ${world.config}`;
      sshd = await startStack(twoWays(checker), `${KEY_THEN_CODE} ${PASSWORD_THEN_CODE}`);
      sshd.authorize(user);
    });

    const startStack = async (lines: readonly string[], methods: string): Promise<Sshd> => await startPamSshd(world.folder, lines, methods);

    it('logs in with a key and a code, and asks for the code alone', async () => {
      const { secret } = await world.enroll(user);
      await untilFreshStep();
      const terminal = login(sshd, user);
      await terminal.expect(/Password: /);
      terminal.send(`${oathCode(secret)}\r`);
      await terminal.expect(/in=42/);
      assert.equal(await terminal.exited, 0);
      const { method, door, user: who } = world.lastRecord();
      assert.deepEqual({ method, door, who }, { method: 'totp', door: 'pam', who: user.name });
    });

    it('logs in with a key, and passphrase and code in one line', async () => {
      const { secret } = await world.enrollWithPassphrase(user);
      await untilFreshStep();
      const terminal = login(sshd, user);
      await terminal.expect(/Password: /);
      terminal.send(`${PASSPHRASE} ${oathCode(secret)}\r`);
      await terminal.expect(/in=42/);
      assert.equal(await terminal.exited, 0);
    });

    it('shows the reason of each refusal, records it, and gives no shell', async () => {
      const { secret, recovery } = await world.enroll(user);
      await untilFreshStep();
      const spent = recovery[0] ?? '';
      assert.equal((await world.pam(user.name, spent)).code, 0);
      const answers: [string | Uint8Array, RegExp, string][] = [
        [wrongCode(secret), /notp: code not accepted/, 'wrong_code'],
        [spent, /notp: code already used/, 'replayed'],
        ['', /notp: no one-time code was given/, 'no_proof'],
        [oathCode(secret).repeat(100), /notp: no one-time code was given/, 'no_proof'],
        [Buffer.from([0x41, 0xff, 0xfe, 0x80, 0x31]), /notp: no one-time code was given/, 'no_proof'],
      ];
      const terminal = login(sshd, user, ['-o', `NumberOfPasswordPrompts=${String(answers.length)}`]);
      for (const [answer, text, reason] of answers) {
        await terminal.expect(/Password: /);
        terminal.send(answer);
        terminal.send('\r');
        const shown = await terminal.expect(new RegExp(`${text.source}.*\\(ref [0-9a-f]{8}\\)`));
        assert.equal(world.recordIn(shown[0]).reason, reason);
      }
      assert.equal(await terminal.exited, DENIED);
      assert.doesNotMatch(terminal.output(), /in=42/);
    });

    it('tells after a login what was refused before', async () => {
      const { secret } = await world.enroll(user);
      const terminal = login(sshd, user);
      await terminal.expect(/Password: /);
      terminal.send(`${wrongCode(secret)}\r`);
      await terminal.expect(/notp: code not accepted/);
      await terminal.expect(/Password: /);
      await untilFreshStep();
      terminal.send(`${oathCode(secret)}\r`);
      await terminal.expect(
        /notp: [1-9]\d* refused tr(?:y|ies) since \w{3} \d{4}-\d\d-\d\d \d\d:\d\d, (?:last )?from 127\.0\.0\.1; sudo notp audit shows them/,
      );
      await terminal.expect(/in=42/);
      assert.equal(await terminal.exited, 0);
    });

    it('refuses a code that logged in before', async () => {
      const { secret } = await world.enroll(user);
      await untilFreshStep();
      const code = oathCode(secret);
      const first = login(sshd, user);
      await first.expect(/Password: /);
      first.send(`${code}\r`);
      assert.equal(await first.exited, 0);
      const second = login(sshd, user, ONE_PROMPT);
      await second.expect(/Password: /);
      second.send(`${code}\r`);
      await second.expect(/notp: code already used, wait \d+ s/);
      assert.equal(await second.exited, DENIED);
      assert.doesNotMatch(second.output(), /in=42/);
    });

    it('logs in with a password and then a code, and never with one of them alone', async () => {
      const { secret } = await world.enroll(user);
      const noKey = ['-o', 'PubkeyAuthentication=no', '-o', 'NumberOfPasswordPrompts=5'];
      const alone = login(sshd, user, noKey);
      await alone.expect(/Password: /);
      alone.send(`${oathCode(secret)}\r`);
      await alone.expect(/Password: /);
      alone.send(`${PASSWORD}\r`);
      // The password was right: what is asked for now is the code.
      await alone.expect(/Password: /);
      alone.send(`${PASSWORD}\r`);
      await alone.expect(/notp: no one-time code was given/);
      alone.send('\x03');
      assert.notEqual(await alone.exited, 0);
      assert.doesNotMatch(alone.output(), /in=42/);

      await untilFreshStep();
      const both = login(sshd, user, noKey);
      await both.expect(/Password: /);
      both.send(`${PASSWORD}\r`);
      await both.expect(/Password: /);
      both.send(`${oathCode(secret)}\r`);
      await both.expect(/in=42/);
      assert.equal(await both.exited, 0);
    });

    it('answers an unknown user as it answers a wrong code', async () => {
      const { secret } = await world.enroll(user);
      const codeOnly = await startStack([codeLine(checker), 'auth required pam_permit.so'], 'keyboard-interactive:pam');
      const unknown: TestUser = { ...user, name: 'nobody-of-that-name' };
      const answer = async (who: TestUser): Promise<string> => {
        const terminal = login(codeOnly, who, ONE_PROMPT);
        await terminal.expect(/Password: /);
        terminal.send(`${who === user ? wrongCode(secret) : oathCode(secret)}\r`);
        assert.equal(await terminal.exited, DENIED);
        assert.equal(world.recordIn(terminal.output()).user, who.name);
        return terminal
          .output()
          .replaceAll(who.name, 'NAME')
          .replace(/ref [0-9a-f]{8}/, 'ref');
      };
      const known = await answer(user);
      assert.match(known, /notp: code not accepted; [^(]*\(ref\)/);
      assert.equal(await answer(unknown), known);
      await codeOnly.stop();
    });

    it('denies when the checker is not there', async () => {
      const { secret } = await world.enroll(user);
      await untilFreshStep();
      const without = await startStack(twoWays(`${world.folder}/no-such-program`), KEY_THEN_CODE);
      without.authorize(user);
      const terminal = login(without, user, ONE_PROMPT);
      await terminal.expect(/Password: /);
      terminal.send(`${oathCode(secret)}\r`);
      assert.equal(await terminal.exited, DENIED);
      await without.stop();
      sshd.authorize(user);
      const answered = await run([...sshd.command(user, ['-o', 'BatchMode=yes']), ...COMMAND]);
      assert.equal(answered.code, DENIED, 'a key alone does not log in');
    });
  },
);

/** A client that shows what the server tells besides prompts. */
function login(to: Sshd, who: TestUser, options: readonly string[] = []): Terminal {
  const [ssh = '', ...words] = to.command(who, ['-t', ...options]);
  return runInTerminal([ssh, '-o', 'LogLevel=INFO', ...words, ...COMMAND]);
}

/** The stack that leads to a password in the first pass, and to a code after a password or a key. */
function twoWays(checker: string): string[] {
  return [
    `auth [success=2 default=ignore] pam_exec.so quiet quiet_log ${FIRST_PASS}`,
    codeLine(checker),
    'auth sufficient pam_permit.so',
    'auth substack common-auth',
  ];
}

/** `notp pam --prompt-tty` under a real sudo in a pseudo-terminal: it asks there itself, after the password. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { atEnd } from '../support/cleanup.ts';
import { runInTerminal, sleep, type Terminal } from '../support/process.ts';
import {
  addUser,
  installNotp,
  lacks,
  must,
  oathCode,
  runAs,
  SBIN_PATH,
  SOURCE_NOTP,
  untilFreshStep,
  type TestUser,
} from '../support/world.ts';
import { pamService, pamWorld, PASSPHRASE, PERMITTED, wrongCode, type PamWorld } from './pam-world.ts';

const PASSWORD = 'a password of Unix';

describe(
  'a code guards sudo',
  { skip: lacks({ root: true, programs: ['sudo', 'visudo', 'setpriv', 'oathtool', 'python3', 'chpasswd', 'stty', 'prlimit'] }) },
  () => {
    let world: PamWorld;
    let user: TestUser;
    let marker: string;
    let checker: string;

    before(async () => {
      world = await pamWorld('sudo');
      user = addUser();
      assert.equal(spawnSync('chpasswd', { input: `${user.name}:${PASSWORD}\n` }).status, 0);
      checker = `${installNotp(world.folder)} pam --config ${world.config} --prompt-tty`;
      marker = `${world.folder}/ran-as-root`;
    });

    /** sudo asks `user` by this stack from now on, and lets them make the marker. */
    const useStack = (lines: readonly string[]): void => {
      const rules = [
        `Defaults:${user.name} pam_service=${pamService([...lines, ...PERMITTED])}, timestamp_timeout=0, lecture=never`,
        `${user.name} ALL=(root) /usr/bin/touch ${marker}`,
      ];
      const file = `/etc/sudoers.d/${user.name}`;
      fs.rmSync(file, { force: true });
      fs.writeFileSync(file, [...rules, ''].join('\n'), { mode: 0o440 });
      atEnd(() => {
        fs.rmSync(file, { force: true });
      });
      assert.equal(spawnSync('visudo', ['-c', '-q', '-f', file]).status, 0);
    };

    /** sudo as `user` in a terminal, and then what it left of the terminal. */
    const sudo = (limited = ''): Terminal => {
      fs.rmSync(marker, { force: true });
      const identity = [`--reuid=${String(user.uid)}`, `--regid=${String(user.gid)}`, '--init-groups'];
      const script = `${limited}sudo -p 'Unix: ' /usr/bin/touch ${marker}; echo "status=$?"; stty -a; echo over`;
      return runInTerminal(['setpriv', ...identity, 'sh', '-c', script], {
        clearEnvironment: true,
        environment: { PATH: SBIN_PATH, HOME: user.home, LANG: 'C' },
        cwd: user.home,
      });
    };

    const codeAlone = (options = ''): string => `auth required pam_exec.so quiet ${options} ${checker}`;

    for (const options of ['', 'seteuid']) {
      it(`asks for the code after the password and runs the command${options === '' ? '' : `, with ${options}`}`, async () => {
        const { secret } = await world.enroll(user);
        useStack(['auth required pam_unix.so', codeAlone(options)]);
        await untilFreshStep();
        const terminal = sudo();
        await terminal.expect(/Unix: $/);
        terminal.send(`${PASSWORD}\r`);
        await terminal.expect(/One-time code: $/);
        terminal.send(`${oathCode(secret)}\r`);
        assert.equal(await statusOf(terminal), 0, terminal.output());
        assert.equal(fs.statSync(marker).uid, 0);
        assert.equal(world.lastRecord().method, 'totp');
      });
    }

    it('leaves a log without a gap, whatever limit on the size of files sudo was started with', async () => {
      const { secret } = await world.enroll(user);
      useStack([codeAlone()]);
      const log = `${world.folder}/log/audit.log`;
      const limit = 2 ** 20;
      // Longer than the limit, with what had no state to link to.
      const line = '{"time":"2026-11-29T08:00:00.000Z","event":"login.refused"}\n';
      fs.appendFileSync(log, line.repeat(Math.ceil(limit / line.length)));
      const { size } = fs.statSync(log);
      await untilFreshStep();
      const terminal = sudo(`prlimit --fsize=${String(limit)} `);
      await terminal.expect(/One-time code: $/);
      terminal.send(`${oathCode(secret)}\r`);
      assert.equal(await statusOf(terminal), 0, terminal.output());
      const notp = (words: readonly string[]): string => must([...SOURCE_NOTP, 'audit', ...words, '--config', world.config]);
      assert.match(notp(['verify']), /^The log is whole: /);
      // Anybody's next record brings it.
      const records = world.records().length;
      await world.pam('nobody-of-this-name', '123456');
      assert.ok(fs.statSync(log).size > size);
      const { method, ref } = world.records()[records] ?? {};
      assert.equal(method, 'totp');
      assert.match(notp(['--ref', String(ref)]), new RegExp(user.name));
      assert.match(notp(['verify']), /^The log is whole: /);
    });

    it('was asked for, judged and spent after a wrong password or Ctrl-C at the password', async () => {
      const { secret } = await world.enroll(user);
      useStack(['@include common-auth', codeAlone('seteuid')]);
      const records = world.records().length;
      const wrong = sudo();
      for (let i = 0; i < 3; i++) {
        await wrong.expect(/Unix: $/);
        wrong.send('not the password\r');
      }
      assert.notEqual(await statusOf(wrong), 0);
      const broken = sudo();
      await broken.expect(/Unix: $/);
      // Between its prompt and its read(2) sudo takes note of a signal and goes on waiting.
      const again = setInterval(() => {
        broken.send('\x03');
      }, 3_000);
      broken.send('\x03');
      await broken.expect(/a password is required/).finally(() => {
        clearInterval(again);
      });
      for (const terminal of [wrong, broken]) assert.doesNotMatch(terminal.output(), /One-time code/);
      assert.equal(world.records().length, records);
      await untilFreshStep();
      const right = sudo();
      await right.expect(/Unix: $/);
      right.send(`${PASSWORD}\r`);
      await right.expect(/One-time code: $/);
      right.send(`${oathCode(secret)}\r`);
      assert.equal(await statusOf(right), 0, right.output());
    });

    it('asks for the passphrase, hidden, where it seals the secret', async () => {
      const { secret } = await world.enrollWithPassphrase(user);
      useStack([codeAlone()]);
      await untilFreshStep();
      const terminal = sudo();
      await terminal.expect(/Passphrase: $/);
      terminal.send(`${PASSPHRASE}\r`);
      await terminal.expect(/One-time code: $/);
      terminal.send(`${oathCode(secret)}\r`);
      assert.equal(await statusOf(terminal), 0, terminal.output());
      assert.doesNotMatch(terminal.output(), new RegExp(PASSPHRASE));
    });

    it('asks three times, says each time why it refuses, and does not run the command', async () => {
      const { secret } = await world.enroll(user);
      useStack([codeAlone()]);
      const wrong = wrongCode(secret);
      const terminal = sudo();
      for (let i = 0; i < 3; i++) {
        await terminal.expect(/One-time code: $/);
        terminal.send(`${wrong}\r`);
        const shown = await terminal.expect(/notp: code not accepted \(ref [0-9a-f]{8}\)/);
        assert.equal(world.recordIn(shown[0]).reason, 'wrong_code');
      }
      assert.equal(await statusOf(terminal), 1);
      assert.equal(fs.existsSync(marker), false);
    });

    for (const [name, key] of [
      ['Ctrl-C', '\x03'],
      ['Ctrl-D', '\x04'],
      ['Ctrl-Z', '\x1a'],
      ['Ctrl-\\', '\x1c'],
    ] as const) {
      it(`refuses at ${name}, and gives the terminal back`, async () => {
        await world.enroll(user);
        useStack([codeAlone()]);
        const terminal = sudo();
        await terminal.expect(/One-time code: $/);
        terminal.send(key);
        assert.equal(await statusOf(terminal), 1);
        assert.equal(fs.existsSync(marker), false);
        assert.equal(world.lastRecord().reason, 'no_proof');
      });
    }

    it('refuses when the terminal hangs up, and leaves no process', async () => {
      await world.enroll(user);
      useStack([codeAlone()]);
      const recorded = world.records().length;
      const terminal = sudo();
      await terminal.expect(/One-time code: $/);
      terminal.hangUp();
      await terminal.exited;
      for (let i = 0; i < 100 && (world.records().length === recorded || running(checker).length > 0); i++) await sleep(100);
      assert.equal(fs.existsSync(marker), false);
      assert.equal(world.lastRecord().reason, 'no_proof');
      assert.deepEqual(running(checker), []);
    });

    it('asks on the terminal that PAM_TTY names, under whatever has one', async () => {
      const { secret } = await world.enroll(user);
      await untilFreshStep();
      const variables = `PAM_TYPE=auth PAM_SERVICE=login PAM_USER=${user.name}`;
      const script = `PAM_TTY=$(tty) ${variables} "$@"; echo "status=$?"; stty -a; echo over`;
      const terminal = runInTerminal(['sh', '-c', script, 'sh', ...SOURCE_NOTP, 'pam', '--config', world.config, '--prompt-tty']);
      await terminal.expect(/One-time code: $/);
      terminal.send(`${wrongCode(secret)}\r`);
      await terminal.expect(/notp: code not accepted[^]*One-time code: $/);
      terminal.send(`${oathCode(secret)}\r`);
      assert.equal(await statusOf(terminal), 0, terminal.output());
    });

    for (const [how, isNamed] of [
      ['', false],
      [', and which they could name, with no right to it', true],
    ] as const)
      it(`asked on the terminal of somebody else, whose number a user had given a terminal of their own${how}`, async (t) => {
        await world.enroll(user);
        useStack([codeAlone()]);
        const victim = runInTerminal(['sh', '-c', 'tty; read line']);
        const [, number = ''] = await victim.expect(/\/dev\/pts\/(\d+)\r\n/);
        const records = world.records().length;
        const words = [
          'python3',
          `${import.meta.dirname}/../support/own_devpts.py`,
          number,
          isNamed ? `/dev/pts/${number}` : '',
          'sudo',
          '/usr/bin/touch',
          marker,
        ];
        const { code, stdout, stderr } = await runAs(user, words, { cwd: user.home });
        if (stderr.includes("no devpts of one's own")) {
          t.skip('a user can mount no devpts here');
          return;
        }
        assert.notEqual(code, 0, stdout);
        victim.hangUp();
        await victim.exited;
        assert.doesNotMatch(victim.output(), /One-time code/);
        const record = world.records()[records];
        assert.deepEqual([record?.reason, record?.tty], ['not_permitted', `/dev/pts/${number}`], stdout);
        assert.match(record?.detail ?? '', /belongs neither to/);
      });

    it('says on the terminal why nobody is asked for a code', async () => {
      const { file } = await world.enroll(user);
      fs.rmSync(file);
      useStack([codeAlone()]);
      const terminal = sudo();
      await terminal.expect(/notp: the sealed file cannot be used \(ref /);
      assert.equal(await statusOf(terminal), 1);
      assert.equal(fs.existsSync(marker), false);
      assert.doesNotMatch(terminal.output(), /One-time code/);
    });
  },
);

/** The end of `sudo`: its exit status, with the terminal as it was before. */
async function statusOf(terminal: Terminal): Promise<number> {
  const [, status = '', settings = ''] = await terminal.expect(/status=(\d+)([^]*)over/);
  for (const setting of ['echo', 'icanon', 'isig', 'icrnl', 'opost']) assert.match(settings, new RegExp(`(?<!-)\\b${setting}\\b`));
  await terminal.exited;
  return Number(status);
}

/** The processes whose command line holds all words of `command`. */
function running(command: string): string[] {
  const last = command.split(' ').slice(2).join('\0');
  return fs
    .readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(last);
      } catch {
        return false;
      }
    });
}

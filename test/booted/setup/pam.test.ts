/** `notp setup pam` on a real host: who is asked for what then, with the PAM layouts of Debian and of Red Hat. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterEach, before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { lacks } from '../../support/world.ts';
import { RED_HAT } from './red-hat.ts';
import { answer, assertAsBefore, assertDone, bootHost, enableProfile, freshCode, loginOnceUp, snapshot, type Host } from './world.ts';

const PASSWORD = 'login secret';
const FOR_GOOD = ['--apply', '--confirm-within', 'never'];
const BY_PASSWORD = ['-o', 'PubkeyAuthentication=no'];

describe('notp setup pam', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs, 'oathtool'] }) }, () => {
  let host: Host;
  let debian: string;
  before(async () => {
    host = await bootHost('setup-pam');
    await host.container.must(['chpasswd'], { input: `alice:${PASSWORD}\nbob:${PASSWORD}\n` });
    debian = host.read('/etc/pam.d/sshd');
    await host.enrol(host.alice);
  });
  afterEach(async () => {
    await host.clear();
  });

  /** Applies, and waits until sshd answers by it. */
  const apply = async (...words: string[]): Promise<void> => {
    assertDone(await host.setup(...words, ...FOR_GOOD));
    await loginOnceUp(host, host.bob, ['true']);
  };

  const passesWithKeyAndCode = async (): Promise<void> => {
    const code = await freshCode(host, host.alice);
    const terminal = host.terminal(host.alice, ['echo in']);
    await answer(terminal, /One-time code\s+Password: /, 'no code');
    await answer(terminal, /Password: /, code);
    await terminal.expect(/^in\r$/m);
    assert.equal(await terminal.exited, 0);
  };

  const passesWithPasswordAndCode = async (question = /Password: /): Promise<void> => {
    const code = await freshCode(host, host.alice);
    const terminal = host.terminal(host.alice, ['echo in'], { sshOptions: BY_PASSWORD });
    await answer(terminal, question, PASSWORD);
    await answer(terminal, /One-time code\s+Password: /, code);
    await terminal.expect(/^in\r$/m);
    assert.equal(await terminal.exited, 0);
  };

  it('asks for a code after the key and after the password, and is undone byte for byte', async () => {
    const files = snapshot(host);
    await apply('pam');
    assert.equal((await host.login(host.bob, ['true'])).code, 255);
    await passesWithKeyAndCode();
    await passesWithPasswordAndCode();
    assertDone(await host.setup('undo'));
    assertAsBefore(host, files);
    assertDone(await loginOnceUp(host, host.bob, ['true']));
  });

  it('says what it costs that sshd may open many files, how to have fewer, and nothing once that was done', async () => {
    const { stderr } = await host.setup('pam');
    assert.match(stderr, /hint: sshd may open \d{6} files.*LimitNOFILE=1024:65536/);
    fs.mkdirSync(path.join(host.container.root, 'etc/systemd/system/ssh.service.d'));
    host.write('/etc/systemd/system/ssh.service.d/override.conf', '[Service]\nLimitNOFILE=1024:65536\n');
    await host.container.must(['systemctl', 'daemon-reload']);
    assert.doesNotMatch((await host.setup('pam')).stderr, /LimitNOFILE/);
  });

  it('has the judge started before the code is typed, for whoever has shown a key, and for nobody else', async () => {
    await apply('pam');
    const isActive = async (): Promise<string> =>
      (await host.container.run(['systemctl', 'is-active', 'notp@judge.service'])).stdout.trim();
    await host.container.must(['systemctl', 'stop', 'notp@judge.service']);
    const stranger = host.terminal(host.alice, ['echo in'], { sshOptions: BY_PASSWORD });
    await stranger.expect(/Password: /);
    assert.equal(await isActive(), 'inactive');
    stranger.hangUp();
    const terminal = host.terminal(host.alice, ['echo in']);
    await terminal.expect(/One-time code\s+Password: /);
    await host.container.untilUnit('notp@judge.service', 'active');
    terminal.hangUp();
    assertDone(await host.setup('undo'));
  });

  it('takes the password by the method of that name where it is to be the first, and then one answer, the code', async () => {
    await apply('pam', '--first', 'password');
    await passesWithKeyAndCode();
    await passesWithPasswordAndCode(/@\S+'s password: /);
    // The method alone, and what sshd wants then.
    for (const [method, next] of [
      ['password', 'publickey,keyboard-interactive'],
      ['keyboard-interactive', 'publickey,password'],
    ] as const) {
      const only = ['-o', `PreferredAuthentications=${method}`, '-o', 'NumberOfPasswordPrompts=1'];
      const terminal = host.terminal(host.alice, ['echo in'], { sshOptions: [...BY_PASSWORD, ...only] });
      if (method === 'password') await answer(terminal, /password: /, PASSWORD);
      assert.equal(await terminal.exited, 255);
      assert.ok(terminal.output().includes(`Permission denied (${next})`), terminal.output());
    }
    const { stdout } = await host.container.run(['notp', 'doctor', '--json']);
    assert.doesNotMatch(stdout, /^\{"id":"P\d+","severity":"(warn|fail)"/m);
    assertDone(await host.setup('undo'));
  });

  it('keeps a prompt of the administrator', async () => {
    host.write('/etc/notp/prompt', 'Code of the day\n');
    const files = snapshot(host);
    await apply('pam');
    assert.equal(host.read('/etc/notp/prompt'), 'Code of the day\n');
    assertDone(await host.setup('undo'));
    assertAsBefore(host, files);
    await host.container.must(['rm', '/etc/notp/prompt']);
  });

  it('asks only those whom it was set up for; others log in as before, by key and by password', async () => {
    await apply('pam', '--user', 'nobody', '--group', 'alice');
    await passesWithKeyAndCode();
    await passesWithPasswordAndCode();
    assertDone(await host.login(host.bob, ['true']));
    const terminal = host.terminal(host.bob, ['echo in'], { sshOptions: BY_PASSWORD });
    await answer(terminal, /password: /i, PASSWORD);
    await terminal.expect(/^in\r$/m);
    assert.equal(await terminal.exited, 0);
  });

  it('is confirmed once somebody whom it is for has come in by it', async () => {
    host.write('/etc/sudoers.d/bob', 'bob ALL=(ALL) NOPASSWD: ALL\n', 0o440);
    const confirm = ['sudo', 'notp', 'setup', 'confirm'];
    assertDone(await host.setup('pam', '--group', 'alice', '--apply'));
    const refused = await loginOnceUp(host, host.bob, confirm);
    assert.deepEqual([refused.code, /accepted no SSH login since the setup \(for the groups alice\)/.test(refused.stderr)], [1, true]);
    await passesWithKeyAndCode();
    assertDone(await host.login(host.bob, confirm));
  });

  it('is refused where root logs in with a key, and PermitRootLogin makes every code wrong', async () => {
    await host.container.must(['cp', '/root/.ssh/id_ed25519.pub', '/root/.ssh/authorized_keys']);
    await host.container.must(['notp-enroll', 'root', '--no-confirm', '--json']);
    const refused = await host.setup('pam', '--apply');
    await host.container.must(['rm', '/root/.ssh/authorized_keys']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /lock you out: root: no code ever matches with PermitRootLogin prohibit-password/);
  });

  for (const mode of [0o600, 0o640])
    it(`is refused where notp.toml has mode 0${mode.toString(8)}: setup and doctor found nothing, and every login was refused`, async () => {
      const files = snapshot(host);
      host.write('/etc/notp/notp.toml', 'context = "ssh"\n', mode);
      for (const door of ['pam', 'gate']) {
        const refused = await host.setup(door, ...FOR_GOOD);
        assert.equal(refused.code, 1);
        assert.match(refused.stderr, /hint: chmod 644 \/etc\/notp\/notp\.toml; nothing was changed/);
      }
      const { stdout } = await host.container.run(['notp', 'doctor', '--json']);
      assert.match(stdout, /^\{"id":"configuration","severity":"fail",.*"fix":"chmod 644 \/etc\/notp\/notp\.toml"\}$/m);
      await host.container.must(['rm', '/etc/notp/notp.toml']);
      assertAsBefore(host, files);
    });

  it("is refused beside pam-auth-update's profile, or a line by hand, and logins go on: no password and code logged in", async () => {
    const byHand = debian.replace(/^@include common-auth$/m, '$&\nauth requisite pam_exec.so expose_authtok quiet \\\n  /usr/bin/notp pam');
    const files = snapshot(host);
    const writeByHand = (): (() => void) => {
      host.write('/etc/pam.d/sshd', byHand);
      return () => {
        host.write('/etc/pam.d/sshd', debian);
      };
    };
    for (const [enable, line] of [
      [() => enableProfile(host), 'common-auth'],
      [writeByHand, 'sshd'],
    ] as const) {
      const disable = enable();
      const asFound = snapshot(host);
      for (const words of [FOR_GOOD, ['--apply', '--force'], []]) {
        const { code, stderr } = await host.setup('pam', ...words);
        assert.equal(code, 1, stderr);
        assert.match(
          stderr,
          new RegExp(
            `/sshd starts notp already.* two codes: /etc/pam.d/${line}:\\d+\nnotp: hint: remove that line first.* pam-auth-update --disable notp`,
          ),
        );
      }
      assertAsBefore(host, asFound);
      disable();
      assertAsBefore(host, files);
    }
    await apply('pam');
    await passesWithKeyAndCode();
    await passesWithPasswordAndCode();
    // Enabled afterwards it is found, for what it is.
    const disable = enableProfile(host);
    const { stdout } = await host.container.run(['notp', 'doctor', '--json']);
    disable();
    assert.match(stdout, /"fail".*common-auth:\d+: sshd has no terminal yet/);
    assert.doesNotMatch(stdout, /"fail".*Codes alone log in/);
    assert.doesNotMatch(stdout, /"fail".*PAM service (su|su-l|chfn|chsh)\b/);
    assertDone(await host.setup('undo'));
  });

  it('asks for nothing, and does not prompt, where a rule says so: the judge decides, and doctor tells who gets in', async () => {
    const bobs = 'users = ["@bob"]\nservices = ["sshd"]\nfrom = ["127.0.0.1", "::1"]\nkeys = ["ssh-ed25519"]';
    host.write('/etc/notp/notp.toml', `[[rule]]\n${bobs}\nask = "nothing"\nreason = "ticket OPS-12"\n`);
    const files = snapshot(host);
    await apply('pam');
    assert.match(host.read('/etc/pam.d/sshd'), /success=4 [^]*success=2 .*notp pam --before\n/);
    assertDone(await loginOnceUp(host, host.bob, ['true']));
    const log = host.read('/var/log/notp/audit.log').trim().split('\n');
    const { user, door, method, detail } = JSON.parse(log.at(-1) ?? '') as Record<string, unknown>;
    assert.deepEqual([user, door, method, detail], ['bob', 'pam', 'rule', 'the rule in line 1 of notp.toml (ticket OPS-12)']);
    // By the password, bob has no key; and alice is asked as before.
    const terminal = host.terminal(host.bob, ['echo in'], { sshOptions: BY_PASSWORD });
    await answer(terminal, /Password: /, PASSWORD);
    await terminal.expect(/One-time code\s+Password: /);
    terminal.hangUp();
    await passesWithKeyAndCode();
    await passesWithPasswordAndCode();
    const { stdout } = await host.container.run(['notp', 'doctor', '--json']);
    assert.match(
      stdout,
      /^\{"id":"rules","severity":"info",.*"detail":"line 1: @bob at sshd from 127\.0\.0\.1 or ::1 .*: no code \(ticket OPS-12\)"/m,
    );
    assert.doesNotMatch(stdout, /"id":"P7","severity":"(fail|warn)"/);
    assertDone(await host.setup('undo'));
    assertAsBefore(host, files);
    await host.container.must(['rm', '/etc/notp/notp.toml']);
  });

  it('asks for the same with the layout of Red Hat, whose stacks authselect links to', async () => {
    for (const [name, text] of Object.entries(RED_HAT)) host.write(`/etc/pam.d/${name}`, text);
    // authselect(8) writes the stacks elsewhere, and links to them.
    const link = 'mv /etc/pam.d/$each /etc/authselect/ && ln -s /etc/authselect/$each /etc/pam.d/$each';
    await host.container.must(['sh', '-ec', `mkdir /etc/authselect; for each in password-auth system-auth postlogin; do ${link}; done`]);
    const files = snapshot(host);
    await apply('pam');
    await passesWithKeyAndCode();
    await passesWithPasswordAndCode();
    assertDone(await host.setup('undo'));
    assertAsBefore(host, files);
    host.write('/etc/pam.d/sshd', debian);
  });
});

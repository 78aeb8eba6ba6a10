/** `notp setup gate` on a real host: what it writes, that it asks for a code then, and that nothing of it stays after an undo. */
import assert from 'node:assert/strict';
import { afterEach, before, describe, it } from 'node:test';
import { acrossLines } from '../../support/process.ts';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { assertAsBefore, assertDone, bootHost, freshCode, snapshot, untilUndone, type Host } from './world.ts';

const SELF = ['sudo', 'notp', 'setup'];

describe('notp setup gate', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs, 'oathtool'] }) }, () => {
  let host: Host;
  before(async () => {
    host = await bootHost('setup-gate');
    await host.enrol(host.alice);
  });
  afterEach(async () => {
    await host.clear();
  });

  it('writes nothing without --apply, and tells what it would write and what would follow', async () => {
    const files = snapshot(host);
    const shown = await host.setup('gate');
    assertDone(shown);
    assert.match(shown.stdout, /^--- \/dev\/null\n\+\+\+ \/etc\/ssh\/sshd_config\.d\/10-notp-gate\.conf\n@@/);
    assert.match(shown.stdout, /^\+ForceCommand \/usr\/bin\/notp gate$/m);
    assert.match(shown.stderr, /nothing was written/);
    assert.match(shown.stderr, /reloads sshd/);
    assertAsBefore(host, files);
    assert.equal((await host.container.run(['test', '-e', '/var/lib/notp-setup'])).code, 1);
  });

  it('asks for a code once it is applied, stays when a new login confirms it, and is undone byte for byte', async () => {
    const files = snapshot(host);
    const applied = await host.login(host.alice, [...SELF, 'gate', '--apply']);
    assertDone(applied);
    assert.match(applied.stderr, /Reloaded ssh\.service/);
    assert.match(applied.stderr, /All of this is undone at \d{4}-\d\d-\d\dT/);
    assert.equal((await host.login(host.alice, ['true'])).code, 1);
    const confirmed = await host.login(host.alice, [...SELF, 'confirm'], await freshCode(host, host.alice));
    assertDone(confirmed);
    assert.match(confirmed.stderr, /Confirmed: gate stays/);
    assert.doesNotMatch(await host.container.must(['systemctl', 'list-timers', '--all', '--no-legend']), /notp-setup/);
    const undone = await host.setup('undo');
    assertDone(undone);
    assert.match(undone.stderr, /Removed \/etc\/ssh\/sshd_config\.d\/10-notp-gate\.conf/);
    assertAsBefore(host, files);
    assertDone(await host.login(host.alice, ['true']));
  });

  it('is not confirmed by the login that applied it, nor by a later session on the same connection', async () => {
    const master = ['-o', 'ControlMaster=auto', '-o', 'ControlPath=/tmp/setup-%C', '-o', 'ControlPersist=60'];
    const older = host.terminal(host.alice, [], { sshOptions: master });
    await older.expect(/\$ /);
    older.send('sudo notp setup gate --apply; echo "=$?"\r');
    await older.expect(/=0\r/);
    older.send('sudo notp setup confirm; echo "=$?"\r');
    await older.expect(acrossLines(/this login \(sshd, pid \d+\) is older than the setup/));
    await older.expect(/=1\r/);
    const shared = host.terminal(host.alice, [...SELF, 'confirm'], { sshOptions: master });
    await shared.expect(acrossLines(/is older than the setup/));
    older.send('exit\r');
    await older.exited;
    await host.container.run(['sh', '-c', 'for s in /tmp/setup-*; do ssh -o ControlPath=$s -O exit any; done']);
    assertDone(await host.login(host.alice, [...SELF, 'confirm'], await freshCode(host, host.alice)));
  });

  it('is confirmed by no process that is no login: of the service manager, of cron, or left over by the old session', async () => {
    assertDone(await host.login(host.alice, [...SELF, 'gate', '--apply', '--user', 'bob', '--user', 'alice']));
    const confirm = ['notp', 'setup', 'confirm'];
    const orphan = 'sudo sh -c "(sleep 1; notp setup confirm; echo =\\$?) >/root/orphan 2>&1 </dev/null &"';
    assertDone(await host.login(host.alice, [orphan], await freshCode(host, host.alice)));
    host.write('/etc/systemd/system/at-once.service', `[Service]\nType=oneshot\nExecStart=/usr/bin/notp setup confirm\n`);
    await host.container.must(['systemctl', 'daemon-reload']);
    const ways = [
      ['systemd-run', '--wait', '--pipe', '-q', ...confirm],
      ['systemd-run', '--scope', '-q', ...confirm],
      ['systemctl', 'start', 'at-once.service'],
      confirm,
    ];
    for (const way of ways) {
      const { code, stderr } = await host.container.run(way);
      assert.equal(code, 1, way.join(' '));
      if (way[0] !== 'systemctl')
        assert.match(stderr, /this is not an SSH login.*\nnotp: hint: open a second SSH connection/, way.join(' '));
      const fromOld = await host.login(host.bob, ['true']);
      assert.equal(fromOld.code, 1, 'the gate was taken away');
    }
    await host.container.must(['sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9; do ! grep -q = /root/orphan || break; sleep 1; done']);
    assert.match(host.read('/root/orphan'), /this is not an SSH login[^]*=1\n$/);
    assertDone(await host.login(host.alice, [...SELF, 'confirm'], await freshCode(host, host.alice)));
    assertDone(await host.setup('undo'));
  });

  it('is confirmed by no login that sshd did not let in: login -f confirmed it, also in a transient unit, and nobody had authenticated', async () => {
    assertDone(await host.setup('gate', '--user', 'alice', '--apply'));
    for (const unit of [[], ['systemd-run', '--pty', '-q']]) {
      const console = host.container.inTerminal([...unit, 'login', '-f', 'root']);
      await console.expect(/# /);
      console.send('notp setup confirm; echo "=$?"\r');
      await console.expect(
        acrossLines(/this is not an SSH login[^]*hint: open a second SSH connection \(not one of[^]*\), and run[^]*=1\r/),
      );
      console.send('exit\r');
      await console.exited;
    }
    assertDone(await host.login(host.alice, [...SELF, 'confirm'], await freshCode(host, host.alice)));
    assertDone(await host.setup('undo'));
  });

  it('is confirmed once somebody whom it is for has come in by it: one who was asked for nothing confirmed it', async () => {
    host.write('/etc/sudoers.d/bob', 'bob ALL=(ALL) NOPASSWD: ALL\n', 0o440);
    const isRefused = async (user: TestUser, whom: string): Promise<void> => {
      const { code, stderr } = await host.login(user, [...SELF, 'confirm']);
      assert.equal(code, 1);
      assert.match(
        stderr,
        new RegExp(`accepted no SSH login since the setup \\(for ${whom}\\), .*\n.*hint: let one of them log in by SSH`),
      );
    };
    assertDone(await host.login(host.alice, ['true']));
    assertDone(await host.setup('gate', '--user', 'alice', '--apply'));
    await isRefused(host.bob, 'the users alice');
    assert.equal((await host.login(host.alice, ['true'], '000000')).code, 1);
    await isRefused(host.bob, 'the users alice');
    assertDone(await host.login(host.alice, ['true'], await freshCode(host, host.alice)));
    assertDone(await host.login(host.bob, [...SELF, 'confirm']));
    // Somebody was asked, but by the setup before.
    assertDone(await host.setup('gate', '--apply', '--no-reload'));
    await isRefused(host.bob, 'everybody');
    assertDone(await host.login(host.bob, [...SELF, 'confirm', '--force']));
  });

  it('is undone by itself where nobody confirms it, although the login that applied it is over', async () => {
    const files = snapshot(host);
    assertDone(await host.login(host.alice, [...SELF, 'gate', '--apply', '--confirm-within', '5s']));
    assert.equal((await host.login(host.alice, ['true'])).code, 1);
    await untilUndone(host);
    assertAsBefore(host, files);
    assertDone(await host.login(host.alice, ['true']));
    const late = await host.setup('confirm');
    assert.equal(late.code, 1);
    assert.match(late.stderr, /there is no setup to confirm/);
  });

  it('asks those whom it was set up for, and nobody else', async () => {
    await host.container.must(['groupadd', '--force', 'second']);
    await host.container.must(['gpasswd', '--add', 'bob', 'second']);
    assertDone(await host.setup('gate', '--group', 'second', '--user', 'nobody', '--apply', '--confirm-within', 'never'));
    assert.match(
      host.read('/etc/ssh/sshd_config.d/10-notp-gate.conf'),
      /\nMatch User nobody\n {2}.*\nMatch Group second\n.*\nMatch all\n$/s,
    );
    assertDone(await host.login(host.alice, ['true']));
    const asked = await host.login(host.bob, ['true']);
    assert.equal(asked.code, 1);
    assert.match(asked.stderr, /not enrolled|an administrator must enrol you/);
  });

  it('is refused where the administrator is not enrolled, unless forced or for others', async () => {
    const files = snapshot(host);
    host.write('/etc/sudoers.d/bob', 'bob ALL=(ALL) NOPASSWD: ALL\n', 0o440);
    const refused = await host.login(host.bob, [...SELF, 'gate', '--apply']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /this would lock you out: bob: not enrolled: notp-enroll bob/);
    assertAsBefore(host, files);
    assertDone(await host.login(host.bob, [...SELF, 'gate', '--user', 'alice', '--apply']));
    assertDone(await host.setup('undo'));
    assertDone(await host.login(host.bob, [...SELF, 'gate', '--apply', '--force']));
  });

  it('is refused where sshd has keys in a file that the gate does not read, until notp.toml lists it', async () => {
    const [conf, toml] = ['/etc/ssh/sshd_config.d/05-keys.conf', '/etc/notp/notp.toml'];
    host.write(conf, 'AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys-%u\n');
    await host.container.must(['cp', '/home/alice/.ssh/authorized_keys', '/etc/ssh/keys-alice']);
    await host.container.must(['chown', 'alice', '/etc/ssh/keys-alice']);
    const files = snapshot(host);
    const refused = await host.login(host.alice, [...SELF, 'gate', '--apply']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /lock you out: alice: sshd reads \S+authorized_keys, then \/etc\/ssh\/keys-alice; the gate reads /);
    assertAsBefore(host, files);
    const [list = ''] = /authorized_keys = \[.*?\]/.exec(refused.stderr) ?? [];
    host.write(toml, `[gate]\n${list}\n`);
    assertDone(await host.login(host.alice, [...SELF, 'gate', '--apply', '--confirm-within', 'never']));
    assertDone(await host.login(host.alice, ['true'], await freshCode(host, host.alice)));
    assertDone(await host.setup('undo'));
    await host.container.must(['rm', conf, toml, '/etc/ssh/keys-alice']);
  });

  it('is refused where somebody whom it is for has a shell that reads ~/.tcshrc before the gate, enrolled or not', async () => {
    const files = snapshot(host);
    // Another name for it was enough to pass.
    await host.container.must(['ln', '-s', '/usr/bin/tcsh', '/usr/local/bin/ksh']);
    for (const shell of ['/usr/bin/tcsh', '/usr/local/bin/ksh']) {
      await host.container.must(['usermod', '--shell', shell, 'bob']);
      const refused = await host.login(host.alice, [...SELF, 'gate', '--apply', '--force']);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, new RegExp(`by their shell, which reads a file in their home first or .*: bob \\(${shell}\\)`));
    }
    assertAsBefore(host, files);
    assertDone(await host.login(host.alice, [...SELF, 'gate', '--user', 'alice', '--apply']));
    await host.container.must(['usermod', '--shell', '/bin/bash', 'bob']);
  });

  it('is refused where sshd_config limits somebody whom it is for: sftp-only users had a whole shell after the code', async () => {
    const conf = '/etc/ssh/sshd_config.d/20-sftp.conf';
    await host.container.must(['groupadd', '--force', 'sftponly']);
    await host.container.must(['gpasswd', '--add', 'bob', 'sftponly']);
    for (const limit of ['ForceCommand internal-sftp', 'ChrootDirectory /srv']) {
      host.write(conf, `Match Group sftponly\n  ${limit}\nMatch all\n`);
      const files = snapshot(host);
      for (const whom of [[], ['--group', 'sftponly'], ['--user', 'bob']]) {
        const refused = await host.login(host.alice, [...SELF, 'gate', ...whom, '--apply']);
        assert.equal(refused.code, 1);
        assert.match(
          refused.stderr,
          new RegExp(`sshd_config limits these.*: bob \\(${limit}\\)\nnotp: hint: notp setup pam keeps their limits`),
        );
        assertAsBefore(host, files);
      }
      assertDone(await host.login(host.alice, [...SELF, 'gate', '--user', 'alice', '--apply']));
      assertDone(await host.setup('undo'));
    }
    assertDone(await host.login(host.alice, [...SELF, 'gate', '--apply', '--force']));
    assertDone(await host.setup('undo'));
    await host.container.must(['rm', conf]);
  });

  it('is refused where root could log in with a key and is not enrolled', async () => {
    await host.container.must(['sh', '-c', 'cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys']);
    const refused = await host.login(host.alice, [...SELF, 'gate', '--apply']);
    await host.container.must(['rm', '/root/.ssh/authorized_keys']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /lock you out: root: not enrolled: notp-enroll root/);
  });

  it('waits for the confirmation of the one before', async () => {
    assertDone(await host.setup('gate', '--user', 'nobody', '--apply'));
    const files = snapshot(host);
    const second = await host.setup('sudo', '--apply');
    assert.equal(second.code, 1);
    assert.match(second.stderr, /an earlier setup is not confirmed yet/);
    assertAsBefore(host, files);
  });

  it('says that there is nothing to change where it is in place, and widens it where more are named', async () => {
    const files = snapshot(host);
    assertDone(await host.setup('gate', '--user', 'bob', '--apply', '--confirm-within', 'never'));
    const again = await host.setup('gate', '--user', 'bob', '--apply');
    assertDone(again);
    assert.match(again.stderr, /there is nothing to change/);
    assertDone(await host.setup('gate', '--user', 'bob', '--user', 'nobody', '--apply', '--confirm-within', 'never'));
    assert.match(host.read('/etc/ssh/sshd_config.d/10-notp-gate.conf'), /^Match User bob,nobody$/m);
    assertDone(await host.setup('undo'));
    assertAsBefore(host, files);
  });
});

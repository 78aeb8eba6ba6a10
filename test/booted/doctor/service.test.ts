/** The service: on a booted host doctor sees units, credential and the socket of each enrolled user, and whether it is the calm screen. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/doctor.ts';
import { bootContainer, CONTAINER_NEEDS, installInto, type Container } from '../../support/container.ts';
import { addContainerUser } from '../../support/container-ssh.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { example } from '../../doctor/sshd/sshd-world.ts';

describe('doctor on a booted host', { skip: lacks(CONTAINER_NEEDS) }, () => {
  let container: Container;
  let alice: TestUser;

  before(async () => {
    container = await bootContainer('doctor', (root) => {
      installInto(root);
      fs.writeFileSync(path.join(root, 'etc/ssh/sshd_config.d/10-notp-gate.conf'), example('gate'), { mode: 0o644 });
      const pam = path.join(root, 'etc/pam.d/sshd');
      fs.writeFileSync(pam, fs.readFileSync(pam, 'utf8').replace('user_readenv=1', ''));
    });
    alice = await addContainerUser(container, 'alice');
    await container.must(['notp', 'host-key', 'init']);
    await container.must(['notp-enroll', 'alice', '--no-confirm', '--json']);
  });

  const wrong = async (): Promise<string[]> => {
    const { stdout } = await container.run(['notp', 'doctor', '--json']);
    const findings = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Finding);
    return findings
      .filter(({ severity }) => severity === 'fail' || severity === 'warn')
      .map(({ id, user }) => `${id}${user === undefined ? '' : ` ${user}`}`);
  };

  it('says of the clock what timedatectl says, and that nobody tells where there is none', async () => {
    const told = (await container.run(['timedatectl', 'show', '--property=NTPSynchronized', '--value'])).stdout.trim();
    // A container has the clock of its host, and nobody inside can mend it.
    assert.deepEqual(await wrong(), []);
    await container.must(['mv', '/run/systemd/container', '/run/systemd/aside']);
    assert.deepEqual(await wrong(), told === 'no' ? ['clock-synchronised'] : []);
    await container.must(['mv', '/run/systemd/aside', '/run/systemd/container']);
    // Whether the clock of the tests' machine is synchronised is nothing that a test can decide.
    await container.must(['rm', '/usr/bin/timedatectl']);
    assert.deepEqual(await wrong(), []);
  });

  it('prints one calm screen where all is well', async () => {
    // As the package does it.
    const watch = ['notp-doctor.timer', 'notp-doctor.path'];
    await container.must(['systemctl', '--quiet', 'enable', '--now', ...watch]);
    const { code, stdout, stderr } = await container.run(['notp', 'doctor']);
    await container.must(['systemctl', '--quiet', 'disable', '--now', ...watch]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^No way around the gate was found\.$/m);
    assert.match(stdout, /\d+ checks in order, 0 failed, 0 warnings/);
    assert.match(stdout, /sshd \(pid \d+\) with \/etc\/ssh\/sshd_config/);
    assert.ok(stdout.split('\n').length <= 24, stdout);
  });

  it('names what sshd and PAM read that others than root can change: nothing was said, whatever belonged to alice', async () => {
    const [module = ''] = (await container.must(['sh', '-c', 'ls /usr/lib/*/security/pam_unix.so'])).split('\n');
    const gate = '/etc/ssh/sshd_config.d/10-notp-gate.conf';
    const owned = ['/etc/ssh/sshd_config', '/etc/ssh/sshd_config.d', gate, '/etc/pam.d/common-auth', module, '/etc/passwd'];
    for (const [change, undo] of [
      [
        ['chmod', '666', '/etc/pam.d/sshd'],
        ['chmod', '644', '/etc/pam.d/sshd'],
      ] as const,
      [
        ['chmod', '777', '/etc/pam.d'],
        ['chmod', '755', '/etc/pam.d'],
      ] as const,
      ...owned.map(
        (file) =>
          [
            ['chown', 'alice', file],
            ['chown', 'root', file],
          ] as const,
      ),
    ]) {
      await container.must(change);
      const found = await wrong();
      await container.must(undo);
      assert.equal(found.filter((id) => id === 'read-by-root').length, 1, `${change.join(' ')}: ${found.join()}`);
    }
    await container.must(['systemctl', 'reload', 'ssh']);
    assert.deepEqual(await wrong(), []);
  });

  it('names the user whose socket is gone, not enabled, or open to others, and its fix mends it: where the file was gone it did nothing', async () => {
    const unit = `notp@${String(alice.uid)}.socket`;
    const socket = `/run/notp/${String(alice.uid)}.sock`;
    for (const change of [
      // The service that doctor has just asked still runs, and systemd starts no socket of a running service.
      ['systemctl', 'stop', unit],
      ['systemctl', '--quiet', 'disable', unit],
      ['chmod', '666', socket],
      ['chown', 'nobody', socket],
      ['rm', socket],
    ] as const) {
      await container.must(change);
      const { stdout } = await container.run(['notp', 'doctor', '--json']);
      const found = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Finding);
      const [finding, ...others] = found.filter(({ severity }) => severity === 'fail' || severity === 'warn');
      assert.deepEqual([finding?.id, finding?.user, others], ['service-socket', 'alice', []], change.join(' '));
      await container.must(['sh', '-c', finding?.fix ?? '']);
      assert.deepEqual(await wrong(), [], change.join(' '));
    }
  });

  it('names an encrypted host key that no unit hands over, and units that are not installed', async () => {
    await container.must(['cp', '/etc/notp/host.key', '/root/host.key']);
    await container.must(['mv', '/etc/notp/host.key', '/etc/notp/host.key.cred']);
    await container.must(['chown', 'root', '/etc/notp/host.key.cred']);
    await container.must(['sh', '-c', "systemctl stop 'notp@*.service' 2>&1"]);
    assert.deepEqual(await wrong(), ['service-credential', 'service-answers alice']);
    await container.must(['mv', '/etc/notp/host.key.cred', '/etc/notp/host.key']);
    await container.must(['chown', 'notp', '/etc/notp/host.key']);
    await container.must(['sh', '-c', "systemctl stop 'notp@*.service' 2>&1"]);
    await container.must(['mv', '/etc/systemd/system/notp@.socket', '/root']);
    assert.deepEqual(await wrong(), ['service-units']);
    await container.must(['mv', '/root/notp@.socket', '/etc/systemd/system/']);
    assert.deepEqual(await wrong(), []);
  });

  for (const [how, command, id] of [
    ['with a configuration of its own', '-/usr/sbin/sshd -i -f /etc/ssh/alt_config', 'no-gate'],
    ['with a variable that nothing sets', '/usr/sbin/sshd -if /etc/ssh/alt_config $SSHD_OPTS', 'no-gate'],
    ['through a shell', "/bin/sh -c 'exec /usr/sbin/sshd -i -f /etc/ssh/alt_config'", 'sshd-unseen'],
  ] as const)
    it(`names an sshd that systemd starts for each connection ${how}: the key alone logged in, and all was well to doctor`, async () => {
      const unit = path.join(container.root, 'etc/systemd/system/alt');
      const sshd = fs.readFileSync(path.join(container.root, 'etc/ssh/sshd_config'), 'utf8');
      fs.writeFileSync(path.join(container.root, 'etc/ssh/alt_config'), sshd.replace(/^Include.*$/im, ''));
      fs.writeFileSync(`${unit}.socket`, '[Socket]\nListenStream=2223\nAccept=yes\n');
      fs.writeFileSync(`${unit}@.service`, `[Service]\nExecStart=${command}\nStandardInput=socket\n`);
      await container.must(['systemctl', 'daemon-reload']);
      assert.deepEqual(await wrong(), [], 'it does not listen');
      await container.must(['systemctl', 'start', 'alt.socket']);
      const { stdout } = await container.run(['notp', 'doctor', '--json']);
      await container.must(['systemctl', 'stop', 'alt.socket']);
      const named = stdout.split('\n').filter((line) => line.includes(`"id":"${id}"`));
      assert.ok(
        named.some((line) => line.includes('alt.socket') && /"severity":"(?:fail|warn)"/.test(line)),
        stdout,
      );
    });

  for (const [sandbox, why] of [
    ['CapabilityBoundingSet=', /lacks capabilities/],
    ['PrivateTmp=yes', /another namespace \(mnt\)/],
    ['NoNewPrivileges=yes', /NoNewPrivs/],
  ] as const)
    it(`names a service of root in a sandbox that calls itself sshd: doctor ran its program outside of ${sandbox}`, async () => {
      const run = path.join(container.root, 'root/confined');
      fs.writeFileSync(run, 'touch /root/ran\n');
      const title = 'sshd: /usr/sbin/sshd -D -f /root/confined [listener] 0 of 10-100 startups';
      const words = ['bash', '-c', 'mkfifo /root/fifo; exec -a "$0" bash <> /root/fifo', title];
      await container.must(['systemd-run', '--quiet', '--unit=confined', `--property=${sandbox}`, ...words]);
      const until = 'until grep -q "^sshd: " /proc/$(systemctl show --property=MainPID --value confined)/cmdline; do sleep 0.1; done';
      await container.must(['timeout', '20', 'sh', '-c', until]);
      const { code, stdout } = await container.run(['notp', 'doctor', '--json']);
      await container.must(['sh', '-c', 'systemctl stop confined; rm /root/fifo']);
      assert.equal(fs.existsSync(path.join(container.root, 'root/ran')), false, 'it was run');
      assert.equal(code, 3, stdout);
      assert.match(stdout.split('\n').find((line) => line.includes('sshd-unseen')) ?? '', why);
    });

  for (const [how, script] of [
    ['fails', 'echo no bus >&2; exit 1'],
    ['is killed', '/usr/bin/systemctl.real "$@"; kill -9 $$'],
    ['prints half', '/usr/bin/systemctl.real "$@" | head -c 40'],
  ] as const)
    it(`says what was not checked where systemctl ${how}: it took that for a host without units`, async () => {
      const systemctl = path.join(container.root, 'usr/bin/systemctl');
      fs.renameSync(systemctl, `${systemctl}.real`);
      fs.writeFileSync(systemctl, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      const { stdout } = await container.run(['notp', 'doctor', '--json']);
      fs.renameSync(`${systemctl}.real`, systemctl);
      const found = stdout.split('\n').filter((line) => /"id":"(?:systemd|sshd)-unseen"/.test(line) && line.includes('systemctl '));
      for (const what of [
        'any that systemd starts',
        'the files of units',
        'what systemd has read',
        'whether doctor goes on',
        'the units of notp',
      ])
        assert.ok(
          found.some((line) => line.includes(what)),
          `${what}: ${stdout}`,
        );
      assert.deepEqual(await wrong(), []);
    });

  const reload = async (): Promise<void> => {
    await container.must(['systemctl', 'reload', 'ssh']);
    for (let i = 0; (await wrong()).includes('sshd-reload'); i++) assert.ok(i < 20, 'the reload does not count');
  };

  it('names a configuration that the running sshd has not read', async () => {
    await container.must(['sh', '-c', 'sleep 0.1; echo "LogLevel VERBOSE" > /etc/ssh/sshd_config.d/20-log.conf']);
    assert.deepEqual(await wrong(), ['sshd-reload']);
    await reload();
    assert.deepEqual(await wrong(), []);
  });

  it('names a drop-in that was put back with its old time, and not loaded: the key alone logged in, and all was well to doctor', async () => {
    const [gate, kept] = ['/etc/ssh/sshd_config.d/10-notp-gate.conf', '/root/kept.conf'];
    await container.must(['touch', '-d', '2020-01-01', gate]);
    await container.must(['mv', gate, kept]);
    await reload();
    await container.must(['sh', '-c', `sleep 0.1; cp -p ${kept} ${gate}; touch -d 2020-01-01 /etc/ssh/sshd_config.d`]);
    assert.deepEqual(await wrong(), ['sshd-reload']);
    await reload();
    assert.deepEqual(await wrong(), []);
  });

  it('names an exemption that was loaded and then deleted, and one whose whole folder was', async () => {
    const exemption = 'Match User alice\n  ForceCommand none\nMatch all\n';
    const config = fs.readFileSync(path.join(container.root, 'etc/ssh/sshd_config'), 'utf8');
    const more = path.join(container.root, 'etc/ssh/more.d');
    fs.mkdirSync(more);
    fs.writeFileSync(path.join(container.root, 'etc/ssh/sshd_config'), `Include /etc/ssh/more.d/*.conf\n${config}`);
    for (const [file, gone] of [
      ['/etc/ssh/sshd_config.d/05-x.conf', '/etc/ssh/sshd_config.d/05-x.conf'],
      ['/etc/ssh/more.d/x.conf', '/etc/ssh/more.d'],
    ] as const) {
      fs.writeFileSync(path.join(container.root, file), exemption);
      await reload();
      assert.deepEqual(await wrong(), ['FC1 alice']);
      await container.must(['sh', '-c', `sleep 0.1; rm -r ${gone}`]);
      assert.deepEqual(await wrong(), ['sshd-reload'], gone);
      await reload();
    }
    fs.writeFileSync(path.join(container.root, 'etc/ssh/sshd_config'), config);
    await reload();
    assert.deepEqual(await wrong(), []);
  });

  it('says that it cannot tell what is loaded where sshd has no pid file', async () => {
    const { stdout: whole } = await container.run(['notp', 'doctor', '--json']);
    assert.match(whole, /"id":"sshd-reload","severity":"ok"/);
    await container.must(['sh', '-c', 'mv /run/sshd.pid /run/sshd.pid.away']);
    const { stdout } = await container.run(['notp', 'doctor', '--json']);
    assert.match(stdout, /"id":"sshd-reload","severity":"info"/);
    await container.must(['mv', '/run/sshd.pid.away', '/run/sshd.pid']);
  });
});

/** The booted container of the tests of this folder: what is in it, and how one gets in. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { bootContainer, CONTAINER_NEEDS, installInto, installUnits, type Container } from '../support/container.ts';
import { addContainerUser, sshIn, sshInTerminal } from '../support/container-ssh.ts';
import { lacks, must, scratchFolder, type TestUser } from '../support/world.ts';

/** The oneshot unit of these tests runs `script`. */
function oneshot(script: string): string {
  return `[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c '${script}'\n[Install]\nWantedBy=multi-user.target\n`;
}

describe('a booted container', { skip: lacks(CONTAINER_NEEDS) }, () => {
  let container: Container;
  let alice: TestUser;

  before(async () => {
    const units = scratchFolder('units');
    fs.writeFileSync(path.join(units, 'installed.sysusers'), 'u installed -\n');
    fs.writeFileSync(path.join(units, 'installed.tmpfiles'), 'd /run/installed 0750 installed installed\n');
    fs.writeFileSync(path.join(units, 'installed@.service'), oneshot('test -d /run/installed'));
    container = await bootContainer('itself', (root) => {
      installInto(root);
      installUnits(root, units);
      must(['systemctl', `--root=${root}`, '--quiet', 'enable', 'installed@alice.service']);
    });
    alice = await addContainerUser(container, 'alice');
  });

  const asAlice = (...command: string[]): Promise<string> => container.must(command, { as: 'alice' });

  it('is a running system in which no unit has failed', async () => {
    assert.equal(await container.must(['systemctl', 'is-system-running']), 'running\n');
    assert.equal(await container.must(['cat', '/proc/1/comm']), 'systemd\n');
    assert.equal(await container.must(['systemctl', 'is-active', 'ssh.service']), 'active\n');
  });

  it("shows none of the machine's people, passwords and keys", async () => {
    assert.deepEqual(fs.readdirSync(path.join(container.root, 'home')), ['alice']);
    assert.deepEqual(fs.readdirSync(path.join(container.root, 'root')), ['.ssh']);
    const passwords = (await container.must(['cut', '-d:', '-f2', '/etc/shadow'])).trim().split('\n');
    assert.deepEqual(
      passwords.filter((password) => !/^[!*]+$/.test(password)),
      [],
    );
    for (const name of fs.readdirSync('/etc/ssh').filter((file) => file.startsWith('ssh_host'))) {
      const inside = path.join(container.root, 'etc/ssh', name);
      if (fs.existsSync(inside)) assert.notDeepEqual(fs.readFileSync(inside), fs.readFileSync(`/etc/ssh/${name}`));
    }
  });

  it("takes the machine's programs, and what it changes there stays inside", async () => {
    await container.must(['sh', '-c', 'rm /usr/bin/yes && echo own > /usr/bin/notp-own']);
    assert.equal(fs.readFileSync(path.join(container.root, 'usr/bin/notp-own'), 'utf8'), 'own\n');
    assert.equal(fs.existsSync('/usr/bin/notp-own'), false);
    assert.equal(fs.existsSync('/usr/bin/yes'), true);
  });

  it('runs the installed program for every user', async () => {
    assert.match(await asAlice('notp', '--version'), /^notp \d/);
    assert.match(await asAlice('notp-enroll', '--help'), /^Usage: notp-enroll/);
    const { uid, mode } = fs.lstatSync(path.join(container.root, 'usr/bin/notp'));
    assert.deepEqual([uid, mode & 0o777], [0, 0o755]);
  });

  it('has the users, folders and units that were installed before it booted', async () => {
    assert.equal(await container.must(['stat', '--format=%U %a', '/run/installed']), 'installed 750\n');
    await container.untilUnit('installed@alice.service', 'active');
  });

  it('runs a command as a user, in the home, with nothing but what it is given', async () => {
    const script = 'echo "$(id -un) $PWD $HOME [$GIVEN] [$NODE_V8_COVERAGE]"; cat; echo no >&2; exit 7';
    const ran = await container.run(['sh', '-c', script], { as: 'alice', environment: { GIVEN: 'a b' }, input: 'typed\n' });
    assert.deepEqual(ran, { code: 7, signal: null, stdout: 'alice /home/alice /home/alice [a b] []\ntyped\n', stderr: 'no\n' });
    await assert.rejects(asAlice('cat', '/etc/shadow'), /Permission denied/);
  });

  it('gives a command a terminal of its own', async () => {
    const terminal = container.inTerminal(['sh', '-c', 'tty; stty size; read line </dev/tty; echo "<$line>"; exit 3'], {
      as: 'alice',
      columns: 50,
    });
    await terminal.expect(/^\/dev\/pts\/\d+\r\n24 50\r\n/);
    terminal.send('typed\r');
    await terminal.expect(/^typed\r\n<typed>\r\n$/);
    assert.equal(await terminal.exited, 3);
  });

  it('ends a command whose terminal hangs up', async () => {
    const terminal = container.inTerminal(['sh', '-c', 'echo $$; exec sleep 1234'], { as: 'alice' });
    const [, pid = ''] = await terminal.expect(/(\d+)\r\n/);
    assert.equal(await container.must(['cat', `/proc/${pid}/comm`]), 'sleep\n');
    terminal.hangUp();
    await terminal.exited;
    await assert.doesNotReject(container.must(['timeout', '10', 'sh', '-c', `while [ -d /proc/${pid} ]; do sleep 0.05; done`]));
  });

  it('logs a user in through sshd.service', async () => {
    const ran = await sshIn(container, alice, ['id -un; tty; cat; exit 6'], { input: 'typed' });
    assert.deepEqual(ran, { code: 6, signal: null, stdout: 'alice\nnot a tty\ntyped', stderr: '' });
    const journal = await container.must(['journalctl', '--no-pager', '--output=cat', '--unit=ssh.service']);
    assert.match(journal, /Accepted publickey for alice from 127\.0\.0\.1/);
  });

  it('logs a user in with a terminal', async () => {
    const terminal = sshInTerminal(container, alice);
    await terminal.expect(/\$ /);
    terminal.send('tty; echo "0=$0"; exit 5\r');
    await terminal.expect(/\/dev\/pts\/\d+\r\n0=-bash\r\n/);
    assert.equal(await terminal.exited, 5);
  });

  it('tells when a unit has come into a state', async () => {
    fs.writeFileSync(path.join(container.root, 'etc/systemd/system/slow.service'), oneshot('sleep 0.5'));
    fs.writeFileSync(path.join(container.root, 'etc/systemd/system/broken.service'), oneshot('sleep 0.5; exit 1'));
    await container.must(['systemctl', 'daemon-reload']);
    await container.must(['systemctl', 'start', '--no-block', 'slow.service', 'broken.service']);
    await container.untilUnit('slow.service', 'active');
    await container.untilUnit('broken.service', 'failed');
    await container.must(['systemctl', 'reset-failed', 'broken.service']);
  });

  it('holds the limits of a unit on memory and tasks', async () => {
    const limited = ['systemd-run', '--wait', '--pipe', '--quiet', '-p', 'MemoryMax=50M', '-p', 'TasksMax=10'];
    const greedy = await container.run([...limited, 'python3', '-c', 'print(len(bytearray(100_000_000)))']);
    assert.deepEqual([greedy.code === 0, greedy.stdout], [false, '']);
    const forking = await container.run([...limited, 'sh', '-c', 'for i in 0 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait']);
    assert.match(forking.stderr, /Cannot fork/);
  });

  it('seals credentials for its units, and rates the sandbox of a unit', async () => {
    await container.must(['systemd-creds', 'encrypt', '--name=key', '-', '/etc/key.cred'], { input: 'sealed' });
    assert.doesNotMatch(await container.must(['cat', '/etc/key.cred']), /sealed/);
    const unit = ['systemd-run', '--wait', '--pipe', '--quiet', '-p', 'LoadCredentialEncrypted=key:/etc/key.cred'];
    assert.equal(await container.must([...unit, 'sh', '-c', 'cat $CREDENTIALS_DIRECTORY/key']), 'sealed');
    assert.match(await container.must(['systemd-analyze', 'security', 'ssh.service']), /Overall exposure level for ssh.service: \d/);
  });

  it('boots the same files again, with the units enabled since', async () => {
    fs.writeFileSync(path.join(container.root, 'etc/systemd/system/first.service'), oneshot('echo booted > /var/first'));
    await container.must(['systemctl', 'enable', 'first.service']);
    assert.equal((await sshIn(container, alice, ['true'])).code, 0);
    await container.reboot();
    assert.equal(await container.must(['cat', '/var/first']), 'booted\n');
    assert.equal(await container.must(['systemctl', 'is-system-running']), 'running\n');
    assert.equal((await sshIn(container, alice, ['true'])).code, 0);
    assert.match(await container.must(['journalctl', '--no-pager', '--boot=-1']), /Accepted publickey for alice/);
  });
});

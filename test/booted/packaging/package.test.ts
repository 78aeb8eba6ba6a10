/** The package on a host without Node.js: installed, set up, upgraded, removed and purged, with logins in between. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Container } from '../../support/container.ts';
import { addContainerUser, sshIn, sshInTerminal } from '../../support/container-ssh.ts';
import { sleep, type Ran } from '../../support/process.ts';
import { lacks, type Enrolled, type TestUser } from '../../support/world.ts';
import { phoneOf, type Phone } from '../service/world.ts';
import { builtPackage } from '../../support/built-package.ts';
import { bootWithout, debIn, loginFiles, nextVersion, PACKAGE_NEEDS } from '../../packaging/package-world.ts';

const PASSWORD = 'login secret';
const DROP_IN = 'etc/ssh/sshd_config.d/10-notp-gate.conf';
const KEPT = ['etc/notp/notp.toml', 'etc/notp/host.key', 'var/lib/notp/state.db', 'var/log/notp/audit.log'];

describe('the package for Debian', { skip: lacks(PACKAGE_NEEDS) }, () => {
  let container: Container;
  let [alice, bob]: TestUser[] = [];
  let phone: Phone;
  /** What belongs to the package alone. */
  let installed: readonly string[] = [];

  before(async () => {
    const deb = debIn(builtPackage());
    container = await bootWithout('package', { 'notp.deb': deb, 'next.deb': nextVersion(deb) });
    alice = await addContainerUser(container, 'alice');
    bob = await addContainerUser(container, 'bob');
    await container.must(['chpasswd'], { input: `alice:${PASSWORD}\n` });
    fs.writeFileSync(path.join(container.root, 'etc/sudoers.d/alice'), 'alice ALL=(ALL) NOPASSWD: ALL\n', { mode: 0o440 });
  });

  const apt = async (...words: string[]): Promise<Ran> =>
    await container.run(['apt-get', '--quiet', '--yes', ...words], { environment: { DEBIAN_FRONTEND: 'noninteractive' } });
  const aptMust = async (...words: string[]): Promise<void> => {
    const { code, stdout, stderr } = await apt(...words);
    assert.equal(code, 0, stdout + stderr);
    assert.doesNotMatch(stdout + stderr, /warning|error|failed/i);
  };
  /** A login of alice by key, with `code` for the gate where there is one, as soon as sshd answers. */
  const login = async (words: string, code?: string): Promise<Ran> => {
    const send = code === undefined ? {} : { sshOptions: ['-o', 'SendEnv=LC_NOTP'], environment: { LC_NOTP: code } };
    for (const deadline = Date.now() + 10_000; ; await sleep(100)) {
      const ran = await sshIn(container, the(alice), [words], { timeoutMs: 30_000, ...send });
      if (!/Connection (refused|reset)/.test(ran.stderr) || Date.now() > deadline) return ran;
    }
  };
  const passes = async (code?: string): Promise<void> => {
    const { code: exit, stdout, stderr } = await login('echo in', code);
    assert.deepEqual([exit, stdout], [0, 'in\n'], stderr);
  };
  const isKept = (): boolean[] => KEPT.map((file) => fs.existsSync(path.join(container.root, file)));
  const socket = (): string => `notp@${String(the(alice).uid)}.socket`;
  const service = (): string => socket().replace('socket', 'service');
  const show = async (unit: string, property: string): Promise<string> =>
    (await container.must(['systemctl', 'show', '--value', `--property=${property}`, unit])).trim();
  /** Sets up a door, and confirms it from a new login that has shown a code. */
  const setUp = async (door: string, confirm: () => Promise<Ran>): Promise<void> => {
    await container.must(['notp', 'setup', door, '--user', 'alice', '--apply']);
    const { code, stdout, stderr } = await confirm();
    assert.equal(code, 0, stdout + stderr);
  };

  /** A login of alice by key and a code that she types. */
  const byPam = async (words: string, code: string): Promise<Ran> => {
    // sshd has just read its configuration again.
    await sleep(500);
    const terminal = sshInTerminal(container, the(alice), [words], { sshOptions: ['-o', 'NumberOfPasswordPrompts=1'] });
    await terminal.expect(/Password: /);
    terminal.send(`${code}\r`);
    return { code: await terminal.exited, signal: null, stdout: terminal.output(), stderr: '' };
  };

  it("changes no login when it is installed, and opens nothing but the judge's socket, which is root's", async () => {
    const files = loginFiles(container);
    await aptMust('install', '/srv/notp.deb');
    assert.deepEqual(loginFiles(container), files);
    installed = (await container.must(['dpkg', '--listfiles', 'notp'])).split('\n').filter((file) => file.includes('notp'));
    assert.ok(installed.includes('/usr/bin/notp-enroll') && installed.includes('/usr/lib/systemd/system/notp@.socket'));
    assert.match(await container.must(['getent', 'passwd', 'notp']), /:\/nonexistent:\/usr\/sbin\/nologin$/m);
    assert.equal(fs.existsSync(path.join(container.root, 'etc/notp/host.key')), false);
    const units = await container.must(['systemctl', 'list-units', '--all', '--plain', '--no-legend', 'notp*']);
    assert.deepEqual(
      units.split('\n').flatMap((line) => (line.includes('loaded active') ? [line.split(' ')[0]] : [])),
      ['notp-doctor.path', 'notp-judge.socket', 'notp-doctor.timer'],
    );
    await passes();
  });

  it('with notp host-key init, notp-enroll and notp setup pam lets the right code in, once', async () => {
    await container.must(['notp', 'host-key', 'init']);
    phone = phoneOf(JSON.parse(await container.must(['notp-enroll', 'alice', '--no-confirm', '--json'])) as Enrolled);
    await setUp('pam', async () => await byPam('sudo notp setup confirm', phone.recoveryCode()));
    const code = await phone.code();
    assert.deepEqual((await byPam('echo in', code)).code, 0);
    assert.notEqual((await byPam('echo in', code)).code, 0);
    await container.must(['notp', 'setup', 'undo']);
    await passes();
  });

  it('with notp setup gate answers through the sandboxed service', async () => {
    await setUp('gate', async () => await login('sudo notp setup confirm', phone.recoveryCode()));
    assert.notEqual((await login('echo in')).code, 0);
    await passes(await phone.code());
    const [pid] = [await show(socket().replace('socket', 'service'), 'MainPID')];
    assert.match(await container.must(['readlink', `/proc/${pid}/exe`]), /^\/usr\/bin\/notp$/m);
    assert.match(
      await container.must(['systemctl', 'show', '--property=MemoryDenyWriteExecute', socket().replace('socket', 'service')]),
      /=yes/,
    );
    assert.doesNotMatch(await container.must(['journalctl', '--unit', 'notp@*', '--output=cat']), /warning|rejected/i);
  });

  it('is upgraded while sockets stay open, and a warm service is the new one afterwards', async () => {
    await passes(phone.recoveryCode());
    const [pid, since] = [await show(service(), 'MainPID'), await show(socket(), 'ActiveEnterTimestampMonotonic')];
    const toml = path.join(container.root, 'etc/notp/notp.toml');
    fs.appendFileSync(toml, '# ours\n');
    await aptMust('install', '/srv/next.deb');
    assert.match(fs.readFileSync(toml, 'utf8'), /# ours\n$/);
    assert.equal(await show(socket(), 'ActiveEnterTimestampMonotonic'), since);
    assert.equal(await show(socket(), 'ActiveState'), 'active');
    assert.notEqual(await show(service(), 'MainPID'), pid);
    await passes(phone.recoveryCode());
  });

  it('is not removed while logins need it', async () => {
    const { code, stderr, stdout } = await apt('remove', 'notp');
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /notp: error: logins need notp.*10-notp-gate\.conf/);
    assert.match(stdout + stderr, /notp: hint: run "notp setup undo"/);
    await passes(phone.recoveryCode());
  });

  it('is removed after notp setup undo: key, state, log and configuration stay, sockets and services go', async () => {
    await container.must(['notp', 'setup', 'undo']);
    await aptMust('remove', 'notp');
    assert.deepEqual(isKept(), [true, true, true, true]);
    assert.equal(await container.must(['systemctl', 'list-units', '--plain', '--no-legend', 'notp*']), '');
    assert.equal(fs.existsSync(path.join(container.root, 'etc/systemd/system/sockets.target.wants', socket())), false);
    await passes();
  });

  it('is installed again: who was enrolled is enrolled, and a setup that nobody confirms is undone', async () => {
    await aptMust('install', '/srv/next.deb');
    assert.equal(await show(socket(), 'ActiveState'), 'active');
    await container.must(['notp', 'setup', 'gate', '--user', 'alice', '--apply', '--confirm-within', '5s']);
    await passes(phone.recoveryCode());
    for (const deadline = Date.now() + 30_000; (await login('true')).code !== 0; await sleep(200)) {
      assert.ok(Date.now() < deadline, 'the setup is still there');
    }
    assert.equal(fs.existsSync(path.join(container.root, DROP_IN)), false);
  });

  it('asks su and sudo for a code where pam-auth-update enables it, and takes that away when it is removed', async () => {
    const files = loginFiles(container);
    await container.must(['pam-auth-update', '--package', '--enable', 'notp']);
    const terminal = container.inTerminal(['su', '-', 'alice', '-c', 'echo in'], { as: the(bob).name });
    await terminal.expect(/Password: /);
    terminal.send(`${PASSWORD}\r`);
    await terminal.expect(/One-time code: /);
    terminal.send(`${phone.recoveryCode()}\r`);
    await terminal.expect(/^in\r$/m);
    assert.equal(await terminal.exited, 0);
    await aptMust('remove', 'notp');
    assert.deepEqual(loginFiles(container), files);
  });

  it('is purged: nothing is left but what lies in homes, and logins go on', async () => {
    await aptMust('purge', 'notp');
    assert.deepEqual(isKept(), [false, false, false, false]);
    assert.deepEqual(
      installed.filter((file) => fs.existsSync(path.join(container.root, file))),
      [],
    );
    const folders = ['/etc', '/var/lib', '/var/log', '/usr/bin', '/usr/lib/systemd'];
    const left = await container.must(['find', ...folders, '-path', '/var/lib/dpkg', '-prune', '-o', '-name', '*notp*', '-print']);
    assert.equal(left, '');
    assert.equal((await container.run(['getent', 'passwd', 'notp'])).code, 2);
    assert.equal(fs.existsSync(path.join(container.root, 'home/alice/.notp/ssh')), true);
    await passes();
  });
});

function the(user: TestUser | undefined): TestUser {
  assert.ok(user !== undefined);
  return user;
}

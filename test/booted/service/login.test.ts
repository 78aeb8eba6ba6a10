/** The service from the first boot on: its key, its units, and logins with host-sealed secrets through the real sshd.service. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { sshIn } from '../../support/container-ssh.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

const HOST_KEY = '/etc/notp/host.key';

describe('the service on a booted host', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;

  before(async () => {
    world = await bootService('login');
    alice = await world.addUser('alice');
    phone = await world.enroll(alice);
  });

  it('makes the host key at the first boot, readable by nobody but the system user notp', async () => {
    assert.equal(await world.container.must(['stat', '--format=%U %a %s', HOST_KEY]), 'notp 600 32\n');
    const created = (await world.records()).filter(({ event }) => event === 'host_key.created');
    assert.equal(created.length, 1);
    assert.equal(await world.container.must(['systemctl', 'is-system-running']), 'running\n');
  });

  it('has units in which systemd-analyze verify finds nothing wrong', async () => {
    const units = [
      'notp@1000.service',
      'notp@1000.socket',
      'notp-host-key.service',
      'notp-store-refresh.timer',
      'notp-store-refresh.service',
      'notp.slice',
    ];
    const checked = await world.container.run(['systemd-analyze', 'verify', '--man=no', ...units]);
    const ours = `${checked.stdout}${checked.stderr}`.split('\n').filter((line) => line.includes('notp'));
    assert.deepEqual([checked.code, ours], [0, []]);
  });

  it('is exposed at most 0.7, by systemd-analyze security', async () => {
    // Of it 0.4 are PrivateTmp and PrivateDevices, which anybody could keep from starting by filling /tmp; what they hide is hidden by name.
    const unit = `notp@${String(alice.uid)}.service`;
    const rated = await world.container.must(['systemd-analyze', 'security', '--no-pager', '--threshold=7', unit]);
    assert.match(rated, new RegExp(`exposure level for ${unit}: 0\\.[0-7]\\s`));
    // It reaches a server over the network.
    await world.container.must(['systemd-analyze', 'security', '--no-pager', '--threshold=15', 'notp-store-refresh.service']);
  });

  it('listens for a user as soon as root has enrolled them, on a socket that is theirs alone', async () => {
    const socket = `/run/notp/${String(alice.uid)}.sock`;
    assert.equal(await world.container.must(['stat', '--format=%F %U %a', socket]), 'socket alice 600\n');
    assert.equal(await world.container.must(['systemctl', 'is-enabled', `notp@${String(alice.uid)}.socket`]), 'enabled\n');
  });

  it('seals by the host key, in a file that does not tell the secret', () => {
    const file = fs.readFileSync(world.outside('/home/alice/.notp/ssh'), 'utf8');
    assert.equal((JSON.parse(file) as { seal: { kind: string } }).seal.kind, 'host');
    assert.equal(file.includes(phone.secret), false);
  });

  it('lets in with a code that is typed on the terminal, and records it', async () => {
    const terminal = await world.atPrompt(alice);
    terminal.send(`${await phone.code()}\r`);
    await terminal.expect(/\$ /);
    terminal.send('echo "$(id -un) 0=$0 [$LC_NOTP]"; exit 4\r');
    await terminal.expect(/alice 0=-bash \[\]\r\n/);
    assert.equal(await terminal.exited, 4);
    const { event, user, uid, door, method, rhost } = (await world.lastLogin()) ?? {};
    assert.deepEqual(
      { event, user, uid, door, method, rhost },
      {
        ...{ event: 'login.accepted', user: 'alice', uid: alice.uid, door: 'gate', method: 'totp', rhost: '127.0.0.1' },
      },
    );
  });

  it('lets in with a code in LC_NOTP, once', async () => {
    const code = await phone.code();
    const first = await world.login(alice, code);
    assert.deepEqual(first, { code: 0, signal: null, stdout: 'alice\n', stderr: '' });
    const again = await world.login(alice, code);
    assert.deepEqual([again.code, again.stdout], [1, '']);
    assert.match(again.stderr, /^notp: error: code already used/);
    const record = await world.recordOf(again);
    assert.deepEqual([record?.result, record?.reason, record?.user], ['refused', 'replayed', 'alice']);
  });

  it('refuses a wrong code with a reference that notp audit finds', async () => {
    const wrong = await world.login(alice, '000000');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^notp: error: code not accepted \(ref [0-9a-f]{8}\)\nnotp: hint: /);
    assert.equal((await world.recordOf(wrong))?.reason, 'wrong_code');
  });

  it('asks for a code on stdin where there is no terminal, and hands the rest to the command', async () => {
    const ran = await sshIn(world.container, alice, ['cat'], { input: `${phone.recoveryCode()}\nthe rest\n` });
    assert.deepEqual([ran.code, ran.stdout], [0, 'the rest\n']);
    assert.equal((await world.lastLogin())?.method, 'recovery');
  });

  it('lets nobody in who is not enrolled', async () => {
    const carol = await world.addUser('carol');
    const ran = await world.login(carol, '000000');
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.match(ran.stderr, /not enrolled for one-time codes.*\n.*ask an administrator to run notp-enroll for you/);
  });

  it('lets in nobody whom root has revoked, and the socket is gone', async () => {
    const dora = await world.addUser('dora');
    const hers = await world.enroll(dora);
    assert.deepEqual(await world.login(dora, hers.recoveryCode()), { code: 0, signal: null, stdout: 'dora\n', stderr: '' });
    await world.container.must(['notp', 'revoke', '--user', 'dora', '--yes']);
    const ran = await world.login(dora, hers.recoveryCode());
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.equal((await world.container.run(['test', '-e', `/run/notp/${String(dora.uid)}.sock`])).code, 1);
    assert.equal((await world.container.run(['systemctl', 'is-enabled', `notp@${String(dora.uid)}.socket`])).stdout, 'disabled\n');
  });

  it('keeps the host key and everybody enrolled at the next boot', async () => {
    const key = fs.readFileSync(world.outside(HOST_KEY));
    await world.container.reboot();
    assert.deepEqual(fs.readFileSync(world.outside(HOST_KEY)), key);
    assert.equal(await world.container.must(['systemctl', 'is-system-running']), 'running\n');
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
    const records = await world.records();
    assert.equal(records.filter(({ event }) => event === 'host_key.created').length, 1);
    assert.deepEqual(
      records.map(({ seq }) => seq),
      records.map((_, i) => i + 1),
    );
  });
});

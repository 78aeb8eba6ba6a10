/** `LoadCredentialEncrypted=`: the host key lies on the disk encrypted only, and systemd opens it for the service alone. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { ROOT } from '../../support/process.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, recoveryCodes, scanned, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

const KEY = '/etc/notp/host.key';
const DROP_IN = '/etc/systemd/system/notp@.service.d/encrypted-host-key.conf';

describe('with the host key encrypted on the disk', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;
  let plain: Buffer;

  before(async () => {
    world = await bootService('encrypted');
    alice = await world.addUser('alice');
    phone = await world.enroll(alice);
    plain = fs.readFileSync(world.outside(KEY));
    await world.container.must(['systemd-creds', 'encrypt', '--name=host.key', KEY, `${KEY}.cred`]);
    await world.container.must(['rm', KEY]);
    fs.mkdirSync(path.dirname(world.outside(DROP_IN)));
    fs.copyFileSync(path.join(ROOT, 'systemd/encrypted-host-key.conf'), world.outside(DROP_IN));
    await world.container.must(['systemctl', 'daemon-reload']);
    await world.container.must(['systemctl', 'stop', 'notp@*.service']);
  });

  it('the key is not in the file that is left of it', () => {
    const sealed = fs.readFileSync(world.outside(`${KEY}.cred`));
    assert.equal(sealed.includes(plain), false);
    assert.equal(Buffer.from(sealed.toString('latin1'), 'base64').includes(plain), false);
    assert.equal(fs.existsSync(world.outside(KEY)), false);
  });

  it('a login works with a secret that was sealed before', async () => {
    assert.equal((await world.login(alice, await phone.code())).stdout, 'alice\n');
    const again = await world.login(alice, '000000');
    assert.equal((await world.recordOf(again))?.reason, 'wrong_code');
  });

  it('root enrols another user, and again with --replace, and what is broken off invites nobody', async () => {
    const bob = await world.addUser('bob');
    const status = async (): Promise<string> => (await world.container.run(['notp', 'status', '--user', 'bob'])).stderr;
    const given = world.container.inTerminal(['notp-enroll', 'bob'], { columns: 120 });
    await scanned(given);
    given.send('\x03');
    assert.notEqual(await given.exited, 0);
    assert.match(await status(), /bob is not enrolled/);
    for (const words of [['bob'], ['bob', '--replace']]) {
      const terminal = world.container.inTerminal(['notp-enroll', ...words], { columns: 120 });
      const bobs = await scanned(terminal);
      terminal.send(`${await bobs.code()}\r`);
      const [recovery = ''] = await recoveryCodes(terminal);
      assert.equal(await terminal.exited, 0);
      assert.equal(await world.container.must(['stat', '--format=%U %a', '/home/bob/.notp/ssh']), 'bob 600\n');
      assert.equal((await world.login(bob, await bobs.code())).stdout, 'bob\n');
      assert.equal((await world.login(bob, recovery)).stdout, 'bob\n');
      assert.equal((await world.login(bob, phone.recoveryCode())).stdout, '');
    }
  });

  it('root enrols many, and seals one of them anew', async () => {
    const carol = await world.addUser('carol');
    await world.container.must(['sh', '-c', 'echo carol | notp-enroll --batch - --json']);
    assert.match(await world.container.must(['notp', 'status', '--user', 'carol']), /it logs in/);
    assert.equal((await world.login(carol, '000000')).stdout, '');
    assert.equal((await world.container.run(['notp', 'reseal', '--user', 'carol', '--seal', 'host'])).code, 0);
  });

  it('no second key is made, neither by root nor at the next boot', async () => {
    const made = await world.container.run(['notp', 'host-key', 'init']);
    assert.deepEqual([made.code, made.stdout], [3, '']);
    assert.match(made.stderr, /kept encrypted, in \/etc\/notp\/host\.key\.cred/);
    await world.container.reboot();
    assert.equal(fs.existsSync(world.outside(KEY)), false);
    assert.equal(await world.container.must(['systemctl', 'is-system-running']), 'running\n');
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
  });
});

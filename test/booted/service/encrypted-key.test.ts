/** `LoadCredentialEncrypted=`: the host key lies on the disk encrypted only, and systemd opens it for the service alone. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/doctor.ts';
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

  const findings = async (...ids: readonly string[]): Promise<string[]> => {
    const { stdout } = await world.container.run(['notp', 'doctor', '--json']);
    const found = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Finding);
    return found.filter(({ id }) => ids.includes(id)).map(({ id, severity, detail }) => `${id} ${severity} ${detail}`);
  };
  const IDS = ['host-key', 'service-credential', 'service-answers'];
  const stop = (): Promise<string> => world.container.must(['sh', '-c', "systemctl stop 'notp@*.service' 2>&1"]);
  const encrypt = (): Promise<string> => world.container.must(['systemd-creds', 'encrypt', '--name=host.key', KEY, `${KEY}.cred`]);
  const rotated = async (): Promise<string> => (await world.container.must(['notp', 'host-key', 'rotate'])).trim();
  const loaded = `service-credential ok LoadCredentialEncrypted=host.key:${KEY}.cred`;

  it('doctor finds all in order', async () => {
    const found = await findings(...IDS);
    assert.deepEqual(
      found.map((each) => each.split(' ').slice(0, 2).join(' ')),
      ['service-answers ok', 'service-credential ok', 'host-key ok'],
    );
    assert.ok(found.includes(loaded), found.join('\n'));
  });

  it('the hint of rotate left the plain key on the disk, and doctor found the host key in order', async () => {
    const refused = await world.container.run(['notp', 'host-key', 'rotate']);
    assert.match(refused.stderr, /encrypt that file again, move it to a safe place off this host, and then systemctl stop/);
    await world.container.must([
      'sh',
      '-c',
      `systemd-creds decrypt --name=host.key ${KEY}.cred ${KEY}; chown notp: ${KEY}; chmod 400 ${KEY}`,
    ]);
    assert.ok((await findings(...IDS)).includes(`host-key warn ${KEY} and ${KEY}.cred`));
  });

  it('doctor said that the service receives the host key while it had another one than root, and every login was refused', async () => {
    const earlier = (await world.container.must(['notp', 'host-key', 'id'])).trim();
    const id = await rotated();
    await world.container.must(['notp', 'reseal', '--all']);
    const other = (await findings('service-answers')).filter((each) => each.includes('fail'));
    assert.ok(other.length > 0);
    // The service says so itself as soon as the state needs the other key.
    for (const each of other) assert.match(each, new RegExp(`has ${earlier}, and ${KEY} is ${id}|store_unavailable`));
    await encrypt();
    await world.container.must(['rm', KEY]);
    await stop();
    assert.deepEqual(
      (await findings('service-answers')).filter((each) => each.includes('fail')),
      [],
    );
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
  });

  it('doctor said that the service receives the host key when the encrypted one was gone, and a drop-in still named it', async () => {
    await world.container.must([
      'sh',
      '-c',
      `systemd-creds decrypt --name=host.key ${KEY}.cred ${KEY}; chown notp: ${KEY}; chmod 400 ${KEY}; mv ${KEY}.cred /root/`,
    ]);
    await stop();
    const found = await findings(...IDS);
    assert.ok(
      found.includes(
        `service-credential fail notp@.service has no LoadCredential=host.key:${KEY}, but LoadCredentialEncrypted=host.key:${KEY}.cred`,
      ),
      found.join('\n'),
    );
    assert.ok(
      found.some((each) => each.startsWith('service-answers fail')),
      found.join('\n'),
    );
  });
});

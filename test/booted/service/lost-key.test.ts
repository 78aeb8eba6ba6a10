/** A host key that was lost, or is to come from elsewhere: neither a login nor a boot makes a new one in its place. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

const KEY = '/etc/notp/host.key';
const UNIT = 'notp-host-key.service';
/** The conditions of the unit do not know this place. */
const STATE = '[store]\nurl = "sqlite:/var/lib/notp/codes.db"\n';
const ASK_JUDGE = 'printf 000000 | PAM_USER=alice PAM_TYPE=auth PAM_SERVICE=sudo notp pam';

describe('a host key that is not there, with the state elsewhere than by default', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;

  before(async () => {
    world = await bootService('lost', { toml: STATE });
    alice = await world.addUser('alice');
    phone = await world.enroll(alice);
  });

  const inside = (script: string): Promise<string> => world.container.must(['sh', '-c', script]);
  const folder = (): string[] => fs.readdirSync(world.outside('/etc/notp')).toSorted();
  const logsIn = async (): Promise<boolean> => (await world.login(alice, phone.recoveryCode())).stdout === 'alice\n';
  /** Alice at the gate, and at the PAM door. */
  const isRefused = async (): Promise<void> => {
    await inside("systemctl stop 'notp@*.service'");
    assert.equal(await logsIn(), false);
    assert.equal((await world.container.run(['sh', '-c', ASK_JUDGE])).code, 1);
  };
  /** What the unit has said since the boot. */
  const said = async (): Promise<string> => await world.container.must(['journalctl', '--boot', '--output=cat', `--unit=${UNIT}`]);

  it('is made at the first boot, where nothing is there yet', async () => {
    assert.deepEqual(folder(), ['host.key', 'notp.toml']);
    assert.equal(await logsIn(), true);
  });

  it('is not made by a login where it was lost', async () => {
    await inside(`mv ${KEY} /root/kept`);
    await isRefused();
    assert.deepEqual(folder(), ['notp.toml']);
  });

  it('is not made at the next boot, and the unit says why', async () => {
    await world.container.reboot();
    assert.deepEqual(folder(), ['notp.toml']);
    assert.match(await said(), /hint: no host key is made at boot: \/var\/lib\/notp\/codes\.db is signed with a key that was lost/);
    assert.equal(await world.container.must(['systemctl', 'is-system-running']), 'running\n');
    await isRefused();
    assert.deepEqual(folder(), ['notp.toml']);
  });

  it('is not made by a login or a boot where notp.toml names another, which has not arrived yet', async () => {
    await world.configure(`host_key = ["/etc/notp/fleet.key"]\n${STATE.replace('codes', 'others')}`);
    await isRefused();
    await world.container.reboot();
    assert.match(await said(), /hint: no host key is made at boot: host_key names \/etc\/notp\/fleet\.key/);
    await isRefused();
    assert.deepEqual(folder(), ['notp.toml']);
  });

  it('opens everything again when it is put back', async () => {
    await world.configure(STATE);
    await inside(`mv /root/kept ${KEY}`);
    assert.equal(await logsIn(), true);
  });
});

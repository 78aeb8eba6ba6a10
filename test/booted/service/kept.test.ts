/** `secrets = "store"` behind the service: who has no ~/.notp logs in at the gate and looks after the own enrolment, with the keys and files as systemd hands them over. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import type { Terminal } from '../../support/process.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, recoveryCodes, scanned, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

const KEPT = 'secrets = "store"\n';

describe('the service with sealed files in the store', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;

  before(async () => {
    world = await bootService('kept', { toml: KEPT });
    alice = await world.addUser('alice');
    phone = await world.enroll(alice);
  });
  const asAlice = (...words: readonly string[]): Terminal => world.container.inTerminal(['notp', ...words], { as: 'alice' });
  const folder = (): string => world.outside('/home/alice/.notp');

  it('lets a code in once at the gate, and tells its user the state, without a file in the home', async () => {
    const code = await phone.code();
    const status = await world.login(alice, code, { words: ['notp', 'status', '--json'] });
    assert.equal((JSON.parse(status.stdout) as { state: string; seal: string }).state, 'active');
    assert.match((await world.login(alice, code)).stderr, /already used/);
    assert.equal(fs.existsSync(folder()), false);
  });

  it('gives new recovery codes and the secret again after a code, and seals a new one in place of it', async () => {
    const recovery = asAlice('recovery');
    await recovery.expect(/One-time code/);
    recovery.send(`${phone.recoveryCode()}\r`);
    const [shown] = await recovery.expect(/(?: {2}[A-Z2-7-]+\r\n){10}/);
    assert.equal(await recovery.exited, 0);
    const codes = shown.trim().split(/\s+/);
    const again = asAlice('export', 'ssh', '--to', 'base32');
    await again.expect(/One-time code/);
    again.send(`${codes.pop() ?? ''}\r`);
    await again.expect(new RegExp(phone.secret));
    assert.equal(await again.exited, 0);
    const enrol = asAlice('enroll', '--replace');
    await enrol.expect(/One-time code/);
    enrol.send(`${codes.pop() ?? ''}\r`);
    const next = await scanned(enrol);
    enrol.send(`${await next.code()}\r`);
    const fresh = await recoveryCodes(enrol);
    assert.equal(await enrol.exited, 0);
    assert.equal((await world.login(alice, codes.pop() ?? '')).code, 1);
    assert.equal((await world.login(alice, fresh.pop() ?? '')).stdout, 'alice\n');
    assert.equal(fs.existsSync(folder()), false);
  });

  it('opens with a second key only where systemd hands it over', async () => {
    await world.container.must([
      'sh',
      '-c',
      'install -o notp -m 400 /dev/null /etc/notp/new.key; head -c 32 /dev/urandom >/etc/notp/new.key',
    ]);
    await world.configure(`${KEPT}host_key = ["/etc/notp/new.key", "/etc/notp/host.key"]\n`);
    const refused = await world.login(alice, await phone.code());
    assert.equal(refused.code, 1);
    const doctor = await world.container.run(['notp', 'doctor']);
    assert.match(doctor.stdout, /notp@\.service has no LoadCredential=new\.key:\/etc\/notp\/new\.key/);
    const dropIn = world.outside('/etc/systemd/system/notp@.service.d');
    fs.mkdirSync(dropIn);
    fs.writeFileSync(`${dropIn}/keys.conf`, '[Service]\nLoadCredential=new.key:/etc/notp/new.key\n');
    await world.container.must(['systemctl', 'daemon-reload']);
    await world.container.must(['systemctl', 'stop', 'notp@*.service']);
    phone = await world.enroll(alice, ['--replace']);
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
    assert.doesNotMatch((await world.container.run(['notp', 'doctor'])).stdout, /does not receive the host key/);
  });
});

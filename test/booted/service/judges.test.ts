/** A judge and a member of a fleet on a booted host, each in the sandbox of its units: with what is installed for them, and nothing else. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { ROOT } from '../../support/process.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, SERVICE_NEEDS, type Phone, type ServiceWorld } from './world.ts';

/** One host is both here, with a configuration for each. */
const JUDGE = '/etc/notp/judge.toml';
const DROP_IN = 'fleet-store.conf';

describe('judge and member in their units', { skip: lacks({ ...SERVICE_NEEDS, programs: [...SERVICE_NEEDS.programs, 'openssl'] }) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;

  before(async () => {
    world = await bootService('judges');
    alice = await world.addUser('alice');
    const own = 'secrets = "store"\n[audit]\nfile = "/var/log/notp/judge.log"\n';
    fs.writeFileSync(world.outside(JUDGE), own, { mode: 0o644 });
    const drop = world.outside('/etc/systemd/system/notp@fleet.service.d');
    fs.mkdirSync(drop, { recursive: true });
    fs.writeFileSync(path.join(drop, 'test.conf'), `[Service]\nExecStart=\nExecStart=/usr/bin/notp serve fleet --config ${JUDGE}\n`);
    phone = await world.enroll(alice, ['--config', JUDGE]);
    for (const words of [
      ['notp', 'fleet', 'init', '/root/fleet'],
      ['notp', 'fleet', 'host-cert', '/root/fleet', 'localhost', '--judge'],
      ['install', '-o', 'root', '-g', 'notp', '-m', '0640', '/root/fleet/localhost.key', '/etc/notp/tls.key'],
      ['install', '-m', '0644', '/root/fleet/localhost.crt', '/etc/notp/tls.crt'],
      ['install', '-m', '0644', '/root/fleet/ca.crt', '/etc/notp/tls-ca.crt'],
      ['systemctl', 'daemon-reload'],
      ['systemctl', 'enable', '--now', 'notp-fleet.socket'],
    ])
      await world.container.must(words);
    await world.configure('secrets = "store"\n[fleet]\njudges = ["localhost"]\n');
  });

  it('reach each other over the network only with what is installed for it', async () => {
    const refused = await world.login(alice, phone.recoveryCode());
    assert.equal(refused.code, 1);
    assert.match(fs.readFileSync(world.outside('/var/log/notp/audit.log'), 'utf8'), /"reason":"store_unavailable".*no judge answers/);
    const folder = world.outside('/etc/systemd/system/notp@.service.d');
    fs.mkdirSync(folder);
    fs.copyFileSync(path.join(ROOT, 'systemd', DROP_IN), path.join(folder, DROP_IN));
    await world.container.must(['systemctl', 'daemon-reload']);
    await world.container.must(['systemctl', 'stop', 'notp@*.service']);
    const journal = (): Promise<string> => world.container.must(['journalctl', '-t', 'notp', '-n', '20', '--no-pager']);
    const code = await phone.code();
    const entered = await world.login(alice, code);
    assert.equal(entered.stdout, 'alice\n', entered.stderr + (await journal()));
    assert.match((await world.login(alice, code)).stderr, /already used/);
    const records = fs.readFileSync(world.outside('/var/log/notp/judge.log'), 'utf8');
    assert.match(
      records,
      /"host":"localhost".*"event":"login\.accepted","result":"accepted","method":"totp"|"event":"login\.accepted".*"host":"localhost"/,
    );
    await world.container.must(['notp', 'audit', 'verify', '--config', JUDGE]);
  });

  it('make no host key at the boot of a member', async () => {
    const { container } = world;
    await container.must(['sh', '-c', 'rm -f /etc/notp/host.key /var/lib/notp/state.db']);
    await container.must(['systemctl', 'start', 'notp-host-key.service']);
    assert.equal(fs.existsSync(world.outside('/etc/notp/host.key')), false);
  });
});

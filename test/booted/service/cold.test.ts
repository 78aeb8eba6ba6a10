/** The gate asks while the user's service starts, and takes the question back where no code is needed. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacks, type TestUser } from '../../support/world.ts';
import { sshInTerminal } from '../../support/container-ssh.ts';
import { bootService, SERVICE_NEEDS, type Phone, type ServiceWorld } from './world.ts';

/** As a slow host would. */
const SLOW = '[Service]\nExecStartPre=/bin/sleep 3\n';

describe('the gate, while the service starts', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;
  before(async () => {
    world = await bootService('cold', {
      toml: '[gate]\nsame_connection = true\n[[rule]]\nask = "code"\nremember = "1h"\n',
      prepare: (root) => {
        fs.mkdirSync(path.join(root, 'etc/systemd/system/notp@.service.d'), { recursive: true });
        fs.writeFileSync(path.join(root, 'etc/systemd/system/notp@.service.d/slow.conf'), SLOW);
      },
    });
    alice = await world.addUser('alice');
    phone = await world.enroll(alice);
  });

  const stop = async (): Promise<void> => {
    await world.container.must(['systemctl', 'stop', `notp@${String(alice.uid)}.service`]);
  };
  const isActive = async (): Promise<boolean> =>
    (await world.container.run(['systemctl', 'is-active', `notp@${String(alice.uid)}.service`])).stdout.trim() === 'active';

  it('asks before the service is there, and what is typed then is judged', async () => {
    await stop();
    const code = await phone.code();
    const terminal = await world.atPrompt(alice);
    assert.equal(await isActive(), false);
    terminal.send(`${code}\r`);
    await terminal.expect(/\$ $/);
    terminal.send('exit\r');
    assert.equal(await terminal.exited, 0);
    assert.equal((await world.lastLogin())?.result, 'accepted');
  });

  it('leaves to the shell what was typed meanwhile, where no code is needed: the first line was lost', async () => {
    await stop();
    const terminal = sshInTerminal(world.container, alice, []);
    await terminal.expect(/One-time code: /);
    terminal.send('echo first=$((1+1))\rexit\r');
    assert.equal(await terminal.exited, 0);
    assert.match(terminal.output(), /^first=2\r$/m);
    assert.equal((await world.lastLogin())?.method, 'remembered');
  });

  it('takes the question back where nobody is enrolled, and says why', async () => {
    const bob = await world.addUser('bob');
    await world.container.must(['systemctl', 'start', `notp@${String(bob.uid)}.socket`]);
    const terminal = sshInTerminal(world.container, bob, []);
    await terminal.expect(/One-time code: /);
    await terminal.expect(/\r +\rnotp: [^\r]*\(ref [0-9a-f]{8}\)/);
    assert.equal(await terminal.exited, 1);
  });
});

/** The example role for Ansible sets a real host up, confirms that over a login of its own, and changes nothing the second time. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { CLIENT_KEY } from '../../support/container-root.ts';
import { ROOT, type Ran } from '../../support/process.ts';
import { lacks } from '../../support/world.ts';
import { assertDone, bootHost, loginOnceUp, type Host } from './world.ts';

describe('the role for Ansible', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs, 'ansible-playbook'] }) }, () => {
  let host: Host;
  before(async () => {
    host = await bootHost('setup-ansible');
    await host.container.must(['sh', '-c', 'groupadd people && gpasswd --add bob people']);
    fs.cpSync(path.join(ROOT, 'examples/ansible'), path.join(host.container.root, 'root/ansible'), { recursive: true });
  });

  /** From inside the host, to the host, as alice. */
  async function play(): Promise<Ran> {
    const ssh = ['--user', 'alice', '--private-key', CLIENT_KEY, '-i', '127.0.0.1,', '/root/ansible/site.yml'];
    return await host.container.run(['ansible-playbook', ...ssh], {
      environment: { ANSIBLE_HOST_KEY_CHECKING: 'False', ANSIBLE_NOCOLOR: '1', ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3' },
      timeoutMs: 120_000,
    });
  }

  it('asks the people for a code and not the account of Ansible, and waits for no confirmation', async () => {
    const played = await play();
    assertDone(played);
    assert.match(played.stdout, /Confirmed from there.*\nchanged: /);
    assert.match((await host.setup('confirm')).stderr, /there is no setup to confirm/);
    assert.match((await loginOnceUp(host, host.bob, ['true'])).stderr, /Permission denied \(keyboard-interactive\)/);
    assertDone(await host.login(host.alice, ['true']));
  });

  it('changes nothing the second time', async () => {
    const played = await play();
    assertDone(played);
    assert.match(played.stdout, /changed=0 /);
  });
});

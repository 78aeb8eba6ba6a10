/** A setup that nobody confirmed before the host went down: its timer went with it, so the next boot takes it back. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { lacks } from '../../support/world.ts';
import { bootHost } from './world.ts';

const DROP_IN = 'etc/ssh/sshd_config.d/10-notp-gate.conf';

describe('the next boot', { skip: lacks(CONTAINER_NEEDS) }, () => {
  it('takes an unconfirmed setup back before sshd starts, and leaves a confirmed one', async () => {
    const host = await bootHost('setup-boot');
    const isSetUp = (): boolean => fs.existsSync(path.join(host.container.root, DROP_IN));
    await host.container.must(['systemctl', 'enable', '--quiet', 'notp-setup-undo.service']);
    await host.enrol(host.alice);
    const applied = await host.setup('gate', '--apply', '--force', '--confirm-within', '1h');
    assert.deepEqual([applied.code, isSetUp()], [0, true], applied.stderr);

    await host.container.reboot();
    assert.equal(isSetUp(), false);
    const login = await host.login(host.alice, ['echo', 'in']);
    assert.deepEqual([login.code, login.stdout], [0, 'in\n'], login.stderr);

    const kept = await host.setup('gate', '--apply', '--force', '--confirm-within', 'never');
    assert.deepEqual([kept.code, isSetUp()], [0, true], kept.stderr);
    await host.container.reboot();
    assert.equal(isSetUp(), true);
  });
});

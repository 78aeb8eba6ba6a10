/** A setup that is killed, or that nobody confirms, is undone to the byte. */
import assert from 'node:assert/strict';
import { afterEach, before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { sleep } from '../../support/process.ts';
import { lacks } from '../../support/world.ts';
import { assertAsBefore, assertDone, bootHost, loginOnceUp, snapshot, untilUndone, type Host } from './world.ts';

/** The words before a command that kill it where it syncs a file for the `when`th time. */
function killedAtSync(when: number): string[] {
  return ['strace', '-o', '/dev/null', '-e', 'trace=fsync', '-e', `inject=fsync:signal=SIGKILL:when=${String(when)}`];
}

describe('a setup', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs, 'strace'] }) }, () => {
  let host: Host;
  let untouched: Readonly<Record<string, string>>;
  before(async () => {
    host = await bootHost('setup-killed');
    await host.enrol(host.alice);
    untouched = snapshot(host);
  });
  afterEach(async () => {
    await host.clear();
    assertAsBefore(host, untouched);
  });

  it('killed wherever it syncs a file, is undone to the byte', async () => {
    const command = ['notp', 'setup', 'sudo', '--user', 'bob', '--apply', '--confirm-within', '1h'];
    const seen = new Set<string>();
    for (let when = 1; ; when += 2) {
      const killed = await host.container.run([...killedAtSync(when), ...command]);
      seen.add(JSON.stringify(snapshot(host)));
      if (killed.code === 0) break;
      assert.ok(when < 40, killed.stderr);
      const undone = await host.setup('undo');
      assert.ok(undone.code === 0 || /there is no setup to undo/.test(undone.stderr), undone.stderr);
      assertAsBefore(host, untouched);
    }
    // Nothing written, one file written, both written.
    assert.ok(seen.size >= 3);
    assertDone(await host.setup('undo'));
  });

  it('killed in the middle of an undo, is undone to the byte by the next one', async () => {
    for (let when = 1; ; when++) {
      assertDone(await host.setup('gate', '--user', 'bob', '--apply', '--no-reload', '--confirm-within', 'never'));
      const killed = await host.container.run([...killedAtSync(when), 'notp', 'setup', 'undo']);
      if (killed.code === 0) break;
      assert.ok(when < 20, killed.stderr);
      const again = await host.setup('undo');
      assert.ok(again.code === 0 || /there is no setup to undo/.test(again.stderr), again.stderr);
      assertAsBefore(host, untouched);
    }
  });

  it('killed half-way, is undone by itself when the time is over', async () => {
    const kill = 'inject=rename:signal=SIGKILL:when=2';
    const command = ['notp', 'setup', 'sudo', '--user', 'bob', '--apply', '--confirm-within', '3s'];
    const killed = await host.container.run(['strace', '-o', '/dev/null', '-e', 'trace=rename', '-e', kill, ...command]);
    assert.notEqual(killed.code, 0);
    assert.match((await host.setup('confirm')).stderr, /interrupted before everything was in place/);
    await untilUndone(host);
    assertAsBefore(host, untouched);
  });

  it('undoes nothing where one file cannot be put back, says so, and is tried again: half was undone, with "nothing was changed"', async () => {
    assertDone(await host.setup('pam', '--user', 'bob', '--apply', '--confirm-within', '3s'));
    const written = snapshot(host);
    const folder = '/etc/pam.d';
    await host.container.must(['sh', '-c', `mount --bind ${folder} ${folder} && mount -o remount,bind,ro ${folder}`]);
    const byHand = await host.setup('undo');
    assert.notEqual(byHand.code, 0);
    assert.match(byHand.stderr, /nothing was put back: \/etc\/pam\.d\/sshd: .*read-only/);
    const tried = ['sh', '-c', "journalctl --boot --no-pager | grep -q 'setup-.*nothing was put back\\|notp.*nothing was put back'"];
    for (const deadline = Date.now() + 40_000; (await host.container.run(tried)).code !== 0; await sleep(200))
      assert.ok(Date.now() < deadline, 'it was not tried');
    assertAsBefore(host, written);
    await host.container.must(['umount', folder]);
    await untilUndone(host);
  });

  it('is undone by itself also where there is no systemd', async () => {
    const without = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /run/systemd && exec "$@"', 'sh'];
    const applied = await host.container.run([...without, 'notp', 'setup', 'pam', '--apply', '--confirm-within', '5s']);
    assertDone(applied);
    assert.match(applied.stderr, /Reloaded sshd \(pid \d+\)/);
    assert.match((await loginOnceUp(host, host.alice, ['true'])).stderr, /Permission denied \(keyboard-interactive\)/);
    await untilUndone(host);
    assertDone(await loginOnceUp(host, host.alice, ['true']));
  });
});

/** Of a booted container nothing stays, however its test ends. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { bootContainer, CONTAINER_NEEDS, type Container } from '../support/container.ts';
import { ROOT, sleep } from '../support/process.ts';
import { lacks } from '../support/world.ts';

/** Processes, mounts and cgroups of the container with this name that the machine still has. */
function leftOf(machine: string): string[] {
  const processes = fs.readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(machine));
  const mounts = fs
    .readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('notp-test '));
  return [...processes, ...mounts, ...groupsNamed(machine)];
}

/** The cgroups of this name. A folder that goes while find(1) walks the tree ends it with 1, though it did look at all others. */
function groupsNamed(name: string): string[] {
  const found = spawnSync('find', ['/sys/fs/cgroup', '-name', name], { encoding: 'utf8' });
  const unforeseen = found.stderr.split('\n').filter((line) => line !== '' && !line.endsWith('No such file or directory'));
  assert.deepEqual(unforeseen, []);
  return found.stdout.split('\n').filter((line) => line !== '');
}

function commandLine(pid: string): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

describe('a container ends', { skip: lacks(CONTAINER_NEEDS) }, () => {
  let container: Container;

  before(async () => {
    container = await bootContainer('ends');
  });

  it('leaves nothing behind when the test is killed, and does not disturb another one', async () => {
    const support = path.join(ROOT, 'test/support/container.ts');
    const script = `const { bootContainer } = await import(${JSON.stringify(support)});
      const container = await bootContainer('killed');
      process.stdout.write(await container.must(['hostname']));
      await new Promise((resolve) => setTimeout(resolve, 60_000));`;
    // Without the variable that would make it a part of this test run.
    const env = { PATH: process.env['PATH'] };
    const test = spawn(process.execPath, ['--input-type=module', '--eval', script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const machine = await new Promise<string>((resolve) =>
      test.stdout.once('data', (data: Buffer) => {
        resolve(String(data).trim());
      }),
    );
    assert.notDeepEqual(leftOf(machine), []);
    test.kill('SIGKILL');
    for (let tries = 0; leftOf(machine).length > 0 && tries < 200; tries++) await sleep(50);
    assert.deepEqual(leftOf(machine), []);
    assert.equal(await container.must(['systemctl', 'is-system-running']), 'running\n');
  });

  it('leaves nothing behind when it is stopped', async () => {
    const machine = (await container.must(['hostname'])).trim();
    assert.notDeepEqual(leftOf(machine), []);
    await container.stop();
    assert.deepEqual(leftOf(machine), []);
  });
});

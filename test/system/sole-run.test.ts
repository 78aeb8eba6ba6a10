/** One run at a time: the lock is held by one process, and free again however that one ends. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as path from 'node:path';
import { it } from 'node:test';
import { takeLock } from '../../src/system/sole-run.ts';
import { ROOT, sleep } from '../support/process.ts';

it('a lock that another process holds cannot be taken, and can when that one was killed', async () => {
  const name = `notp-test-${randomBytes(8).toString('hex')}`;
  const source = path.join(ROOT, 'src/system/sole-run.ts');
  const script = `import { takeLock } from ${JSON.stringify(source)}; console.log(await takeLock(${JSON.stringify(name)})); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = await new Promise<string>((resolve) => holder.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())));
  assert.equal(said, 'true\n');
  assert.equal(await takeLock(name), false);
  holder.kill('SIGKILL');
  const deadline = Date.now() + 10_000;
  while (!(await takeLock(name))) {
    assert.ok(Date.now() < deadline, 'the lock outlives its holder');
    await sleep(20);
  }
});

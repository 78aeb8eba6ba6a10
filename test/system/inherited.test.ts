/** What is shed of what a caller hands on: the limits that stand in the way, and nothing is started for those that do not. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT, run } from '../support/process.ts';
import { lacks } from '../support/world.ts';

const LIMITS = '/proc/self/limits';
const MEASURE = `import { shedInherited } from ${JSON.stringify(path.join(ROOT, 'src/system/inherited.ts'))};
  import { readFileSync } from 'node:fs';
  shedInherited();
  console.log(readFileSync('${LIMITS}', 'latin1'));
  console.log('policy ' + readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ')[38]);`;

describe('what a process has inherited', { skip: lacks({ root: true, programs: ['prlimit', 'chrt', 'strace', 'env'] }) }, () => {
  it('cost a login twelve processes, although no limit stood in its way', async () => {
    const calls = await shed('strace', '-f', '-qq', '-e', 'trace=execve', '-e', 'signal=none');
    assert.doesNotMatch(calls, /prlimit|chrt/);
  });

  it('is raised where it stands in the way', async () => {
    const limits = await shed(
      ...['prlimit', `--fsize=${String(2 ** 20)}:`, '--cpu=60:', '--nproc=500:', '--sigpending=1:', '--nofile=64:'],
    );
    assert.match(limits, /^Max file size +unlimited/m);
    assert.match(limits, /^Max cpu time +unlimited/m);
    for (const label of ['processes', 'pending signals', 'open files']) {
      const [, soft] = new RegExp(`^Max ${label} +(\\d+)`, 'm').exec(limits) ?? [];
      assert.ok(Number(soft) >= 1_000, limits);
    }
  });

  it('is scheduled as others are, whatever policy its caller has', async () => {
    assert.match(await shed('chrt', '--idle', '0'), /^policy 0$/m);
    assert.match(await shed(), /^policy 0$/m);
  });
});

async function shed(...before: string[]): Promise<string> {
  const { stdout, stderr, code } = await run([...before, process.execPath, '--input-type=module', '--eval', MEASURE]);
  assert.equal(code, 0, stderr);
  return stdout + stderr;
}

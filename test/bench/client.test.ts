/** The small process that logins are started from tells the prompt and the answer apart, and the page says what was missed. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { run } from '../support/process.ts';
import { lacks } from '../support/world.ts';
import { barChart } from './chart.ts';
import { inTurn, medianOf, ratioOf, targetTable, wall, type Case } from './measure.ts';

const CLIENT = path.join(import.meta.dirname, 'client.py');

describe('the client of the bench', { skip: lacks({ programs: ['python3'] }) }, () => {
  it('types at a prompt, and waits for the shell', async () => {
    const asks = 'printf "Code: "; read -r code; [ "$code" = 123456 ] && echo this is the shell';
    const { prompt = 0, answer = 0 } = await client('login', '0.1', '123456', 'sh', '-c', asks);
    assert.ok(prompt > 0 && answer > 0);
    assert.equal((await client('login', '0', '', 'echo', 'this is the shell'))['prompt'], 0);
    assert.match(String((await client('login', '0', '654321', 'sh', '-c', asks))['stderr']), /^no shell: Code: /);
  });

  it('runs a command on its own stdin, and fails where it fails', async () => {
    assert.deepEqual(Object.keys(await client('run', 'grep', 'typed')), ['wall', 'cpu']);
    assert.match(String((await client('run', 'grep', 'other'))['stderr']), /^grep other: 1$/m);
  });

  it('storms with many at once, and counts who was refused', async () => {
    const stormed = await client('storm', '3', '0', 'sh', '-c', 'read -r code; exit "$((code + 1))"');
    assert.equal(stormed['refused'], 3);
  });
});

describe('the page of the bench', () => {
  it('compares medians, of which the first round is none', async () => {
    const results = await inTurn([taking('slow', [9, 4, 6, 5]), taking('fast', [9, 1, 2, 3])], 3);
    assert.deepEqual([medianOf(results, 'slow', wall), ratioOf(results, ['slow', 'fast'], wall)], [5, 2.5]);
  });

  it('says of each target whether it is met, and by how much it is missed', () => {
    const table = targetTable([
      { what: 'one', most: 2, measured: 2 },
      { what: 'other', most: 40, measured: 50, unit: ' MB', why: 'large' },
      { what: 'none', most: 0, measured: 3 },
    ]);
    assert.match(table, /\| one +\| 2 +\| 2\.00 +\| met +\| +\|/);
    assert.match(table, /\| other +\| 40 MB +\| 50 MB +\| missed by 25 % \| large \|/);
    assert.match(table, /\| none .* missed by 3\.00 \|/);
  });

  it('has a chart whose names are text and nothing else', () => {
    const svg = barChart('<b>', ['a & b'], [{ name: 'key + <notp>', parts: [100, 50], whole: 149 }]);
    assert.match(svg, /&lt;b>[^]*a &amp; b[^]*key \+ &lt;notp>[^]*>149 ms</);
  });
});

async function client(...words: string[]): Promise<Record<string, number>> {
  const { stdout, stderr } = await run(['python3', CLIENT, ...words], { input: 'typed\n' });
  return JSON.parse(stdout === '' ? JSON.stringify({ stderr }) : stdout) as Record<string, number>;
}

function taking(name: string, times: number[]): Case<{ wall: number }> {
  return { name, once: () => Promise.resolve({ wall: times.shift() ?? NaN }) };
}

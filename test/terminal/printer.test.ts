/** What leaves the program: never a control character or a mark of direction that came from outside, on a terminal or not. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { assert as holds, asyncProperty, string } from 'fast-check';
import { causeOf, errnoOf, messageOf } from '../../src/error.ts';
import { ROOT, run } from '../support/process.ts';

const COLOURS = new RegExp(String.raw`\x1b\[[0-9;]*m`, 'g');
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

async function printed(text: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const program = `
    import { printResult, say } from ${JSON.stringify(path.join(ROOT, 'src/terminal/printer.ts'))};
    const text = JSON.parse(process.argv[1]);
    printResult(text);
    say(text);`;
  const { code, stdout, stderr } = await run([process.execPath, '--input-type=module', '-e', program, JSON.stringify(text)]);
  assert.equal(code, 0, stderr);
  return { stdout, stderr };
}

describe('the printer', () => {
  it('was passed raw C1 and direction marks of an address by `audit --ref` without a terminal', async () => {
    const record = `${JSON.stringify({ rhost: '\u009b31m\u202eevil\u2066\u200b' })}\n`;
    const { stdout, stderr } = await printed(record);
    assert.equal(stdout, '{"rhost":"\\u009b31m\\u202eevil\\u2066\\u200b"}\n');
    assert.equal(stderr, stdout);
    assert.deepEqual(JSON.parse(stdout), JSON.parse(record));
  });

  it('leaves lines, tabs, colours, drawings and letters as they are', async () => {
    const text = '\x1b[31mrot\x1b[0m\tJosé ▀▄█\r\n';
    assert.deepEqual(await printed(text), { stdout: text, stderr: text });
  });

  it('let out every escape sequence of a name that somebody had put into a database', async () => {
    for (const name of [
      '\x1b]0;title\x07',
      '\x1b[2J',
      '\x1b[1;1H',
      '\x1b[8m',
      '\x1b[?1049h',
      '\x1bc',
      '\x1bP+q\x1b\\',
      '\x1b',
      '\x1b[31',
      '\x1b[K',
      '\x1b[J',
    ]) {
      const { stdout, stderr } = await printed(`ssh of ${name}\n`);
      assert.ok(!stdout.includes('\x1b'), stdout);
      assert.ok(stdout.startsWith('ssh of \\u001b'), stdout);
      assert.equal(stderr, stdout);
    }
  });

  it('let a name out that wrote over the line that it stands in', async () => {
    assert.equal((await printed('evil\r1 record\n')).stdout, 'evil\\u000d1 record\n');
  });

  it('tells a full disk as that, and not as a defect of notp', async () => {
    const program = `
      import { sayThrown } from ${JSON.stringify(path.join(ROOT, 'src/terminal/printer.ts'))};
      import { openSync, writeSync } from 'node:fs';
      const attempts = [() => writeSync(openSync('/dev/full', 'w'), 'x'), () => openSync('/nowhere/x'), () => openSync(1.5), () => nothing()];
      for (const attempt of attempts) try { attempt(); } catch (error) { sayThrown(error); }`;
    const { stderr } = await run([process.execPath, '--input-type=module', '-e', program]);
    const [full, , gone, , usage, , defect] = stderr.split('\n');
    assert.deepEqual(
      [full, gone],
      [
        'notp: error: the system refuses it: no space left on device (ENOSPC)',
        'notp: error: the system refuses it: /nowhere/x: no such file or directory (ENOENT)',
      ],
      stderr,
    );
    for (const line of [usage, defect]) assert.match(line ?? '', /^notp: error: internal error: [^:]+$/);
  });

  it('was passed the words of Node.js for a full quota, which took it for a defect of notp', () => {
    const unnamed = 'Unknown system error -122';
    const quota = Object.assign(new Error(`${unnamed}: ${unnamed}, write`), { errno: -122, code: unnamed, syscall: 'write' });
    assert.deepEqual([causeOf(quota), errnoOf(quota)], ['disk quota exceeded (EDQUOT)', 'EDQUOT']);
  });

  it('tells what a failed call was about, unless the caller does', () => {
    const lookUp = { errno: -3008, code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: 'db.invalid' };
    const connect = { errno: -111, code: 'ECONNREFUSED', syscall: 'connect', address: '::1', port: 5432 };
    const all = [lookUp, connect].map((fields) => Object.assign(new Error('raw'), fields));
    assert.deepEqual(all.map(messageOf), ['db.invalid: no such host (ENOTFOUND)', '::1:5432: connection refused (ECONNREFUSED)']);
    assert.equal(causeOf(new AggregateError(all.slice(1))), 'connection refused (ECONNREFUSED)');
    assert.deepEqual([messageOf(new Error('its own')), messageOf('text')], ['its own', 'text']);
  });

  it('lets nothing else out, whatever it is given', async () => {
    await holds(
      asyncProperty(string({ unit: 'binary', maxLength: 200 }), async (text) => {
        const { stdout } = await printed(text);
        assert.doesNotMatch(stdout.replaceAll(/[\n\r\t]/g, '').replaceAll(COLOURS, ''), UNSAFE);
      }),
      { numRuns: 30 },
    );
  });
});

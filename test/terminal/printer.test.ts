/** What leaves the program: never a control character or a mark of direction that came from outside, on a terminal or not. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { assert as holds, asyncProperty, string } from 'fast-check';
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
      [full, gone, usage, defect].map((line) => line?.replace(/: [^:]*$/, '')),
      [
        'notp: error: the system refuses it: ENOSPC',
        'notp: error: the system refuses it: ENOENT',
        'notp: error: internal error',
        'notp: error: internal error',
      ],
      stderr,
    );
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

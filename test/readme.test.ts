/** The README is true where a program can tell: what it shows of sshd and PAM is what is shipped, and its words are those of the program. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { WORDING } from '../src/verdict/reasons.ts';
import { ROOT, run } from './support/process.ts';
import { SOURCE_NOTP } from './support/world.ts';

const README = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8');
const SHOWN = README.split('\n').map(squeezed);

describe('the README', () => {
  for (const name of ['sshd_config.d/10-notp-gate.conf', 'sshd_config.d/10-notp-pam.conf', 'pam.d/sudo-notp']) {
    it(`shows every line of examples/${name}`, () => {
      for (const line of linesOf(name)) assert.ok(SHOWN.includes(line), line);
    });
  }

  it('shows the auth lines of examples/pam.d/sshd-notp', () => {
    const auth = linesOf('pam.d/sshd-notp').filter((line) => line.startsWith('auth '));
    assert.ok(auth.length > 0);
    for (const line of auth) assert.ok(SHOWN.includes(line), line);
  });

  it('tells every refusal in the words that people see', () => {
    for (const { message } of Object.values(WORDING)) {
      assert.ok(
        SHOWN.some((line) => line.startsWith(`| ${message} |`)),
        message,
      );
    }
  });

  it('names no command as there that is not', async () => {
    const { stdout } = await run([...SOURCE_NOTP, '--help']);
    const there = [...stdout.matchAll(/^ {2}([a-z-]+) /gm)].map(([, command]) => command ?? '');
    const [now = ''] = README.split('\n## Not yet\n');
    const named = [...now.matchAll(/(?:`|sudo |bin\/|-u alice )notp ([a-z][a-z-]+)/g)].map(([, command]) => command ?? '');
    assert.ok(named.length > 10);
    assert.deepEqual(
      named.filter((command) => !there.includes(command)),
      [],
    );
  });

  it('links only to files that are there', () => {
    const links = [...README.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target]) => target ?? '');
    assert.ok(links.length > 5);
    for (const link of links) assert.ok(fs.existsSync(path.join(ROOT, link)), link);
  });
});

/** The lines of an example that are no comments, save those that can be uncommented. */
function linesOf(name: string): string[] {
  const lines = fs
    .readFileSync(path.join(ROOT, 'examples', name), 'utf8')
    .split('\n')
    .map(squeezed);
  return lines.filter((line) => line !== '' && !/^#[ %]/.test(line));
}

function squeezed(line: string): string {
  return line.trim().replaceAll(/\s+/g, ' ');
}

it('SECURITY.md names a test for each trust boundary, and each of them is there', () => {
  const security = fs.readFileSync(path.join(ROOT, 'SECURITY.md'), 'utf8');
  const rows = (security.split('## Trust boundaries')[1]?.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '));
  assert.ok(rows.length > 10);
  for (const row of rows.slice(2)) {
    const files = [...row.matchAll(/`(test\/[^`]+)`/g)].map(([, file = '']) => file);
    assert.notEqual(files.length, 0, row);
    for (const file of files) assert.ok(fs.existsSync(path.join(ROOT, file)), file);
  }
});

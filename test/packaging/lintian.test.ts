/** Debian's own checker finds nothing to say about the package. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT, run } from '../support/process.ts';
import { lacks } from '../support/world.ts';
import { builtPackage } from '../support/built-package.ts';
import { debIn } from './package-world.ts';

/** What takes half a minute and reads Node's own code alone: spelling, and libraries in it. */
const NODES_OWN = 'binaries/spelling,libraries/embedded';

describe('lintian', { skip: lacks({ programs: ['lintian', 'dpkg-deb'] }) }, () => {
  it('finds no error and no warning', async () => {
    const { stdout, stderr } = await run(['lintian', '--allow-root', '--no-cfg', '-X', NODES_OWN, debIn(builtPackage())]);
    // The package of a test is not compressed.
    const expected = [/ uses-no-compression-for-/, ...(fs.existsSync(path.join(ROOT, 'man')) ? [] : [/ no-manual-page /])];
    const found = stdout.split('\n').filter((line) => line !== '' && !expected.some((pattern) => pattern.test(line)));
    assert.deepEqual([found, stderr], [[], '']);
    assert.match(stdout, /uses-no-compression/);
  });

  it('is overridden with a reason for each tag', () => {
    const lines = fs.readFileSync(path.join(ROOT, 'packaging/debian/lintian-overrides'), 'utf8').trim().split('\n');
    assert.match(lines[0] ?? '', /^# /);
    assert.ok(lines.every((line) => /^(# |notp: )/.test(line)));
  });
});

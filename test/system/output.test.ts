/** The output of a program counts only where it has ended well: half of one was taken for the whole. */
import * as assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { outputOf, type Output, type OutputLimits } from '../../src/system/output.ts';

const run = (script: string, more: Partial<OutputLimits> = {}): Output =>
  outputOf('/bin/sh', ['-c', script], { timeoutMs: 10_000, ...more });

describe('what a program prints', () => {
  it('is its answer where it ends with 0, or as it is told to', () => {
    assert.deepEqual(run('echo yes'), { stdout: 'yes\n' });
    assert.deepEqual(run('echo inactive; exit 3', { isWhole: ({ stdout }) => stdout.endsWith('\n') }), { stdout: 'inactive\n' });
  });

  it('is none where the program fails, is not there, hangs, is killed, or prints half', () => {
    for (const [output, why] of [
      [run('echo half; echo no bus >&2; exit 1'), /^sh -c .* ended with 1: no bus$/],
      [run('exit 1'), / ended with 1 and without a whole answer$/],
      [outputOf('/nowhere/systemctl', ['show'], { timeoutMs: 1000 }), /^systemctl show: .*ENOENT/],
      [run("trap '' TERM; echo half; while :; do sleep 1; done", { timeoutMs: 200 }), /did not end within 0\.2 s$/],
      [run('echo half; kill -9 $$'), /was ended by SIGKILL$/],
      [run('printf half', { isWhole: ({ stdout }) => stdout.endsWith('\n') }), /without a whole answer$/],
      [run('echo 0123456789', { maxBytes: 5 }), /ENOBUFS/],
    ] as const) {
      assert.ok('failed' in output, JSON.stringify(output));
      assert.match(output.failed, why);
    }
  });
});

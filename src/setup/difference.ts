/** The unified difference that a change makes, from diff(1). */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { causeOf, errnoOf, NotpError } from '../error.ts';
import type { Change } from './plan.ts';

const DIFF = '/usr/bin/diff';
const TIMEOUT_MS = 10_000;
/** The exit code of diff(1) for different files; 0 is for equal ones. */
const DIFFERENT = 1;

/** In the format for patch(1). Empty if only the mode or owner changes. Throws `refused` where the file has gone meanwhile, `failed` without diff(1). */
export function difference({ file, before, after }: Change): Uint8Array {
  const from = before === undefined ? '/dev/null' : file;
  // Opened here: diff(1) would not say which of its files is not there.
  const old = opened(from);
  try {
    const { status, stdout, error } = spawnSync(DIFF, ['-u', `--label=${from}`, `--label=${file}`, '/dev/fd/3', '-'], {
      input: Buffer.from(after.bytes),
      stdio: ['pipe', 'pipe', 'pipe', old],
      timeout: TIMEOUT_MS,
      env: { LC_ALL: 'C' },
    });
    if (status === 0 || status === DIFFERENT) return stdout;
    throw new NotpError(
      'failed',
      `${DIFF} does not work: ${error === undefined ? `status ${String(status)}` : causeOf(error)}`,
      'install the package diffutils',
    );
  } finally {
    fs.closeSync(old);
  }
}

function opened(file: string): number {
  try {
    return fs.openSync(file, 'r');
  } catch (error) {
    const why = errnoOf(error) === 'ENOENT' ? 'has gone meanwhile' : `cannot be read: ${causeOf(error)}`;
    throw new NotpError('refused', `${file} ${why}`, 'run that command again');
  }
}

/** The unified difference that a change makes, from diff(1). */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { NotpError } from '../error.ts';
import type { Change } from './plan.ts';

const DIFF = '/usr/bin/diff';
const TIMEOUT_MS = 10_000;
/** The exit code of diff(1) for different files; 0 is for equal ones. */
const DIFFERENT = 1;

/** In the format for patch(1). Empty if only the mode or owner changes. Throws `refused` where the file has gone meanwhile, `failed` without diff(1). */
export function difference({ file, before, after }: Change): Uint8Array {
  const [from, old] = before === undefined ? ['/dev/null', '/dev/null'] : [file, file];
  const { status, stdout, error } = spawnSync(DIFF, ['-u', `--label=${from}`, `--label=${file}`, old, '-'], {
    input: Buffer.from(after.bytes),
    timeout: TIMEOUT_MS,
    env: { LC_ALL: 'C' },
  });
  if (status === 0 || status === DIFFERENT) return stdout;
  if (!fs.existsSync(old)) throw new NotpError('refused', `${old} has gone meanwhile`, 'run that command again');
  throw new NotpError('failed', `${DIFF} does not work: ${error?.message ?? `status ${String(status)}`}`, 'install the package diffutils');
}

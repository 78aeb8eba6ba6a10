/** Prevents core dumps, which would hold passphrases, secrets and codes. */
import { spawnSync } from 'node:child_process';

const PRLIMIT = '/usr/bin/prlimit';

/**
 * Sets this process's soft limit for core dumps to 0 (core(5); systemd-coredump obeys it too). Where prlimit(1) is missing, the
 * limit stays as it was.
 */
export function forbidCoreDumps(): void {
  spawnSync(PRLIMIT, [`--pid=${String(process.pid)}`, '--core=0:'], { stdio: 'ignore', env: {} });
}

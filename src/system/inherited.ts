/**
 * What a process has from whoever started it, and what they could hold it up or cut it off with: limits, timers, niceness, a real
 * uid whose signals reach it, a cgroup that can be frozen. sudo and su hand all of it on to what runs as root. See execve(2), setrlimit(2), setitimer(2), cgroups(7).
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { becomeRootForGood } from './privileges.ts';

const PRLIMIT = '/usr/bin/prlimit';
const CHRT = '/usr/bin/chrt';
/** Of each the soft and the hard limit. */
const UNLIMITED = ['as', 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nproc', 'rss', 'sigpending', 'stack'];
const OPEN_FILES = 1_024;
/** They end a process that does not catch them; a timer that was set before execve(2) still runs. */
const FROM_TIMERS: readonly NodeJS.Signals[] = ['SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGXCPU'];
/** They stop it. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGTSTP', 'SIGTTIN', 'SIGTTOU'];

/**
 * Sheds what can be shed; the caller is root. What the kernel does not allow stays as it is: a container may have its cgroups and its
 * hard limits from outside, where only whoever runs that container can use them. Throws `not_permitted` where a caller's uid is left.
 */
export function shedInherited(): void {
  becomeRootForGood();
  for (const signal of [...FROM_TIMERS, ...FROM_TERMINAL]) process.on(signal, () => undefined);
  const own = String(process.pid);
  if (!run(PRLIMIT, ['--pid', own, `--nofile=${String(OPEN_FILES)}`, ...UNLIMITED.map((limit) => `--${limit}=unlimited`)]))
    for (const limit of UNLIMITED) run(PRLIMIT, ['--pid', own, `--${limit}=unlimited`]);
  run(CHRT, ['--other', '--pid', '0', own]);
  for (const each of [
    () => setPriority(0),
    () => written('/sys/fs/cgroup/cgroup.procs', own),
    () => written('/proc/self/oom_score_adj', '0'),
  ]) {
    try {
      each();
    } catch {
      // Nothing to be done about it here.
    }
  }
}

function run(program: string, words: readonly string[]): boolean {
  return spawnSync(program, words, { env: {}, stdio: 'ignore' }).status === 0;
}

function written(file: string, text: string): void {
  writeFileSync(file, text, { flag: 'r+' });
}

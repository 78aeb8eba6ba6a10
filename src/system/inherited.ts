/**
 * Removes what a process inherits from its caller, and by which the caller could delay or end it: limits, timers, niceness, a real
 * uid whose signals reach it, a cgroup that can be frozen, variables that Node.js obeys. sudo and su pass most of this on to root's
 * programs.
 * See execve(2), setrlimit(2), setitimer(2), cgroups(7), environ(7).
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { isSea } from 'node:sea';
import { errnoOf, NotpError } from '../error.ts';
import { becomeRootForGood } from './privileges.ts';
import { isRoot } from './users.ts';

const PRLIMIT = '/usr/bin/prlimit';
const CHRT = '/usr/bin/chrt';
const SHELL = '/bin/sh';
const OPEN_FILES = 1_024;
const MEBIBYTE = 1024 * 1024;
/** The limits that could end or delay a decision: their names for prlimit(1) and in /proc, and the amount that is enough. */
const LIMITS = [
  { option: 'as', label: 'Max address space', enough: Infinity },
  { option: 'cpu', label: 'Max cpu time', enough: Infinity },
  { option: 'data', label: 'Max data size', enough: Infinity },
  { option: 'fsize', label: 'Max file size', enough: Infinity },
  { option: 'stack', label: 'Max stack size', enough: 8 * MEBIBYTE },
  // The limits of the system user, which count once this process has become it. A host with 1 GB of memory has 3,800 of both.
  { option: 'nproc', label: 'Max processes', enough: 2_000 },
  { option: 'sigpending', label: 'Max pending signals', enough: 2_000 },
  { option: 'nofile', label: 'Max open files', enough: OPEN_FILES },
] as const;
const SCHED_OTHER = '0';
/** These signals end a process that does not catch them. A timer that was set before execve(2) still runs. */
const FROM_TIMERS: readonly NodeJS.Signals[] = ['SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGXCPU'];
/** These signals stop a process. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGTSTP', 'SIGTTIN', 'SIGTTOU'];

/**
 * Removes what can be removed; the caller is root. What the kernel refuses stays: a container may have its cgroups and hard limits
 * from outside, where only the owner of the container can use them. Throws `not_permitted` where a caller's uid is left.
 */
export function shedInherited(): void {
  becomeRootForGood();
  for (const signal of [...FROM_TIMERS, ...FROM_TERMINAL]) process.on(signal, () => undefined);
  const own = String(process.pid);
  const limits = ownLimits();
  for (const { option, label, enough } of LIMITS) {
    const { soft, hard } = limits(label) ?? { soft: 0, hard: 0 };
    if (soft >= enough) continue;
    const most = enough === Infinity ? 'unlimited' : String(enough);
    if (!run(PRLIMIT, ['--pid', own, `--${option}=${most}`]) && hard > soft) run(PRLIMIT, ['--pid', own, `--${option}=${String(hard)}`]);
  }
  if (schedulingPolicy() !== SCHED_OTHER) run(CHRT, ['--other', '--pid', '0', own]);
  for (const each of [
    () => setPriority(0),
    () => write('/sys/fs/cgroup/cgroup.procs', own),
    () => write('/proc/self/oom_score_adj', '0'),
  ]) {
    try {
      each();
    } catch {
      // A container may forbid it, and nothing can be done here.
    }
  }
}

/** With fewer, notp may have none left to connect to the judge, or to write a record. */
const ENOUGH_FILES = 64;
/** With fewer, notp fails half-way. */
const LEAST_FILES = 24;
/** Set when this was tried. */
const TRIED = 'NOTP_FILES';

/**
 * Restarts the same program with a higher limit of open files (execve(2), which needs none), where the caller of `notp pam` has
 * left it almost none.
 * Otherwise returns. `words`: the arguments of this call. Throws `failed` where there are too few and the kernel allows no more.
 */
export function shedFileLimit(words: readonly string[]): void {
  if (process.geteuid?.() !== 0) return;
  const { soft, hard } = ownLimits()('Max open files') ?? { soft: Infinity, hard: Infinity };
  if (soft >= ENOUGH_FILES) return;
  if (process.env[TRIED] === undefined) {
    const most = String(hard >= ENOUGH_FILES ? Math.min(hard, OPEN_FILES) : OPEN_FILES);
    const again = isSea() ? words : [...process.execArgv, process.argv[1] ?? '', ...words];
    // As in bin/notp: -p keeps the effective user where the real one differs.
    const raise = `ulimit -n ${most} 2>/dev/null; exec "$@"`;
    process.execve?.(SHELL, [SHELL, '-p', '-c', raise, SHELL, process.execPath, ...again], { ...process.env, [TRIED]: 'tried' });
  }
  if (soft < LEAST_FILES)
    throw new NotpError('failed', 'the caller allows too few open files, so nothing can be asked or recorded', 'ulimit -n 1024');
}

interface Limit {
  readonly soft: number;
  readonly hard: number;
}

/**
 * The limits of this process by their label in /proc, see proc_pid_limits(5): undefined where unknown, 0 where no descriptor is
 * left to read them.
 */
function ownLimits(): (label: string) => Limit | undefined {
  let text = '';
  try {
    text = readFileSync('/proc/self/limits', 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'EMFILE') return () => ({ soft: 0, hard: 0 });
  }
  return (label) => {
    const [, soft, hard] = new RegExp(`^${label} +(\\w+) +(\\w+)`, 'm').exec(text) ?? [];
    return soft === undefined || hard === undefined ? undefined : { soft: amountOf(soft), hard: amountOf(hard) };
  };
}

function amountOf(limit: string): number {
  return limit === 'unlimited' ? Infinity : Number(limit);
}

/** The 41st field of /proc/self/stat, whose second field is a name in brackets; see proc_pid_stat(5). Undefined where it cannot be read. */
function schedulingPolicy(): string | undefined {
  try {
    return /.*\) (?:\S+ ){38}(\d+)/s.exec(readFileSync('/proc/self/stat', 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}

function run(program: string, words: readonly string[]): boolean {
  return spawnSync(program, words, { env: {}, stdio: 'ignore' }).status === 0;
}

function write(file: string, text: string): void {
  writeFileSync(file, text, { flag: 'r+' });
}

/**
 * Variables that make Node.js and OpenSSL write files, print, or trust others. The executable ignores NODE_OPTIONS, but inherits
 * these like any program (NODE_V8_COVERAGE makes it write a file when it ends). Some take effect before a line of notp runs.
 */
const SWITCHES = /^(NODE_|OPENSSL_|SSL_CERT_|SSLKEYLOGFILE$|UV_|WATCH_REPORT_)/;

/**
 * Restarts the same executable without these variables (execve(2)), where root runs it and one is set. Otherwise returns. `called`
 * is the name and `words` are the arguments of this call. Not for the gate: there they are the user's own, and the user's shell
 * gets them.
 */
export function shedSwitches(called: string, words: readonly string[]): void {
  const set = Object.entries(process.env).filter(([name, value]) => SWITCHES.test(name) && value !== '');
  if (set.length === 0 || !isSea() || !isRoot() || words[0] === 'gate') return;
  const kept = Object.entries(process.env).filter(([name]) => !SWITCHES.test(name));
  process.execve?.(process.execPath, [called, ...words], Object.fromEntries(kept));
}

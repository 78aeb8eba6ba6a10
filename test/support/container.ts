/** A small Linux system of its own, booted by systemd in systemd-nspawn: units, sshd, journal and users as on a server. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { atEnd } from './cleanup.ts';
import { fillRoot, identify } from './container-root.ts';
import { run, runInTerminal, sleep, type Ran, type RunOptions, type Terminal } from './process.ts';
import { SBIN_PATH } from './world.ts';

export { installInto, installUnits, NODE_INSIDE } from './container-root.ts';

/** What a test file that boots a container passes to lacks(). */
export const CONTAINER_NEEDS = {
  root: true,
  programs: ['systemd-nspawn', 'dbus-daemon', 'nsenter', 'unshare', 'setpriv', 'sshd', 'ssh', 'ssh-keygen', 'python3'],
} as const;

const OUTSIDE = path.join(import.meta.dirname, 'container.sh');
const PTY = fs.readFileSync(path.join(import.meta.dirname, 'in_terminal.py'), 'utf8');
const BOOT_MS = 60_000;
const SHUTDOWN_MS = 30_000;
const POLL_MS = 50;

/** nspawn mounts the controllers of cgroup v1 read-only; with these two the limits of units on memory and tasks hold inside. */
const TAKE_CONTROLLERS = `cd /sys/fs/cgroup
for controller in memory pids; do [ ! -d $controller ] || mount -o remount,bind,rw $controller; done
[ ! -d memory ] || systemctl daemon-reexec`;

/** Who runs a command inside, where (the user's home unless told), and with what besides PATH, HOME, USER and LANG. */
export interface InsideOptions extends Pick<RunOptions, 'environment' | 'cwd' | 'input' | 'timeoutMs'> {
  readonly as?: string;
}

export interface Container {
  /** Its root as seen from outside, without what is mounted inside (/run, /tmp, /dev). */
  readonly root: string;
  run(command: readonly string[], options?: InsideOptions): Promise<Ran>;
  /** Runs a command that must succeed, and gives its stdout. */
  must(command: readonly string[], options?: InsideOptions): Promise<string>;
  /** Runs a command in a pseudo-terminal of the container's own. */
  inTerminal(command: readonly string[], options?: InsideOptions & { columns?: number }): Terminal;
  /** Waits until systemctl says that `unit` is in `state` (active, inactive, failed). */
  untilUnit(unit: string, state: string): Promise<void>;
  /** Shuts down in order, and boots the same files again. */
  reboot(): Promise<void>;
  /** Ends it without a shutdown; nothing of it stays. */
  stop(): Promise<void>;
}

/**
 * Boots a container; `prepare` may change its root before, and `nspawnOptions` are more of systemd-nspawn(1). `base`: the root of another Debian,
 * in place of this machine's files. Resolves when all units of the boot are up or have failed. Stopped when the test file ends.
 */
export async function bootContainer(
  name: string,
  prepare: (root: string) => void = () => undefined,
  nspawnOptions: readonly string[] = [],
  base?: string,
): Promise<Container> {
  const machine = `notp-${name}-${randomBytes(4).toString('hex')}`;
  const holder = await hold(machine, base);
  const root = `/proc/${String(holder.pid)}/root/run/systemd/nspawn/root`;
  atEnd(holder.end);
  const umask = process.umask(0o022);
  if (base === undefined) fillRoot(root);
  identify(root, machine);
  prepare(root);
  process.umask(umask);
  let booted = await boot(holder.pid, machine, nspawnOptions);

  const inside = (command: readonly string[], options: InsideOptions): [string[], RunOptions] =>
    wordsInside(booted.init, root, command, options);
  const runInside = async (command: readonly string[], options: InsideOptions = {}): Promise<Ran> => await run(...inside(command, options));
  const mustInside = async (command: readonly string[], options: InsideOptions = {}): Promise<string> => {
    const { code, stdout, stderr } = await runInside(command, options);
    if (code !== 0) throw new Error(`${command.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  return {
    ...{ root, stop: holder.end, run: runInside, must: mustInside },
    inTerminal: (command, options = {}) => {
      const [words, outside] = inside(['python3', '-c', PTY, String(options.columns ?? 80), ...command], options);
      // The outer terminal only carries bytes to the one inside, which has a name there.
      return runInTerminal(['sh', '-c', 'stty raw -echo && exec "$@"', 'sh', ...words], outside);
    },
    untilUnit: async (unit, state) => {
      for (const deadline = Date.now() + 30_000; ; await sleep(POLL_MS)) {
        if ((await runInside(['systemctl', 'is-active', unit])).stdout.trim() === state) return;
        if (Date.now() > deadline) {
          throw new Error(`${unit} is not ${state}:\n${(await runInside(['systemctl', 'status', '--no-pager', '--full', unit])).stdout}`);
        }
      }
    },
    reboot: async () => {
      await booted.shutDown();
      booted = await boot(holder.pid, machine, nspawnOptions);
    },
  };
}

interface Holder {
  readonly pid: number;
  readonly end: () => Promise<void>;
}

/** Keeps the mounts and cgroups of a container until it is ended, and then ends what runs there; also where the test is killed. */
async function hold(machine: string, base: string | undefined): Promise<Holder> {
  const holder = start([
    'unshare',
    '--mount',
    '--propagation',
    'private',
    '--',
    'sh',
    OUTSIDE,
    'hold',
    machine,
    ...(base === undefined ? [] : [base]),
  ]);
  while (!holder.output().endsWith('ready\n')) {
    if (await endedAfter(POLL_MS, holder.over)) throw new Error(`the container has no root:\n${holder.output()}`);
  }
  const end = async (): Promise<void> => {
    holder.child.stdin?.end();
    await holder.over;
  };
  return { pid: holder.pid, end };
}

interface Booted {
  /** The container's systemd, by its pid outside. */
  readonly init: number;
  shutDown(): Promise<void>;
}

async function boot(holder: number, machine: string, options: readonly string[]): Promise<Booted> {
  const nspawn = start(['nsenter', `--target=${String(holder)}`, '--mount', '--', 'sh', OUTSIDE, 'boot', machine, ...options]);
  nspawn.child.stdin?.end();
  const deadline = Date.now() + BOOT_MS;
  let init: number | undefined;
  for (let state = ''; init === undefined || !/^(running|degraded)/.test(state);) {
    if (await endedAfter(POLL_MS, nspawn.over)) throw new Error(`the container ended:\n${nspawn.output()}`);
    if (Date.now() > deadline) throw new Error(`the container does not boot (${state}):\n${nspawn.output()}`);
    init = childrenOf(nspawn.pid).find((child) => readIfThere(`/proc/${String(child)}/comm`) === 'systemd\n');
    if (init !== undefined) state = (await run(...wordsInside(init, '/', ['systemctl', 'is-system-running', '--wait']))).stdout;
  }
  await run(...wordsInside(init, '/', ['sh', '-c', TAKE_CONTROLLERS]));
  const shutDown = async (): Promise<void> => {
    nspawn.child.kill('SIGTERM');
    for (const last = Date.now() + SHUTDOWN_MS; !(await endedAfter(POLL_MS, nspawn.over));) {
      if (Date.now() > last) throw new Error(`the container does not shut down:\n${nspawn.output()}`);
    }
  };
  return { init, shutDown };
}

/** The words that run `command` inside, and what runs them outside. */
function wordsInside(init: number, root: string, command: readonly string[], options: InsideOptions = {}): [string[], RunOptions] {
  const { as = 'root', cwd, environment, ...others } = options;
  const home = as === 'root' ? '/root' : homeOf(as, root);
  const enter = ['nsenter', `--target=${String(init)}`, ...'--mount --uts --ipc --net --pid --cgroup'.split(' ')];
  const become = as === 'root' ? [] : ['setpriv', `--reuid=${as}`, `--regid=${as}`, '--init-groups'];
  const words = [...enter, `--root=/proc/${String(init)}/root`, '--wd=/', '--', ...become, 'env', `--chdir=${cwd ?? home}`, ...command];
  const variables = { PATH: SBIN_PATH, HOME: home, USER: as, LANG: 'C.UTF-8', TERM: 'xterm', ...environment };
  return [words, { ...others, clearEnvironment: true, environment: variables }];
}

function homeOf(user: string, root: string): string {
  const lines = fs.readFileSync(path.join(root, 'etc/passwd'), 'utf8').split('\n');
  const home = lines.find((line) => line.startsWith(`${user}:`))?.split(':')[5];
  if (home === undefined) throw new Error(`there is no user ${user} in the container`);
  return home;
}

/** Whether it has ended after `ms` at the most. */
async function endedAfter(ms: number, over: Promise<true>): Promise<boolean> {
  return (await Promise.race([over, sleep(ms)])) === true;
}

interface Started {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Becomes true when it has ended. */
  readonly over: Promise<true>;
  readonly output: () => string;
}

function start([file = '', ...words]: readonly string[]): Started {
  const child: ChildProcess = spawn(file, words, { env: { PATH: SBIN_PATH } });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin?.on('error', () => undefined);
  const over = new Promise<true>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      resolve(true);
    });
  });
  if (child.pid === undefined) throw new Error(`cannot run ${file}`);
  return { pid: child.pid, child, over, output: () => Buffer.concat(chunks).toString('utf8') };
}

function childrenOf(pid: number): number[] {
  return readIfThere(`/proc/${String(pid)}/task/${String(pid)}/children`)
    .trim()
    .split(' ')
    .map(Number);
}

function readIfThere(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

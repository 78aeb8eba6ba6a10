/** Reads what sshd and /proc say about the SSH session of this process. See sshd(8), proc(5). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Connection } from '../../store/store.ts';

/** The most ancestors between the gate and sshd: the login shell, and what it starts. */
const MAX_ANCESTORS = 4;
const SSHD_NAMES = ['sshd', 'sshd-session'];
/** login(1), which stays the parent of the shell that it starts. */
const CONSOLE_LOGIN = 'login';
/** Fields of /proc/PID/stat after the name: ppid is the 4th of all, tty_nr the 7th, starttime the 22nd. */
const PPID = 4 - 3;
const TERMINAL = 7 - 3;
const START_TICKS = 22 - 3;

interface ProcessStat {
  readonly name: string;
  readonly ppid: number;
  /** The device number of the controlling terminal; 0 where there is none. */
  readonly terminal: number;
  readonly startTicks: number;
}

/** The sshd process that serves this connection, or undefined where no near ancestor is one. */
export function sshConnection(): Connection | undefined {
  let pid = process.ppid;
  for (let i = 0; i < MAX_ANCESTORS && pid > 1; i++) {
    const stat = processStat(pid);
    if (stat === undefined) return undefined;
    if (SSHD_NAMES.includes(stat.name)) return { pid, startTicks: stat.startTicks, bootId: bootId() };
    pid = stat.ppid;
  }
  return undefined;
}

/** The process that a login began with, and its start time. */
export interface LoginStart {
  readonly pid: number;
  readonly name: string;
  readonly startTicks: number;
  readonly bootId: string;
}

/**
 * The start of this process's login: the sshd process of its connection, however far up; otherwise, with `console`, the login(1) of
 * a console.
 * Undefined for any other ancestor: a process of the service manager, of cron or of a terminal multiplexer can start at any time,
 * and is no login. Nor is a login(1) in a pseudo-terminal: any program can start one, and with -f nobody authenticates there.
 */
export function loginStart({ console }: { readonly console: boolean }): LoginStart | undefined {
  const above = ancestors();
  const bySsh = above.find(({ name }) => SSHD_NAMES.includes(name));
  const atConsole = console ? above.find(({ name, terminal }) => name === CONSOLE_LOGIN && isConsole(terminal)) : undefined;
  const found = bySsh ?? atConsole;
  return found === undefined ? undefined : { pid: found.pid, name: found.name, startTicks: found.startTicks, bootId: bootId() };
}

/** Whether `terminal`, a device number in the form of /proc, is a terminal other than a pseudo-terminal; see devices.txt of Linux. */
export function isConsole(terminal: number): boolean {
  const major = (terminal >> 8) & 0xfff;
  return terminal !== 0 && (major < FIRST_PTS || major > LAST_PTS);
}

/** The major numbers of /dev/pts. */
const [FIRST_PTS, LAST_PTS] = [136, 143];

/** The ancestors of this process, the nearest first, without init. */
function ancestors(): (ProcessStat & { readonly pid: number })[] {
  const found: (ProcessStat & { readonly pid: number })[] = [];
  for (let pid = process.ppid; pid > 1;) {
    const stat = processStat(pid);
    if (stat === undefined) break;
    found.push({ pid, ...stat });
    pid = stat.ppid;
  }
  return found;
}

/** A moment in the unit of process start times: ticks since a boot. */
export interface Moment {
  readonly ticks: number;
  readonly bootId: string;
}

/** The present moment; see proc_uptime(5). A clock tick is 10 ms in all of /proc. */
export function momentNow(): Moment {
  const seconds = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]);
  return { ticks: Math.round(seconds * 100), bootId: bootId() };
}

/** The client's address: the first word of SSH_CONNECTION. */
export function clientAddress(environment: NodeJS.ProcessEnv): string | undefined {
  return environment['SSH_CONNECTION']?.split(' ')[0];
}

/** The environment of the nearest ancestor that has that variable; empty where none has, or it cannot be read. Its user may have changed it. */
export function environmentAbove(): NodeJS.ProcessEnv {
  for (const { pid } of ancestors()) {
    const environment = environmentOf(pid);
    if (clientAddress(environment) !== undefined) return environment;
  }
  return {};
}

/** As the process was started with, see proc_pid_environ(5). */
function environmentOf(pid: number): NodeJS.ProcessEnv {
  try {
    const pairs = readFileSync(`/proc/${String(pid)}/environ`, 'utf8').split('\0');
    return Object.fromEntries(pairs.map((pair) => [pair.split('=', 1)[0] ?? '', pair.slice(pair.indexOf('=') + 1)]));
  } catch {
    return {};
  }
}

/** The address and port of this host to which the client has connected: the last two words of SSH_CONNECTION. */
export function serverOf(environment: NodeJS.ProcessEnv): { readonly address: string; readonly port: number } | undefined {
  const [, , address, port] = environment['SSH_CONNECTION']?.split(' ') ?? [];
  return address === undefined || port === undefined || !/^[1-9]\d{0,4}$/.test(port) ? undefined : { address, port: Number(port) };
}

/**
 * What sshd tells a session about the factors that have passed, a line for each (SSH_USER_AUTH, see ExposeAuthInfo in sshd_config(5)). PAM
 * has the same in SSH_AUTH_INFO_0. Empty where nothing is known.
 */
export function authInfo(environment: NodeJS.ProcessEnv): string {
  const file = environment['SSH_USER_AUTH'];
  try {
    return file === undefined ? '' : readFileSync(file, 'utf8');
  } catch {
    // The key is unknown, so none is remembered.
    return '';
  }
}

/**
 * SHA-256 (hex) of the key in `info`, as its fingerprint has it; undefined where there is none. Of several keys: of their lines, which begin as
 * no key does.
 */
export function keyDigestOf(info: string): string | undefined {
  const keys = info.match(/^publickey .*$/gm) ?? [];
  const [only = '', ...more] = keys;
  if (only === '') return undefined;
  const base64 = more.length === 0 ? /^publickey \S+ ([A-Za-z0-9+/]+={0,2})$/.exec(only)?.[1] : undefined;
  const bytes = base64 === undefined ? keys.join('\n') : Buffer.from(base64, 'base64');
  return createHash('sha256').update(bytes).digest('hex');
}

/** The type of the first key in `info`, empty where no key has passed; undefined where nothing is known. */
export function keyTypeOf(info: string): string | undefined {
  const type = /^publickey (.*?)(?: |$)/m.exec(info)?.[1] ?? '';
  return info !== '' && /^[\w.@-]{0,64}$/.test(type) ? type : undefined;
}

function processStat(pid: number): ProcessStat | undefined {
  try {
    const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${String(pid)}/stat`, 'latin1')) ?? [];
    const fields = rest?.split(' ') ?? [];
    return name === undefined
      ? undefined
      : {
          name,
          ppid: Number(fields[PPID]),
          terminal: Number(fields[TERMINAL]),
          startTicks: Number(fields[START_TICKS]),
        };
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

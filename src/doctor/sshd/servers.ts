/** Finds the sshds that listen on this host in /proc: program, configuration and options of each. See proc(5), sshd(8). */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { linkOf, programOf } from './program.ts';

export interface Server {
  /** The program to ask: the one that the process runs, or its replacement. */
  readonly program: string;
  /** The base name of its first word: before OpenSSH 9.8 this is also its PAM service. */
  readonly name: string;
  readonly config: string;
  /** Options that change the configuration (`-o`, `-p`, `-h`), to be repeated in questions. */
  readonly options: readonly string[];
  /** Absent if it is not running. */
  readonly pid?: number;
  /** The socket unit, if systemd starts it for a connection. */
  readonly unit?: string;
  /** Whether its title had no room for all options (setproctitle in a small environment), so that they are unknown. */
  readonly isCut?: boolean;
  /** Why it is not asked: the process may not be a real sshd of this host. */
  readonly doubt?: string;
  /** Whether the process runs a deleted file; `program` is then its replacement. */
  readonly isReplaced?: boolean;
}

export const DEFAULT_SSHD_CONFIG = '/etc/ssh/sshd_config';
const PROGRAMS = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/sbin/sshd', '/usr/bin/sshd'];
/** One word of options for sshd's getopt(3): letters without a value, then at most one with a value. */
const OPTIONS = /^-([^-CcEfghkobpu]*)(?:([CcEfghkobpu])(.*))?$/s;
const KEPT = ['o', 'h', 'p'];
/** With one of these options sshd does not listen: it serves one connection, or prints something. */
const NO_LISTENER = ['i', 't', 'T', 'G', 'V', 'R'];

/** The installed sshd with the configuration `config`; undefined if there is none. */
export function installedServer(config: string): Server | undefined {
  const program = PROGRAMS.find((file) => fs.existsSync(file));
  return program === undefined ? undefined : { program, name: 'sshd', config, options: [] };
}

/** Every sshd of this host that listens. Those in containers have another pid namespace and are not of this host. */
export function runningServers(): Server[] {
  const pids = fs.readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  const here = linkOf('/proc/self/ns/pid');
  return pids.flatMap((pid) => {
    const title = isRoots(pid) ? titleOf(pid) : undefined;
    if (title === undefined) return [];
    const elsewhere = linkOf(`/proc/${pid}/ns/pid`);
    if (elsewhere !== undefined && elsewhere !== here) return [];
    const { program, ...found } = programOf(pid, title.words[0] ?? '');
    // A process that has ended or become a session meanwhile is not a listener.
    return found.doubt !== undefined && titleOf(pid) === undefined ? [] : [{ ...serverOf(title, program), ...found, pid: Number(pid) }];
  });
}

interface Title {
  readonly words: readonly string[];
  readonly isCut: boolean;
}

/** The server that was started with `words`, the first of which is its own name. */
export function serverOf({ words, isCut }: Title, program: string): Server {
  const [first = ''] = words;
  const options = optionsOf(words.slice(1));
  const config = options.findLast(({ letter }) => letter === 'f')?.value ?? DEFAULT_SSHD_CONFIG;
  const kept = options.flatMap(({ letter, value }) => (KEPT.includes(letter) ? [`-${letter}`, value] : []));
  return { program, name: path.basename(first), config, options: kept, isCut };
}

/** The words with which a listening sshd was started; undefined for any other process, also for a session of sshd. */
function titleOf(pid: string): Title | undefined {
  const line = read(`/proc/${pid}/cmdline`);
  if (line === undefined) return undefined;
  // The title of a session begins with a user name or a bracket.
  const [, name, title = ''] = /^([^\s:/]+): (\/[^\0]*)/.exec(line) ?? [];
  if (name === 'sshd' || (name !== undefined && isSshd(linkOf(`/proc/${pid}/exe`)))) {
    const end = title.lastIndexOf(' [listener]');
    return { words: title.slice(0, end === -1 ? undefined : end).split(' '), isCut: end === -1 };
  }
  const words = line.split('\0').filter((word) => word !== '');
  // Before OpenSSH 8.2 a listener sets no title.
  const untitled = words[0]?.startsWith('/') === true && path.basename(words[0]) === 'sshd';
  return untitled && !optionsOf(words.slice(1)).some(({ letter }) => NO_LISTENER.includes(letter)) ? { words, isCut: false } : undefined;
}

/** Anybody can give a process any title, so all its uids must be root's. A process of root may still be confined, see program.ts. */
function isRoots(pid: string): boolean {
  return /^Uid:(\s+0){4}$/m.test(read(`/proc/${pid}/status`) ?? '');
}

function isSshd(program: string | undefined): boolean {
  return path.basename(program?.replace(/ \(deleted\)$/, '') ?? '') === 'sshd';
}

interface Option {
  readonly letter: string;
  /** Empty for an option without a value. */
  readonly value: string;
}

/** Parses options as getopt(3) does: a word may hold several letters, and the first with a value takes the rest of it, or the next word. */
function optionsOf(words: readonly string[]): Option[] {
  const options: Option[] = [];
  for (let i = 0; i < words.length && words[i] !== '--'; i++) {
    const [, flags = '', letter, rest = ''] = OPTIONS.exec(words[i] ?? '') ?? [];
    options.push(...Array.from(flags, (flag) => ({ letter: flag, value: '' })));
    if (letter === undefined) continue;
    const given = rest === '' ? [] : [rest];
    // A title separates words by blanks, but a value may contain blanks too. So a value goes on up to the next option.
    while (i + 1 < words.length && (given.length === 0 || words[i + 1]?.startsWith('-') === false)) given.push(words[++i] ?? '');
    options.push({ letter, value: given.join(' ') });
  }
  return options;
}

function read(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

/** The sshds that listen on this host, as /proc shows them: program, configuration and options of each. See proc(5), sshd(8). */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { linkOf, programOf } from './program.ts';

export interface Server {
  /** What is run to ask it: the program of the process itself, or what lies in its place now. */
  readonly program: string;
  /** Its first word, after which PAM's service is named before OpenSSH 9.8. */
  readonly name: string;
  readonly config: string;
  /** Options that change the configuration (`-o`, `-p`, `-h`), to be given again. */
  readonly options: readonly string[];
  /** Absent where none is running. */
  readonly pid?: number;
  /** The socket unit of one that systemd starts when a connection comes. */
  readonly unit?: string;
  /** Its title had no room for all of its options (setproctitle in an empty environment): they cannot be told. */
  readonly isCut?: boolean;
  /** Why it is not asked: the process is no sshd of this host, for all that can be told. */
  readonly doubt?: string;
  /** The process runs a file that is gone, and `program` is another. */
  readonly isReplaced?: boolean;
}

export const DEFAULT_SSHD_CONFIG = '/etc/ssh/sshd_config';
const PROGRAMS = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/sbin/sshd', '/usr/bin/sshd'];
/** Letters without a value, and one with its value, as getopt(3) of sshd has them. */
const OPTIONS = /^-([^-CcEfghkobpu]*)(?:([CcEfghkobpu])(.*))?$/s;
const KEPT = ['o', 'h', 'p'];
/** Called with one of these, sshd serves one connection, or tells something. */
const NO_LISTENER = ['i', 't', 'T', 'G', 'V', 'R'];

/** The sshd that is installed, judged with `config`; undefined where there is none. */
export function installedServer(config: string): Server | undefined {
  const program = PROGRAMS.find((file) => fs.existsSync(file));
  return program === undefined ? undefined : { program, name: 'sshd', config, options: [] };
}

/** Every sshd of this host that listens. Those of containers have process numbers of their own and are not ours. */
export function runningServers(): Server[] {
  const pids = fs.readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  const here = linkOf('/proc/self/ns/pid');
  return pids.flatMap((pid) => {
    const title = isRoots(pid) ? titleOf(pid) : undefined;
    if (title === undefined) return [];
    const elsewhere = linkOf(`/proc/${pid}/ns/pid`);
    if (elsewhere !== undefined && elsewhere !== here) return [];
    const { program, ...found } = programOf(pid, title.words[0] ?? '');
    // One that has become a session since, or has ended, is no listener.
    return found.doubt !== undefined && titleOf(pid) === undefined ? [] : [{ ...serverOf(title, program), ...found, pid: Number(pid) }];
  });
}

interface Title {
  readonly words: readonly string[];
  readonly isCut: boolean;
}

/** What is called with `words`, of which the first is its own name. */
export function serverOf({ words, isCut }: Title, program: string): Server {
  const [first = ''] = words;
  const options = optionsOf(words.slice(1));
  const config = options.findLast(({ letter }) => letter === 'f')?.value ?? DEFAULT_SSHD_CONFIG;
  const kept = options.flatMap(({ letter, value }) => (KEPT.includes(letter) ? [`-${letter}`, value] : []));
  return { program, name: path.basename(first), config, options: kept, isCut };
}

/** The words that a listening sshd was called with; undefined for any other process, a session of sshd too. */
function titleOf(pid: string): Title | undefined {
  const line = read(`/proc/${pid}/cmdline`);
  if (line === undefined) return undefined;
  // The title of a session begins with the name of a user, or with a bracket.
  const [, name, title = ''] = /^([^\s:/]+): (\/[^\0]*)/.exec(line) ?? [];
  if (name === 'sshd' || (name !== undefined && isSshd(linkOf(`/proc/${pid}/exe`)))) {
    const end = title.lastIndexOf(' [listener]');
    return { words: title.slice(0, end === -1 ? undefined : end).split(' '), isCut: end === -1 };
  }
  const words = line.split('\0').filter((word) => word !== '');
  // Before OpenSSH 8.2 a listener has no title.
  const untitled = words[0]?.startsWith('/') === true && path.basename(words[0]) === 'sshd';
  return untitled && !optionsOf(words.slice(1)).some(({ letter }) => NO_LISTENER.includes(letter)) ? { words, isCut: false } : undefined;
}

/** Anybody can give a process any title: all ids must be root's, which nobody else's process has. Root's may be confined, see program.ts. */
function isRoots(pid: string): boolean {
  return /^Uid:(\s+0){4}$/m.test(read(`/proc/${pid}/status`) ?? '');
}

function isSshd(program: string | undefined): boolean {
  return path.basename(program?.replace(/ \(deleted\)$/, '') ?? '') === 'sshd';
}

interface Option {
  readonly letter: string;
  /** Empty for one that takes none. */
  readonly value: string;
}

/** As getopt(3) reads them: letters may stand in one word, and the first that takes a value takes the rest of it, or the next word. */
function optionsOf(words: readonly string[]): Option[] {
  const options: Option[] = [];
  for (let i = 0; i < words.length && words[i] !== '--'; i++) {
    const [, flags = '', letter, rest = ''] = OPTIONS.exec(words[i] ?? '') ?? [];
    options.push(...Array.from(flags, (flag) => ({ letter: flag, value: '' })));
    if (letter === undefined) continue;
    const given = rest === '' ? [] : [rest];
    // The title has blanks between words and inside them alike: a value goes on to the next option.
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

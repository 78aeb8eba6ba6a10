/** The sshds that listen on this host, as /proc shows them: program, configuration and options of each. See proc(5), sshd(8). */
import * as fs from 'node:fs';
import * as path from 'node:path';

export interface Server {
  /** What is run to ask it: the program of the process itself. */
  readonly program: string;
  /** Its first word, after which PAM's service is named before OpenSSH 9.8. */
  readonly name: string;
  readonly config: string;
  /** Options that change the configuration (`-o`, `-p`, `-h`), to be given again. */
  readonly options: readonly string[];
  /** Absent where none is running. */
  readonly pid?: number;
}

export const DEFAULT_SSHD_CONFIG = '/etc/ssh/sshd_config';
const PROGRAMS = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/sbin/sshd', '/usr/bin/sshd'];
const WITH_VALUE = /^-[CcEfghkobpu]/;
const KEPT = /^-[ohp]/;

/** The sshd that is installed, judged with `config`; undefined where there is none. */
export function installedServer(config: string): Server | undefined {
  const program = PROGRAMS.find((file) => fs.existsSync(file));
  return program === undefined ? undefined : { program, name: 'sshd', config, options: [] };
}

/** Every sshd of this host that listens. Those of containers have process numbers of their own and are not ours. */
export function runningServers(): Server[] {
  const pids = fs.readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  const here = link('/proc/self/ns/pid');
  return pids.flatMap((pid) => {
    const title = isRoots(pid) ? titleOf(pid) : undefined;
    if (title === undefined) return [];
    const elsewhere = link(`/proc/${pid}/ns/pid`);
    return elsewhere !== undefined && elsewhere !== here ? [] : [serverOf(pid, title)];
  });
}

function serverOf(pid: string, words: readonly string[]): Server {
  const [first = ''] = words;
  const { config, kept } = optionsOf(words.slice(1));
  const program = link(`/proc/${pid}/exe`);
  // A program that was replaced since is still there for the kernel.
  const runnable = program === undefined ? first : program.endsWith(' (deleted)') ? `/proc/${pid}/exe` : program;
  return { program: runnable, name: path.basename(first), config: config ?? DEFAULT_SSHD_CONFIG, options: kept, pid: Number(pid) };
}

/** The words that a listening sshd was called with; undefined for any other process, a session of sshd too. */
function titleOf(pid: string): string[] | undefined {
  const line = read(`/proc/${pid}/cmdline`);
  if (line === undefined) return undefined;
  const [, name, title] = /^([^\s:/]+): (\/.*) \[listener\]/s.exec(line) ?? [];
  if (title !== undefined && (name === 'sshd' || isSshd(link(`/proc/${pid}/exe`)))) return title.split(' ');
  const words = line.split('\0').filter((word) => word !== '');
  // Before OpenSSH 8.2 a listener has no title; with -i it serves one connection.
  const untitled = words[0]?.startsWith('/') === true && path.basename(words[0]) === 'sshd';
  return untitled && !words.includes('-i') && !words.some((word) => /^-\w*[tTGVR]/.test(word)) ? words : undefined;
}

/** Anybody can give a process any title, and doctor runs what it finds: all ids must be root's, which nobody else's process has. */
function isRoots(pid: string): boolean {
  return /^Uid:(\s+0){4}$/m.test(read(`/proc/${pid}/status`) ?? '');
}

function isSshd(program: string | undefined): boolean {
  return path.basename(program?.replace(/ \(deleted\)$/, '') ?? '') === 'sshd';
}

function optionsOf(words: readonly string[]): { config: string | undefined; kept: string[] } {
  let config: string | undefined;
  const kept: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (!WITH_VALUE.test(word)) continue;
    const given: string[] = word.length > 2 ? [word.slice(2)] : [];
    // The title has blanks between words and inside them alike: a value goes on to the next option.
    while (i + 1 < words.length && (given.length === 0 || words[i + 1]?.startsWith('-') === false)) given.push(words[++i] ?? '');
    if (word.startsWith('-f')) config = given.join(' ');
    else if (KEPT.test(word)) kept.push(word.slice(0, 2), given.join(' '));
  }
  return { config, kept };
}

function read(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

function link(file: string): string | undefined {
  try {
    return fs.readlinkSync(file);
  } catch {
    return undefined;
  }
}

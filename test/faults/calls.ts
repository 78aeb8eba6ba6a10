/** The system calls of a program on certain files, recorded by strace(1), and the program again with one of them failing or the last. */
import * as fs from 'node:fs';
import { run, type Ran, type RunOptions } from '../support/process.ts';

/** One call of the first thread: Node's file system and SQLite work there. */
export interface Call {
  readonly name: string;
  /** Which of the calls of this name it is in the thread, from 1: `when=` of strace. */
  readonly ordinal: number;
  /** As strace shows it, without numbers of descriptors and what is different in each run. */
  readonly shown: string;
}

export interface Traced {
  readonly command: readonly string[];
  readonly options: RunOptions;
  /** Folders: a call that names a file below one of them counts. */
  readonly folders: readonly string[];
  /** Where strace may write. */
  readonly output: string;
  /** Runs `words`, which are the command and what stands before it; by itself where nothing is said. */
  readonly start?: (words: readonly string[]) => Promise<Ran>;
}

/** Runs it, behind `before`. */
export async function runBehind({ command, options, start }: Traced, before: readonly string[]): Promise<Ran> {
  const words = [...before, ...command];
  return start === undefined ? await run(words, options) : await start(words);
}

/** Runs it once, and gives its calls on the files, each shape of call once unless `all` are wanted. */
export async function callsOf(traced: Traced, { all }: { all: boolean }): Promise<{ readonly ran: Ran; readonly calls: readonly Call[] }> {
  const ran = await runBehind(traced, strace(traced.output));
  const counts = new Map<string, number>();
  const calls: Call[] = [];
  for (const line of fs.readFileSync(traced.output, 'latin1').split('\n')) {
    const name = /^(\w+)\(/.exec(line)?.[1];
    if (name === undefined) continue;
    const ordinal = (counts.get(name) ?? 0) + 1;
    counts.set(name, ordinal);
    if (name !== 'execve' && traced.folders.some((folder) => line.includes(folder))) calls.push({ name, ordinal, shown: shapeOf(line) });
  }
  return { ran, calls: all ? calls : [...new Map(calls.map((call) => [call.shown, call])).values()] };
}

/** What is done to a call: it fails with an error, or the program is killed in its place. */
export type Fault = `error=${string}` | 'signal=KILL';

/**
 * Runs it with `fault` at `call`. `hit` tells whether that call came: now and then the program makes one more or less of that name before it,
 * as Node.js wakes its own threads, and an error at one of those ends it.
 */
export async function runWith(traced: Traced, call: Call, fault: Fault): Promise<{ readonly ran: Ran; readonly hit: boolean }> {
  const inject = ['-e', `inject=${call.name}:${fault}:when=${String(call.ordinal)}`];
  const ran = await runBehind(traced, [...strace(traced.output), ...inject]);
  const lines = fs.readFileSync(traced.output, 'latin1').split('\n');
  const isOnFile = (line: string): boolean => line.includes('(INJECTED)') && traced.folders.some((folder) => line.includes(folder));
  const hit = fault === 'signal=KILL' ? lines.includes('+++ killed by SIGKILL +++') : lines.some(isOnFile);
  return { ran, hit };
}

function strace(output: string): string[] {
  return ['strace', '-y', '-s', '64', '-o', output];
}

function shapeOf(line: string): string {
  return line
    .replace(/\b\d+</g, '<')
    .replace(/"(?:\\.|[^"\\])*"\.*/g, (text) => (text.includes('/') ? text : '…'))
    .replace(/\.[0-9a-f]{16}\.tmp/g, '.tmp')
    .replace(/ = .*$/, '')
    .replace(/\{[^}]*\}*/g, '{}');
}

/** What each call can fail with, as its manual page says. */
const ERRORS: Readonly<Record<string, readonly string[]>> = {
  openat: ['EACCES', 'EMFILE', 'EIO', 'EROFS', 'ENOSPC', 'ENFILE', 'ELOOP'],
  read: ['EIO', 'ESTALE'],
  pread64: ['EIO', 'ESTALE'],
  write: ['ENOSPC', 'EIO', 'EDQUOT', 'EFBIG'],
  pwrite64: ['ENOSPC', 'EIO', 'EDQUOT', 'EFBIG'],
  fsync: ['EIO', 'ENOSPC', 'EROFS'],
  fdatasync: ['EIO', 'ENOSPC', 'EROFS'],
  ftruncate: ['EIO', 'ENOSPC', 'EROFS'],
  rename: ['EIO', 'ENOSPC', 'EROFS', 'EACCES'],
  mkdir: ['EIO', 'ENOSPC', 'EROFS', 'EACCES'],
  unlink: ['EIO', 'EROFS', 'EACCES'],
  fchown: ['EPERM', 'EIO', 'EROFS'],
  fchmod: ['EPERM', 'EIO', 'EROFS'],
  fcntl: ['EIO', 'ENOLCK', 'EACCES'],
};
const ANY = ['EACCES', 'EIO', 'ENOMEM', 'ESTALE'];

export function errorsOf({ name }: Call): readonly string[] {
  return ERRORS[name] ?? ANY;
}

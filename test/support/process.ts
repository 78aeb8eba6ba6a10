/** Programs as a person or a script meets them: with pipes, or in a pseudo-terminal. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '../..');
const PTY = path.join(import.meta.dirname, 'in_terminal.py');
const DEFAULT_TIMEOUT_MS = 60_000;

export interface RunOptions {
  /** Variables besides (or instead of, with `clearEnvironment`) the test's own. */
  readonly environment?: NodeJS.ProcessEnv;
  readonly clearEnvironment?: boolean;
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly timeoutMs?: number;
}

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `command` to its end with pipes. Past the time-out it is killed, by pid, and what it has started, which may hold the pipes. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = start(command, options);
  const stdout = collect(child, 'stdout');
  const stderr = collect(child, 'stderr');
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(options.input ?? '');
  const timer = setTimeout(() => {
    for (const pid of descendantsOf(child.pid ?? 0)) endNow(pid);
    child.kill('SIGKILL');
  }, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const [code, signal] = await ended(child);
  clearTimeout(timer);
  return { code, signal, stdout: stdout(), stderr: stderr() };
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** The children of a process and theirs, see proc(5). */
function descendantsOf(pid: number): number[] {
  try {
    const children = fs.readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8').trim();
    return children === '' ? [] : children.split(' ').flatMap((child) => [Number(child), ...descendantsOf(Number(child))]);
  } catch {
    // It has ended meanwhile.
    return [];
  }
}

/** A program in a pseudo-terminal. */
export interface Terminal {
  /** Everything that it printed so far. */
  readonly output: () => string;
  /** Waits until `pattern` matches what was printed since the last match, and gives the match. Rejects at the end of the program or after the time-out. */
  expect(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  send(text: string | Uint8Array): void;
  /** Closes the terminal, as a lost connection does. */
  hangUp(): void;
  /** The exit status (128 + signal where a signal ended it); null where the terminal hung up. */
  readonly exited: Promise<number | null>;
}

/** `pattern` for what is said on a terminal, where each blank may be the end of a line. */
export function acrossLines(pattern: RegExp): RegExp {
  return new RegExp(pattern.source.replaceAll(' ', String.raw`\s+`), pattern.flags);
}

export function runInTerminal(command: readonly string[], options: RunOptions & { columns?: number } = {}): Terminal {
  const child = start(['python3', PTY, String(options.columns ?? 80), ...command], options);
  const output = collect(child, 'stdout');
  const errors = collect(child, 'stderr');
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const exited = ended(child).then(([code]) => {
    clearTimeout(timer);
    return code;
  });
  let seen = 0;
  const expect = async (pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> => {
    const deadline = Date.now() + timeoutMs;
    const program = { over: false };
    void exited.then(() => (program.over = true));
    for (;;) {
      const last = program.over;
      const match = pattern.exec(output().slice(seen));
      if (match !== null) {
        seen += match.index + match[0].length;
        return match;
      }
      if (last || Date.now() > deadline) throw new Error(`waited for ${String(pattern)} in:\n${output().slice(seen)}\n${errors()}`);
      await sleep(20);
    }
  };
  child.stdin?.on('error', () => undefined);
  return { output, expect, exited, send: (text) => void child.stdin?.write(text), hangUp: () => void child.kill('SIGKILL') };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function start([file, ...words]: readonly string[], options: RunOptions): ChildProcess {
  const env = { ...(options.clearEnvironment === true ? {} : process.env), ...options.environment };
  const identity = options.uid === undefined ? {} : { uid: options.uid, gid: options.gid ?? options.uid };
  return spawn(file ?? '', words, { env, stdio: 'pipe', ...(options.cwd === undefined ? {} : { cwd: options.cwd }), ...identity });
}

function collect(child: ChildProcess, stream: 'stdout' | 'stderr'): () => string {
  const chunks: Buffer[] = [];
  child[stream]?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}

function ended(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve([code, signal]);
    });
  });
}

/** What a program of the host prints, only where it has ended well: half an answer looks like the whole one of a host with less on it. */
import { spawnSync } from 'node:child_process';
import * as path from 'node:path';

export type Output = { readonly stdout: string } | { readonly failed: string };

/** How a program has ended by itself. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface OutputLimits {
  readonly timeoutMs: number;
  readonly maxBytes?: number;
  readonly encoding?: 'utf8' | 'latin1';
  /** Whether what it printed is a whole answer; by default with the status 0. */
  readonly isWhole?: (ended: Ended) => boolean;
}

/** The most words of a command that a message shows. */
const MANY_WORDS = 4;
const MAX_BYTES = 1024 * 1024;

/** `program`: an absolute path. It gets no environment and no input, and is killed after the time. `failed` says why, for people. */
export function outputOf(program: string, words: readonly string[], limits: OutputLimits): Output {
  const { timeoutMs, maxBytes: maxBuffer = MAX_BYTES, encoding = 'utf8', isWhole = endedWell } = limits;
  const options = { encoding, timeout: timeoutMs, maxBuffer, killSignal: 'SIGKILL', env: {}, input: '' } as const;
  const { error, signal, status, stdout, stderr } = spawnSync(program, words, options);
  const command = [path.basename(program), ...words.slice(0, MANY_WORDS), ...(words.length > MANY_WORDS ? ['...'] : [])].join(' ');
  if (error !== undefined && 'code' in error && error.code === 'ETIMEDOUT')
    return { failed: `${command} did not end within ${String(timeoutMs / 1000)} s` };
  if (error !== undefined) return { failed: `${command}: ${error.message}` };
  if (status === null) return { failed: `${command} was ended by ${String(signal)}` };
  if (isWhole({ status, stdout, stderr })) return { stdout };
  const said = stderr.trim().split('\n')[0] ?? '';
  return { failed: `${command} ended with ${String(status)}${said === '' ? ' and without a whole answer' : `: ${said}`}` };
}

function endedWell({ status }: Ended): boolean {
  return status === 0;
}

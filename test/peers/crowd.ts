/** Logins that wait at the prompt, to be answered at the same time. */
import { spawn } from 'node:child_process';

/** A login that was started. */
export interface Waiting {
  /** Whether it was asked: false where the module refused without asking. */
  readonly asked: boolean;
  /** Types it, and gives whether PAM said yes. */
  type(answer: string): Promise<boolean>;
}

const TIMEOUT_MS = 120_000;

/** So many of `command`, which is pamtester(1), once each of them was asked or has ended. */
export async function crowdOf(command: readonly string[], environment: NodeJS.ProcessEnv, size: number): Promise<readonly Waiting[]> {
  return await Promise.all(Array.from({ length: size }, async () => await waiting(command, environment)));
}

async function waiting([program = '', ...words]: readonly string[], environment: NodeJS.ProcessEnv): Promise<Waiting> {
  const child = spawn(program, words, { env: { ...process.env, ...environment }, stdio: 'pipe' });
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(code);
    });
  });
  const asked = await new Promise<boolean>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        // What it says of itself comes at its end.
        if (chunk.includes(': ') && !chunk.includes('pamtester: ')) resolve(true);
      });
    }
    child.on('close', () => {
      resolve(false);
    });
  });
  return {
    asked,
    type: async (answer) => {
      child.stdin.end(`${answer}\n`);
      return (await ended) === 0;
    },
  };
}

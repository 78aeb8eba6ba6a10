/** Asks an sshd about itself with `sshd -t` and `sshd -T -C`, two at a time. Uses a throw-away host key if the real ones cannot be read. */
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { messageOf } from '../../error.ts';
import { opensshVersion, parseEffective, type Effective } from './effective.ts';
import { madeEmptyFolder } from './program.ts';
import type { Server } from './servers.ts';
import type { Vantage } from './vantage.ts';

const CONCURRENCY = 2;
/** Questions for one shell. A shell starts programs much faster than we do, as a large process is slow to fork. */
const QUESTIONS_A_SHELL = 16;
/** Shell script: runs the given command once for each line of its input, with a time limit in seconds. A NUL ends each answer. */
const ASK_EACH =
  'limit=$1; shift; while IFS= read -r line; do /usr/bin/timeout -s KILL "$limit" "$@" "$line" </dev/null || exit; printf "\\0"; done';
const SHELL = '/bin/sh';
/** The limit for each answer. */
const TIMEOUT_MS = 20_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;
const KEYGEN = '/usr/bin/ssh-keygen';
const NO_KEY = /no hostkeys available|unable to load host key|Could not load host key/i;

/** An sshd that has accepted its configuration and can be asked. */
export interface Asked {
  readonly version: number | undefined;
  /** `-h` and a throw-away key, if the real ones cannot be read; else empty. */
  readonly keyOptions: readonly string[];
}

export interface Question {
  readonly user: string;
  readonly vantage: Vantage;
}

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Checks the configuration (`sshd -t`). Returns why sshd refuses it, or the data for further questions. */
export async function checkServer(server: Server, keyFolder: string): Promise<Asked | Refusal> {
  const version = await versionOf(server);
  const tried = await sshd(server, [], ['-t']);
  const first = madeEmptyFolder(tried.stderr) ? await sshd(server, [], ['-t']) : tried;
  if (first.code === 0) return { version, keyOptions: [] };
  if (!NO_KEY.test(first.stderr)) return { refused: firstLine(first) };
  const keyOptions = ['-h', throwAwayKey(keyFolder)];
  const second = await sshd(server, keyOptions, ['-t']);
  return second.code === 0 ? { version, keyOptions } : { refused: firstLine(second) };
}

/** Why sshd does not answer. */
export interface Refusal {
  readonly refused: string;
}

/**
 * The effective configuration for each question, in order, or why sshd refuses; equal answers are one object. `answered` is called with the
 * number of new answers.
 */
export async function askServer(
  server: Server,
  { keyOptions }: Asked,
  questions: readonly Question[],
  answered: (count: number) => void,
): Promise<readonly Effective[] | Refusal> {
  const answers: Effective[] = [];
  const parsed = new Map<string, Effective>();
  const parse = (output: string): Effective => {
    const effective = parsed.get(output) ?? parseEffective(output);
    parsed.set(output, effective);
    return effective;
  };
  let failed: Refusal | undefined;
  let next = 0;
  const share = Math.min(QUESTIONS_A_SHELL, Math.ceil(questions.length / CONCURRENCY));
  const worker = async (): Promise<void> => {
    while (failed === undefined && next < questions.length) {
      const first = next;
      const some = questions.slice(first, (next += share));
      const ran = await askEach(server, keyOptions, some);
      const outputs = ran.stdout.split('\0').slice(0, -1);
      if (ran.code !== 0 || outputs.length !== some.length) failed = { refused: firstLine(ran) };
      for (const [i, each] of outputs.entries()) answers[first + i] = parse(each);
      answered(some.length);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return failed ?? answers;
}

/** Runs `work` with a folder for keys, and removes the folder afterwards. */
export async function withKeyFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'notp-doctor-'));
  try {
    return await work(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function specification({ user, vantage: { address, host, localAddress, localPort, routingDomain } }: Question): string {
  return `user=${user},host=${host},addr=${address},laddr=${localAddress},lport=${String(localPort)},rdomain=${routingDomain}`;
}

async function versionOf(server: Server): Promise<number | undefined> {
  const { stdout, stderr } = await runToEnd(server.program, ['-V']);
  return opensshVersion(stdout + stderr);
}

async function sshd({ program, config, options }: Server, keyOptions: readonly string[], words: readonly string[]): Promise<Ran> {
  return await runToEnd(program, ['-f', config, ...options, ...keyOptions, ...words]);
}

async function askEach({ program, config, options }: Server, keyOptions: readonly string[], questions: readonly Question[]): Promise<Ran> {
  const command = [program, '-f', config, ...options, ...keyOptions, '-T', '-C'];
  const input = questions.map((question) => `${specification(question)}\n`).join('');
  return await runToEnd(SHELL, ['-c', ASK_EACH, 'sh', String(TIMEOUT_MS / 1000), ...command], { input, answers: questions.length });
}

/** Never rejects: a program that cannot be run has the code null. */
function runToEnd(program: string, words: readonly string[], { input = '', answers = 1 } = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(program, words, { env: {}, stdio: 'pipe', timeout: TIMEOUT_MS * answers, killSignal: 'SIGKILL' });
    // A child may end before it has read all its input; its exit status says so.
    child.stdin.on('error', () => undefined).end(input);
    const collected = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        if (collected[stream].length < MAX_OUTPUT_BYTES * answers) collected[stream] += text;
      });
    child.on('error', (error) => {
      resolve({ code: null, stdout: '', stderr: messageOf(error) });
    });
    child.on('close', (code) => {
      resolve({ code, ...collected });
    });
  });
}

function throwAwayKey(folder: string): string {
  const file = path.join(folder, 'host_key');
  if (!fs.existsSync(file))
    spawnSync(KEYGEN, ['-q', '-t', 'ed25519', '-N', '', '-f', file], { env: {}, stdio: 'ignore', timeout: TIMEOUT_MS });
  return file;
}

/** The first line that sshd prints, apart from those about host keys. */
function firstLine({ code, stderr }: Ran): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.find((line) => !NO_KEY.test(line)) ?? lines[0] ?? `sshd ended with ${String(code)} and printed nothing`;
}

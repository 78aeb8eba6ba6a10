/** What `npm run try` does on its private sshd: logins with a code, and commands of notp. Each is shown as it would be typed. */
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { userInfo } from 'node:os';
import { codeAt, fromBase32, stepAt } from '../../src/otp/code.ts';
import type { PrivateSshd } from './private-sshd.ts';

export const PARAMETERS = { algorithm: 'SHA1', digits: 6, periodSeconds: 30 } as const;
export const MARKER = 'You are in.';

export interface Sandbox {
  readonly sshd: PrivateSshd;
  /** The program, and the configuration of the sandbox. */
  readonly notp: string;
  readonly config: string;
  readonly passphrase: string;
  /** The throw-away secret in base32, and its recovery codes. */
  readonly secret: string;
  readonly recovery: readonly string[];
}

/** What a login printed, and its exit code. */
export interface Login {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A login whose code is in the environment. */
export function loginWith(sandbox: Sandbox, code: string): Login {
  const { passphrase } = sandbox;
  say(`$ LC_NOTP='${passphrase} ${code}' ssh -o SendEnv=LC_NOTP ${host()} echo ${MARKER}\n`);
  const ran = ssh(sandbox, ['-o', 'SendEnv=LC_NOTP'], [`echo ${MARKER}`], { env: environment(sandbox, code), encoding: 'utf8' });
  say(`${ran.stdout}${ran.stderr}-> exit ${String(ran.status)}\n`);
  return ran;
}

/** The same with each of these codes at once: how many got in. */
export async function loginsAtOnce(sandbox: Sandbox, codes: readonly string[]): Promise<number> {
  const logins = codes.map(
    (code) =>
      new Promise<number | null>((resolve) => {
        const words = [...sandbox.sshd.clientOptions, '-o', 'SendEnv=LC_NOTP', host(), 'true'];
        spawn('ssh', words, { env: environment(sandbox, code), stdio: 'ignore' }).once('close', resolve);
      }),
  );
  return (await Promise.all(logins)).filter((status) => status === 0).length;
}

export function ssh({ sshd }: Sandbox, options: string[], words: string[], how: Parameters<typeof spawnSync>[2]): SpawnSyncReturns<string> {
  return spawnSync('ssh', [...sshd.clientOptions, ...options, host(), ...words], how) as SpawnSyncReturns<string>;
}

function host(): string {
  return `${userInfo().username}@127.0.0.1`;
}

function environment({ passphrase }: Sandbox, code: string): NodeJS.ProcessEnv {
  return { ...process.env, LC_NOTP: `${passphrase} ${code}` };
}

/** Runs a command of notp on the terminal, as it would be typed. Gives its exit code. */
export function show({ notp, config }: Sandbox, ...words: string[]): number | null {
  say(`$ notp ${words.join(' ')}\n`);
  return spawnSync(notp, [...words, '--config', config], { stdio: ['ignore', 'inherit', 'inherit'] }).status;
}

interface AuditRecord {
  readonly time: string;
  readonly event: string;
  readonly step_offset?: number;
}

/** What is in the audit log. */
export function recordsOf({ notp, config }: Sandbox): readonly AuditRecord[] {
  const { stdout } = spawnSync(notp, ['audit', '--config', config], { encoding: 'utf8' });
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as AuditRecord);
}

export function stepOf(ms: number): number {
  return stepAt(ms, PARAMETERS.periodSeconds);
}

/** The code of the secret at a step. */
export function codeOf({ secret }: Pick<Sandbox, 'secret'>, step: number): string {
  return codeAt(fromBase32(secret), step, PARAMETERS);
}

/** A code that is none of now, each another one. */
export function wrongCode(sandbox: Sandbox, i = 0): string {
  const right = Number(codeOf(sandbox, stepOf(Date.now())));
  return String((right + 123_456 + i) % 10 ** PARAMETERS.digits).padStart(PARAMETERS.digits, '0');
}

export function say(text: string): void {
  process.stdout.write(text);
}

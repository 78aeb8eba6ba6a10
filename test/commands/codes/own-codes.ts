/** One's own codes, for tests of the commands about them: secrets in a folder of one's own, and oathtool's word on each code. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { run, runInTerminal, type Ran, type RunOptions, type Terminal } from '../../support/process.ts';
import { must, SOURCE_NOTP } from '../../support/world.ts';
import { ownState, type OwnState } from '../own-state.ts';

/** The vector of the Python program's README. */
export const SECRET = 'HSBRGZRKZDRLBVEY';
export const PYTHON_PASSWORD = 'test';
export const PYTHON_FILE = '5145c86fcfcb7f8fa76eed7134f982e6\nce6e078d804b7934c42571f47e163414b7f12f9ee840a730c02adfed1e82a83e\n';

export interface OwnCodes extends OwnState {
  /** Imports `text` from stdin, sealed by the usual passphrase. */
  import(context: string, text: string | Uint8Array, words?: readonly string[]): Promise<Ran>;
  /** Runs a command that takes the usual passphrase. */
  opening(words: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Runs a command that no terminal belongs to. */
  alone(words: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Runs a shell command in a terminal, in which "$@" is a notp command. */
  shellInTerminal(script: string, words: readonly string[], environment?: NodeJS.ProcessEnv): Terminal;
  /** What is in the folder of secrets: each name with its content, but of the store the name alone. */
  files(): Record<string, string>;
  /** Writes a file that no secret is in, and gives its path. */
  put(name: string, content: string | Uint8Array): string;
}

export function ownCodes(name: string, options?: Parameters<typeof ownState>[1]): OwnCodes {
  const own = ownState(name, options);
  const given = ['--passphrase-file', own.passphraseFile];
  const command = ([first = '', ...rest]: readonly string[]): string[] => [...SOURCE_NOTP, first, '--config', own.config, ...rest];
  return {
    ...own,
    import: (context, text, words = []) => own.notp(['import', context, ...given, ...words], { input: text }),
    opening: (words, more) => own.notp([...words, ...given], more),
    alone: (words, more) => run(['setsid', '--wait', ...command(words)], more),
    shellInTerminal: (script, words, environment = {}) => runInTerminal(['sh', '-c', script, 'sh', ...command(words)], { environment }),
    files: () => filesIn(own.secrets),
    put: (file, content) => {
      const place = path.join(own.folder, file);
      fs.writeFileSync(place, content, { mode: 0o600 });
      return place;
    },
  };
}

function filesIn(folder: string): Record<string, string> {
  if (!fs.existsSync(folder)) return {};
  const names = fs.readdirSync(folder).filter((name) => name !== '.state.db-journal');
  const content = (name: string): string => (name === '.state.db' ? '' : fs.readFileSync(path.join(folder, name), 'base64'));
  return Object.fromEntries(names.toSorted().map((name) => [name, content(name)]));
}

/** The code of `secret` (base32) at `atMs`, by oathtool; `options` says which kind of code. */
export function codeBy(secret: string, atMs: number, options: readonly string[] = ['--totp']): string {
  return must(['oathtool', ...options, '--now', `@${String(Math.floor(atMs / 1000))}`, '-b', secret]).trim();
}

/** Asserts that `shown`, which was asked for at `sinceMs`, is the code of then or of now. */
export function assertCode(shown: string, sinceMs: number, secret: string, options?: readonly string[]): void {
  const expected = [sinceMs, Date.now()].map((ms) => codeBy(secret, ms, options));
  assert.ok(expected.includes(shown), `${shown} is none of ${expected.join(' ')}`);
}

/** Asserts that `notp code context` prints the code of `secret`. */
export async function assertCodeOf(own: OwnCodes, context: string, secret: string, options?: readonly string[]): Promise<void> {
  const since = Date.now();
  const { code, stdout, stderr } = await own.opening(['code', context]);
  assert.equal(code, 0, stderr);
  assertCode(stdout.trimEnd(), since, secret, options);
}

/** Asserts a refusal as a person meets it: the exit code, one error and its hint, nothing on stdout, no stack trace. */
export function assertRefused({ code, stdout, stderr }: Ran, exitCode: number, said: RegExp): void {
  assert.equal(code, exitCode, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, said);
  assert.match(stderr, /^notp: error: [^\n]+\nnotp: hint: [^\n]+\n$/m);
  assert.doesNotMatch(stderr, /internal error|\n {4}at /);
}

/** Answers questions in a terminal, one after the other. */
export async function answer(terminal: Terminal, ...answers: readonly (readonly [RegExp, string])[]): Promise<void> {
  for (const [question, text] of answers) {
    await terminal.expect(question);
    terminal.send(`${text}\r`);
  }
}

export interface PhoneAccount {
  readonly secret: Uint8Array;
  readonly name: string;
  readonly issuer?: string;
  /** 1 SHA1, 2 SHA256, 3 SHA512. */
  readonly algorithm?: number;
  /** 1 six, 2 eight. */
  readonly digits?: number;
  /** 1 HOTP, 2 TOTP. */
  readonly type?: number;
  readonly counter?: number;
}

/** An otpauth-migration URI as a phone shows it: protocol buffers, base64, percent-encoded. */
export function migrationUri(accounts: readonly PhoneAccount[], { part = 0, parts = 1 } = {}): string {
  const payload = [...accounts.flatMap((each) => bytesField(1, accountBytes(each))), ...numberField(2, 1)];
  const data = Buffer.from([...payload, ...numberField(3, parts), ...numberField(4, part), ...numberField(5, 77)]);
  return `otpauth-migration://offline?data=${encodeURIComponent(data.toString('base64'))}`;
}

function accountBytes({ secret, name, issuer = '', algorithm = 1, digits = 1, type = 2, counter = 0 }: PhoneAccount): number[] {
  const texts = [...bytesField(1, secret), ...bytesField(2, Buffer.from(name)), ...bytesField(3, Buffer.from(issuer))];
  return [...texts, ...numberField(4, algorithm), ...numberField(5, digits), ...numberField(6, type), ...numberField(7, counter)];
}

function bytesField(field: number, bytes: Uint8Array | readonly number[]): number[] {
  return [...varint((field << 3) | 2), ...varint(bytes.length), ...bytes];
}

function numberField(field: number, value: number): number[] {
  return [...varint(field << 3), ...varint(value)];
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

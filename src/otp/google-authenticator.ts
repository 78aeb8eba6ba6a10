/**
 * The secret file that google-authenticator writes and pam_google_authenticator keeps: the secret in base32, options
 * as `" KEY values`, emergency codes. Read as the module reads it, and refused where the module would not let in by
 * it. No message holds a secret or a code. Pure.
 */
import { NotpError } from '../error.ts';
import { MAX_PERIOD_SECONDS, MAX_SECRET_BYTES, MIN_PERIOD_SECONDS, MIN_SECRET_BYTES, readBase32, stepAt } from './code.ts';
import { MAX_RECOVERY_CODES } from './recovery.ts';
import { USUAL_PARAMETERS, type Credential } from './uri.ts';

/** What the module reads at most. */
export const MAX_GOOGLE_AUTHENTICATOR_BYTES = 64 * 1024;
/** Half of the module's largest window: no code from further ahead can have let in, unless it had learned a skew. */
const MAX_STEPS_AHEAD = 50;
const MAX_WINDOW = 100;
/** A number that no person presses a token for. */
const MAX_COUNTER = 2 ** 40;
const ANEW = 'enrol this user anew; nothing was imported';

export interface GoogleAuthenticatorFile {
  /** Without names, which the file does not tell. `counter`: of the next code, as the module keeps it. */
  readonly credential: Credential;
  /** Codes of eight digits that still work, each once: the module takes a spent one out of the file. */
  readonly emergency: readonly string[];
  /** The latest step whose code is spent, where the module remembered any; undefined for HOTP, whose counter says it. */
  readonly lastStep: number | undefined;
  /** One line of text for each thing that is not carried over. */
  readonly notes: readonly string[];
}

/** What each option's value must look like. RESETTING_TIME_SKEW and LAST0 to LAST9 are memories of the module's own. */
const OPTIONS: ReadonlyMap<string, RegExp> = new Map([
  ['TOTP_AUTH', /^$/],
  ['HOTP_COUNTER', /^\d{1,15}$/],
  ['STEP_SIZE', /^\d{1,9}$/],
  ['WINDOW_SIZE', /^\d{1,9}$/],
  ['DISALLOW_REUSE', /^(?:\d{1,10}(?:[ \t]+\d{1,10})*)?$/],
  ['RATE_LIMIT', /^\d+[ \t]+\d+(?:[ \t]+\d+)*$/],
  ['TIME_SKEW', /^[+-]?\d{1,9}$/],
  ['RESETTING_TIME_SKEW', /^(?:\d+[+-]\d+(?:[ \t]+\d+[+-]\d+)*)?$/],
  ...Array.from({ length: 10 }, (_, i) => [`LAST${String(i)}`, /^\S+[ \t]+\d+$/] as const),
]);

interface Option {
  readonly line: number;
  readonly value: string;
}

/** The lines after the first. */
interface Lines {
  readonly options: ReadonlyMap<string, Option>;
  /** Where options stand that nobody knows. */
  readonly unknown: readonly number[];
  readonly emergency: readonly string[];
}

/** `nowMs`: Unix time in milliseconds. Throws `refused` with the line and what is wrong with it, never with what stands there. */
export function parseGoogleAuthenticator(text: string, nowMs: number): GoogleAuthenticatorFile {
  if (text.length > MAX_GOOGLE_AUTHENTICATOR_BYTES) throw bad(`it is over ${String(MAX_GOOGLE_AUTHENTICATOR_BYTES / 1024)} KiB`);
  const [first = '', ...rest] = text.split('\n');
  const secret = secretOf(first);
  const lines = readLines(rest);
  const credential = credentialOf(secret, lines.options);
  const spent = credential.type === 'totp' ? spentSteps(lines.options) : [];
  const latest = credential.type === 'totp' ? stepAt(nowMs, credential.periodSeconds) + MAX_STEPS_AHEAD : 0;
  const lastStep = spent.filter((step) => step <= latest).at(-1);
  const ahead = spent.some((step) => step > latest);
  return { credential, emergency: lines.emergency, lastStep, notes: notesOn(lines, credential, ahead) };
}

/** The module has no minimum, ignores blanks and dashes, reads the digits that base32 lacks as letters, and drops bits that fill no byte. */
function secretOf(line: string): Uint8Array {
  const typed = line.replace(/[ \t\r-]/g, '');
  if (!/^[A-Za-z0-8]+$/.test(typed)) throw bad('line 1: it is no secret in base32');
  const length = Math.floor((typed.length * 5) / 8);
  const letters = typed
    .slice(0, Math.ceil((length * 8) / 5))
    .replace(/[018]/g, (digit) => (digit === '0' ? 'O' : digit === '1' ? 'L' : 'B'));
  const secret = readBase32(letters);
  if (secret !== undefined) return secret;
  const limits = `${String(MIN_SECRET_BYTES)} to ${String(MAX_SECRET_BYTES)}`;
  throw bad(`line 1: its secret has ${String(length)} bytes, and notp takes ${limits}`, ANEW);
}

function readLines(rest: readonly string[]): Lines {
  const options = new Map<string, Option>();
  const unknown: number[] = [];
  const emergency = new Set<string>();
  for (const [i, ended] of rest.entries()) {
    const [line, text] = [i + 2, ended.replace(/\r+$/, '')];
    if (text.startsWith('"')) readOption(text, line, options, unknown);
    else if (/^[1-9]\d{7}$/.test(text)) emergency.add(text);
    else if (text !== '') throw bad(`line ${String(line)}: it is neither an option nor an emergency code of eight digits`);
  }
  if (emergency.size > MAX_RECOVERY_CODES) throw bad(`it has more than ${String(MAX_RECOVERY_CODES)} emergency codes`);
  return { options, unknown, emergency: [...emergency] };
}

function readOption(text: string, line: number, options: Map<string, Option>, unknown: number[]): void {
  const [, name = '', value = ''] = /^" ([A-Z][A-Z0-9_]*)(?:[ \t]+(.*))?$/.exec(text) ?? [];
  if (name === '') throw bad(`line ${String(line)}: an option is a quotation mark, one blank and its name in capitals`);
  const pattern = OPTIONS.get(name);
  if (pattern === undefined) unknown.push(line);
  else if (options.has(name)) throw bad(`line ${String(line)}: ${name} is there twice`);
  else if (!pattern.test(value.trim())) throw bad(`line ${String(line)}: the value of ${name} is none that it can have`);
  else options.set(name, { line, value: value.trim() });
}

/** Where both are there, the module asks for the counter's codes only. */
function credentialOf(secret: Uint8Array, options: ReadonlyMap<string, Option>): Credential {
  const { periodSeconds: usual, ...parameters } = USUAL_PARAMETERS;
  const rest = { secret, ...parameters, issuer: '', account: '' };
  const counter = numberOf(options, 'HOTP_COUNTER', 0, [0, MAX_COUNTER], 'up to a million million');
  if (counter > 0) return { type: 'hotp', ...rest, counter };
  if (!options.has('TOTP_AUTH')) throw bad('it has neither TOTP_AUTH nor a HOTP_COUNTER from 1 on', 'no code could log in by it');
  const limits = [MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS] as const;
  return { type: 'totp', ...rest, periodSeconds: numberOf(options, 'STEP_SIZE', usual, limits, `${limits.join(' to ')} seconds`, ANEW) };
}

function numberOf(
  options: ReadonlyMap<string, Option>,
  name: string,
  usual: number,
  [min, max]: readonly [number, number],
  words: string,
  hint?: string,
): number {
  const option = options.get(name);
  if (option === undefined) return usual;
  const value = Number(option.value);
  if (value >= min && value <= max) return value;
  throw bad(`line ${String(option.line)}: ${name} is ${option.value}, and notp takes ${words}`, hint);
}

/** Each is the step of the code itself, with the window and a learned skew in it already. */
function spentSteps(options: ReadonlyMap<string, Option>): readonly number[] {
  const written = options.get('DISALLOW_REUSE')?.value ?? '';
  return [...written.matchAll(/\d+/g)].map(Number).toSorted((a, b) => a - b);
}

function notesOn({ options, unknown }: Lines, { type }: Credential, ahead: boolean): readonly string[] {
  // The module's default of 3 is the code before, the current one and the next one, as in notp.
  const window = numberOf(options, 'WINDOW_SIZE', 3, [1, MAX_WINDOW], `1 to ${String(MAX_WINDOW)}`);
  const skew = Number(options.get('TIME_SKEW')?.value ?? 0);
  const totp = type === 'totp';
  const said: readonly (readonly [whether: boolean, note: string])[] = [
    [!totp && options.has('TOTP_AUTH'), 'TOTP_AUTH is not carried over: there, too, the codes came from HOTP_COUNTER'],
    [totp && !options.has('DISALLOW_REUSE'), 'a code could be used more than once there; with notp each works once'],
    [ahead, 'DISALLOW_REUSE names codes that are still far ahead, which are not carried over'],
    [window !== 3, `WINDOW_SIZE ${String(window)} is not carried over: the window is a matter of notp.toml`],
    [totp && skew !== 0, `TIME_SKEW ${String(skew)} is not carried over: the phone's clock must be right`],
    [options.has('RATE_LIMIT'), 'RATE_LIMIT is not carried over: notp has its own budget for guesses'],
    [[...options.keys()].some((name) => name.startsWith('LAST')), 'the grace period of earlier logins is not carried over'],
  ];
  const strange = unknown.map((line) => `the option on line ${String(line)} is none that notp knows, and is not carried over`);
  return [...said.flatMap(([whether, note]) => (whether ? [note] : [])), ...strange];
}

function bad(why: string, hint = 'copy the file again, whole; nothing was imported'): NotpError {
  return new NotpError('refused', `this google-authenticator file cannot be used: ${why}`, hint);
}

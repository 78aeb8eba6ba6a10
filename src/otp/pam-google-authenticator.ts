/**
 * The secret file that google-authenticator writes and pam_google_authenticator updates: the secret in base32, options
 * as `" KEY values`, emergency codes. It is read as the module reads it, and refused if the module would let nobody in
 * with it. No message holds a secret or a code. Pure.
 */
import { NotpError } from '../error.ts';
import { MAX_PERIOD_SECONDS, MAX_SECRET_BYTES, MIN_PERIOD_SECONDS, MIN_SECRET_BYTES, readBase32, stepAt } from './code.ts';
import { MAX_RECOVERY_CODES } from './recovery.ts';
import { USUAL_PARAMETERS, type Credential } from './uri.ts';

/** The size limit of the module. */
export const MAX_GOOGLE_AUTHENTICATOR_BYTES = 64 * 1024;
/** Half of the module's largest window. The module accepts no code from further ahead, unless it has learned a skew. */
const MAX_STEPS_AHEAD = 50;
const MAX_WINDOW = 100;
/** Nobody presses the button of a token this often. */
const MAX_COUNTER = 2 ** 40;
const ENROL_AGAIN = 'enrol this user again; nothing was imported';

export interface GoogleAuthenticatorFile {
  /** Without issuer and account, which the file does not hold. `counter`: of the next code, as in the file. */
  readonly credential: Credential;
  /** Codes of eight digits that still work, each once: the module removes a used code from the file. */
  readonly emergency: readonly string[];
  /** The latest step whose code was used; undefined if the file names none, and for HOTP, where the counter says it. */
  readonly lastStep: number | undefined;
  /** One line of text for each thing that is not carried over. */
  readonly notes: readonly string[];
}

/** The pattern of each option's value. In RESETTING_TIME_SKEW and LAST0 to LAST9 the module remembers earlier logins. */
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
  /** The line numbers of unknown options. */
  readonly unknown: readonly number[];
  readonly emergency: readonly string[];
}

/**
 * `nowMs`: Unix time in milliseconds. Throws `refused` with the line number and what is wrong there, never with the text
 * of the line.
 */
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

/** Like the module: ignores blanks and dashes, reads 0, 1 and 8 as O, L and B, and drops the bits after the last whole byte. */
function secretOf(line: string): Uint8Array {
  const typed = line.replace(/[ \t\r-]/g, '');
  if (!/^[A-Za-z0-8]+$/.test(typed)) throw bad('line 1: it is not a base32 secret');
  const length = Math.floor((typed.length * 5) / 8);
  const letters = typed
    .slice(0, Math.ceil((length * 8) / 5))
    .replace(/[018]/g, (digit) => (digit === '0' ? 'O' : digit === '1' ? 'L' : 'B'));
  const secret = readBase32(letters);
  if (secret !== undefined) return secret;
  const limits = `${String(MIN_SECRET_BYTES)} to ${String(MAX_SECRET_BYTES)}`;
  throw bad(`line 1: its secret has ${String(length)} bytes, but notp accepts ${limits}`, ENROL_AGAIN);
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
  if (name === '') throw bad(`line ${String(line)}: an option must be a quotation mark, one blank and a name in capitals`);
  const pattern = OPTIONS.get(name);
  if (pattern === undefined) unknown.push(line);
  else if (options.has(name)) throw bad(`line ${String(line)}: ${name} is there twice`);
  else if (!pattern.test(value.trim())) throw bad(`line ${String(line)}: the value of ${name} is malformed`);
  else options.set(name, { line, value: value.trim() });
}

/** If both are set, the module asks for HOTP codes only. */
function credentialOf(secret: Uint8Array, options: ReadonlyMap<string, Option>): Credential {
  const { periodSeconds: usual, ...parameters } = USUAL_PARAMETERS;
  const rest = { secret, ...parameters, issuer: '', account: '' };
  const counter = numberOf(options, 'HOTP_COUNTER', 0, [0, MAX_COUNTER], `0 to ${String(MAX_COUNTER)}`);
  if (counter > 0) return { type: 'hotp', ...rest, counter };
  if (!options.has('TOTP_AUTH'))
    throw bad('it has neither TOTP_AUTH nor a HOTP_COUNTER from 1 on', 'the module would accept no code with it; enrol this user again');
  const limits = [MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS] as const;
  return {
    type: 'totp',
    ...rest,
    periodSeconds: numberOf(options, 'STEP_SIZE', usual, limits, `${limits.join(' to ')} seconds`, ENROL_AGAIN),
  };
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
  throw bad(`line ${String(option.line)}: ${name} is ${option.value}, but notp accepts ${words}`, hint);
}

/** Each number in DISALLOW_REUSE is the step of the code itself: window and learned skew are applied already. */
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
    [!totp && options.has('TOTP_AUTH'), 'TOTP_AUTH is not carried over: the module used HOTP_COUNTER too'],
    [totp && !options.has('DISALLOW_REUSE'), 'the module accepted a code more than once; notp accepts each code once'],
    [ahead, 'the codes in DISALLOW_REUSE that are far in the future are not carried over'],
    [window !== 3, `WINDOW_SIZE ${String(window)} is not carried over: notp.toml sets the window`],
    [totp && skew !== 0, `TIME_SKEW ${String(skew)} is not carried over: the phone's clock must be right`],
    [options.has('RATE_LIMIT'), 'RATE_LIMIT is not carried over: notp has its own guess budget'],
    [[...options.keys()].some((name) => name.startsWith('LAST')), 'the grace period of earlier logins is not carried over'],
  ];
  const strange = unknown.map((line) => `the option on line ${String(line)} is unknown and not carried over`);
  return [...said.flatMap(([whether, note]) => (whether ? [note] : [])), ...strange];
}

function bad(why: string, hint = 'copy the file again, whole; nothing was imported'): NotpError {
  return new NotpError('refused', `this google-authenticator file cannot be used: ${why}`, hint);
}

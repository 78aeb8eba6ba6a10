/**
 * The users file of pam_oath: one token a line, `TYPE USER PASSWORD HEXKEY [COUNTER [LASTOTP [TIMESTAMP]]]`, separated
 * by blanks or tabs. A mistake in one line does not affect the others. No message holds a key, a password or a code. Pure.
 */
import { NotpError } from '../error.ts';
import { matchingSteps, MAX_SECRET_BYTES, MIN_SECRET_BYTES, stepAt, type CodeParameters, type Digits } from './code.ts';
import { isUserName } from './names.ts';
import type { Credential } from './uri.ts';

/** Some ten thousand users: more than pam_oath can serve well, since it rewrites the whole file at each login. */
export const MAX_PAM_OATH_BYTES = 2 * 1024 * 1024;
const MAX_COUNTER = 2 ** 40;
const MAX_FIELDS = 7;
/** The largest window in pam_oath's manual: it accepts no code from further ahead. */
const STEPS_AHEAD = 50;
/** The largest window of notp, which accepts no older code. */
const STEPS_BEHIND = 10;
/** How far to search if somebody lowered the counter by hand after the last login. */
const COUNTERS_AHEAD = 20;
/** A TIMESTAMP is local time without its zone: up to 14 hours from UTC, plus the window. */
const RECENT_MS = 24 * 60 * 60 * 1000;

const TYPE = /^HOTP(?:\/(?:E|T(30|60))(?:\/([678]))?)?$/;
const TYPES = 'HOTP, HOTP/E, HOTP/T30 and HOTP/T60, the last three also with /6, /7 or /8';
const KEY = new RegExp(`^[0-9a-f]{${String(2 * MIN_SECRET_BYTES)},}$`, 'i');
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dL$/;

/** One token. A user may have several. */
export interface PamOathToken {
  readonly line: number;
  readonly user: string;
  /** `account` is the user, `counter` that of the next code. */
  readonly credential: Credential;
  /** Whether the line has a password, which pam_oath expects before the code. The password is not kept. */
  readonly pin: boolean;
  /** The step of the last used code, if that is recent enough that the code could be used again. */
  readonly lastStep: number | undefined;
  /** One line of text for each thing that is not carried over. */
  readonly notes: readonly string[];
  /** What is printed on it, if it is a hardware token. */
  readonly token?: { readonly serial: string; readonly model: string } | undefined;
}

/** A line that cannot be carried over. */
export interface PamOathMistake {
  readonly line: number;
  /** Undefined if the line names no user. */
  readonly user: string | undefined;
  readonly why: string;
}

export interface PamOathFile {
  readonly tokens: readonly PamOathToken[];
  readonly mistakes: readonly PamOathMistake[];
}

type Why = { readonly why: string };

/**
 * Tokens and mistakes in the order of the file, without comments and empty lines. `nowMs`: Unix time in milliseconds.
 * Throws `refused` if the file is over the cap.
 */
export function parsePamOath(text: string, nowMs: number): PamOathFile {
  if (text.length > MAX_PAM_OATH_BYTES)
    throw new NotpError(
      'refused',
      `this users file of pam_oath is over ${String(MAX_PAM_OATH_BYTES / 1024 / 1024)} MiB`,
      'split the file at a line end; nothing was imported',
    );
  const tokens: PamOathToken[] = [];
  const mistakes: PamOathMistake[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const fields = line.split(/[ \t\r]+/).filter((field) => field !== '');
    if (fields[0]?.startsWith('#') !== false) continue;
    const read = readFields(fields, nowMs);
    if ('why' in read) mistakes.push({ line: i + 1, ...read });
    else tokens.push({ line: i + 1, ...read });
  }
  return { tokens, mistakes };
}

function readFields(fields: readonly string[], nowMs: number): Omit<PamOathToken, 'line'> | Omit<PamOathMistake, 'line'> {
  const [type = '', user, password, hex, counter = '0', lastCode, timestamp] = fields;
  const parameters = parametersOf(type);
  if (parameters === undefined) return { user: undefined, why: `its type must be one of ${TYPES}` };
  if (user === undefined || password === undefined || hex === undefined)
    return { user: undefined, why: 'it has no key: a line is TYPE USER PASSWORD KEY, with "-" for no password' };
  // If a field is missing, the key may be in the place of the name, and names are shown.
  if (!isUserName(user) || KEY.test(user)) return { user: undefined, why: 'its second field is not a user name' };
  if (fields.length > MAX_FIELDS) return { user, why: `it has more than ${String(MAX_FIELDS)} fields` };
  const secret = secretOf(hex);
  if ('why' in secret) return { user, ...secret };
  const used = lastUse(counter, lastCode, timestamp);
  if ('why' in used) return { user, ...used };
  const pin = password !== '-' && password !== '+';
  const notes = pin ? ['its password is not carried over: notp asks for a code only'] : [];
  const { lastStep, credential } = continued({ secret: secret.bytes, issuer: '', account: user }, parameters, used, nowMs);
  return { user, credential, pin, lastStep, notes };
}

type TokenParameters = { readonly digits: Digits; readonly algorithm: 'SHA1'; readonly periodSeconds: number | undefined };

function parametersOf(type: string): TokenParameters | undefined {
  const found = TYPE.exec(type);
  if (found === null) return undefined;
  const [, period, digits] = found;
  return { algorithm: 'SHA1', digits: Number(digits ?? 6) as Digits, periodSeconds: period === undefined ? undefined : Number(period) };
}

function secretOf(hex: string): { readonly bytes: Uint8Array } | Why {
  if (!/^(?:[0-9a-f]{2})+$/i.test(hex)) return { why: 'its key is not an even number of hex digits' };
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
  if (bytes.length >= MIN_SECRET_BYTES && bytes.length <= MAX_SECRET_BYTES) return { bytes };
  const limits = `${String(MIN_SECRET_BYTES)} to ${String(MAX_SECRET_BYTES)}`;
  return { why: `its key has ${String(bytes.length)} bytes, but notp accepts ${limits}` };
}

/** What the line says about the last login. */
interface LastUse {
  readonly counter: number;
  readonly code: string | undefined;
  /** The local time, read as if it were UTC. */
  readonly localMs: number | undefined;
}

function lastUse(counter: string, code: string | undefined, timestamp: string | undefined): LastUse | Why {
  if (!/^\d+$/.test(counter) || Number(counter) > MAX_COUNTER) return { why: 'its counter is not a whole number, or is too large' };
  if (code !== undefined && !/^\d{6,8}$/.test(code)) return { why: 'its last code does not have 6 to 8 digits' };
  if (timestamp === undefined) return { counter: Number(counter), code, localMs: undefined };
  const localMs = TIMESTAMP.test(timestamp) ? Date.parse(timestamp.replace('L', 'Z')) : NaN;
  if (Number.isNaN(localMs)) return { why: 'its time is not in the form 2009-12-07T23:18:08L' };
  return { counter: Number(counter), code, localMs };
}

type Names = { readonly secret: Uint8Array; readonly issuer: string; readonly account: string };

/** The credential as the last login left it, so that no used code works again. */
function continued(
  names: Names,
  { periodSeconds, ...rest }: TokenParameters,
  used: LastUse,
  nowMs: number,
): Pick<PamOathToken, 'credential' | 'lastStep'> {
  if (periodSeconds === undefined)
    return { credential: { type: 'hotp', ...names, ...rest, counter: nextCounter(names.secret, rest, used) }, lastStep: undefined };
  const parameters = { ...rest, periodSeconds };
  return { credential: { type: 'totp', ...names, ...parameters }, lastStep: spentStep(names.secret, parameters, used, nowMs) };
}

/** After a login pam_oath stores the counter of the accepted code; before the first login, that of the next code. */
function nextCounter(secret: Uint8Array, rest: Omit<CodeParameters, 'periodSeconds'>, { counter, code }: LastUse): number {
  const [spent] = code === undefined ? [] : matchingSteps(secret, code, range(counter, counter + COUNTERS_AHEAD), rest);
  return spent === undefined ? counter : spent + 1;
}

/** For TOTP pam_oath does not store the step, so it is found by the code: the latest step that has this code. */
function spentStep(secret: Uint8Array, parameters: CodeParameters, { code, localMs }: LastUse, nowMs: number): number | undefined {
  if (code === undefined || (localMs !== undefined && Math.abs(nowMs - localMs) > RECENT_MS)) return undefined;
  const now = stepAt(nowMs, parameters.periodSeconds);
  return matchingSteps(secret, code, range(Math.max(0, now - STEPS_BEHIND), now + STEPS_AHEAD), parameters).at(-1);
}

/** The whole numbers from `first` to `last`. */
function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

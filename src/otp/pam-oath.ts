/**
 * The users file of pam_oath: one token a line, `TYPE USER PASSWORD HEXKEY [COUNTER [LASTOTP [TIMESTAMP]]]`, with
 * blanks or tabs between. What is wrong with one line does not keep the others out, and no message holds a key, a
 * password or a code. Pure.
 */
import { NotpError } from '../error.ts';
import { matchingSteps, MAX_SECRET_BYTES, MIN_SECRET_BYTES, stepAt, type CodeParameters, type Digits } from './code.ts';
import { isUserName } from './names.ts';
import type { Credential } from './uri.ts';

/** Some ten thousand users; more than pam_oath, which writes all of it anew at each login, was made for. */
export const MAX_PAM_OATH_BYTES = 2 * 1024 * 1024;
const MAX_COUNTER = 2 ** 40;
const MAX_FIELDS = 7;
/** The largest window that pam_oath's manual speaks of: a code that it accepted is no further ahead of its clock. */
const STEPS_AHEAD = 50;
/** The largest window of notp: no older code can be used again. */
const STEPS_BEHIND = 10;
/** For a counter that was put back by hand after the last login. */
const COUNTERS_AHEAD = 20;
/** A TIMESTAMP is local time of a zone that it does not name: up to 14 hours from UTC, and the window besides. */
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
  /** Whether a password of the line's own goes before the code there. It is not read any further. */
  readonly pin: boolean;
  /** The step of the last code, where it is near enough to now to be used again. */
  readonly lastStep: number | undefined;
  /** One line of text for each thing that is not carried over. */
  readonly notes: readonly string[];
}

/** A line that cannot be carried over. */
export interface PamOathMistake {
  readonly line: number;
  /** Where the line names one. */
  readonly user: string | undefined;
  readonly why: string;
}

export interface PamOathFile {
  readonly tokens: readonly PamOathToken[];
  readonly mistakes: readonly PamOathMistake[];
}

type Why = { readonly why: string };

/** Everything in the order of the file; comments and empty lines are neither. `nowMs`: Unix time in milliseconds. Throws `refused` where the file is over the cap. */
export function parsePamOath(text: string, nowMs: number): PamOathFile {
  if (text.length > MAX_PAM_OATH_BYTES)
    throw new NotpError(
      'refused',
      `this users file of pam_oath is over ${String(MAX_PAM_OATH_BYTES / 1024 / 1024)} MiB`,
      'split it between lines; nothing was imported',
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
  if (parameters === undefined) return { user: undefined, why: `its type is none of ${TYPES}` };
  if (user === undefined || password === undefined || hex === undefined)
    return { user: undefined, why: 'it has no key: a line is TYPE USER PASSWORD KEY, with "-" for no password' };
  // Where fields are missing a key may stand in their place, and a name is shown.
  if (!isUserName(user) || KEY.test(user)) return { user: undefined, why: 'its second field is no user name' };
  if (fields.length > MAX_FIELDS) return { user, why: `it has more than ${String(MAX_FIELDS)} fields` };
  const secret = secretOf(hex);
  if ('why' in secret) return { user, ...secret };
  const used = lastUse(counter, lastCode, timestamp);
  if ('why' in used) return { user, ...used };
  const pin = password !== '-' && password !== '+';
  const notes = pin ? ['its password is not carried over: notp asks for none of its own before the code'] : [];
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
  return { why: `its key has ${String(bytes.length)} bytes, and notp takes ${limits}` };
}

/** What the last login left behind. */
interface LastUse {
  readonly counter: number;
  readonly code: string | undefined;
  /** As if the zone were UTC. */
  readonly localMs: number | undefined;
}

function lastUse(counter: string, code: string | undefined, timestamp: string | undefined): LastUse | Why {
  if (!/^\d+$/.test(counter) || Number(counter) > MAX_COUNTER) return { why: 'its counter is no whole number, or too large' };
  if (code !== undefined && !/^\d{6,8}$/.test(code)) return { why: 'its last code is not 6 to 8 digits' };
  if (timestamp === undefined) return { counter: Number(counter), code, localMs: undefined };
  const localMs = TIMESTAMP.test(timestamp) ? Date.parse(timestamp.replace('L', 'Z')) : NaN;
  if (Number.isNaN(localMs)) return { why: 'its time is not written as 2009-12-07T23:18:08L' };
  return { counter: Number(counter), code, localMs };
}

type Names = { readonly secret: Uint8Array; readonly issuer: string; readonly account: string };

/** The credential where the last login left it: no code that let in may do so again. */
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

/** After a login pam_oath keeps the counter of the code that it accepted, and before any the next one. */
function nextCounter(secret: Uint8Array, rest: Omit<CodeParameters, 'periodSeconds'>, { counter, code }: LastUse): number {
  const [spent] = code === undefined ? [] : matchingSteps(secret, code, range(counter, counter + COUNTERS_AHEAD), rest);
  return spent === undefined ? counter : spent + 1;
}

/** For TOTP pam_oath does not keep the step, so it is looked for by the code; the latest, where more than one has that code. */
function spentStep(secret: Uint8Array, parameters: CodeParameters, { code, localMs }: LastUse, nowMs: number): number | undefined {
  if (code === undefined || (localMs !== undefined && Math.abs(nowMs - localMs) > RECENT_MS)) return undefined;
  const now = stepAt(nowMs, parameters.periodSeconds);
  return matchingSteps(secret, code, range(Math.max(0, now - STEPS_BEHIND), now + STEPS_AHEAD), parameters).at(-1);
}

/** The whole numbers from `first` to `last`. */
function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** An entry from the fields that all programs have under one name or another. What notp cannot hold is told and skipped. Pure. */
import {
  ALGORITHMS,
  DIGITS,
  MAX_PERIOD_SECONDS,
  MAX_SECRET_BYTES,
  MIN_PERIOD_SECONDS,
  MIN_SECRET_BYTES,
  readBase32,
  type HotpParameters,
} from '../otp/code.ts';
import { quoted } from '../otp/escape.ts';
import { isLabel } from '../otp/names.ts';
import { otpauthUri, USUAL_PARAMETERS, type Credential } from '../otp/uri.ts';
import type { Entry } from './format.ts';
import { MALFORMED_SECRET } from './seeds.ts';

/** Fields as a file has them; undefined or null for the default. Text that is a whole number is one. */
export interface Raw {
  readonly place: string;
  readonly issuer: string;
  readonly account: string;
  /** `totp` and `hotp` in any case, or what names a kind that notp does not have. */
  readonly type: unknown;
  /** Base32, or raw bytes. */
  readonly secret: string | Uint8Array;
  readonly algorithm?: unknown;
  readonly digits?: unknown;
  readonly period?: unknown;
  /** Of the next code. */
  readonly counter?: unknown;
}

const UNREADABLE_NAME = 'its name is too long or has control characters';

export function entryOf(raw: Raw): Entry {
  const { place } = raw;
  const [issuer, account] = [raw.issuer.trim(), raw.account.trim()];
  const name = nameOf(issuer, account);
  const credential = credentialOf({ ...raw, issuer, account });
  if (typeof credential === 'string') return { place, name, why: credential };
  if (![issuer, account].every(isLabel)) return { place, name, why: UNREADABLE_NAME };
  try {
    // A name that fits no URI could never be exported.
    otpauthUri(credential);
  } catch {
    return { place, name, why: UNREADABLE_NAME };
  }
  return { place, name, credential };
}

/** Issuer and account in one. */
export function nameOf(issuer: string, account: string): string {
  return [issuer, account].filter((each) => each !== '').join(':');
}

/** The credential, or why there is none. */
function credentialOf(raw: Raw): Credential | string {
  const { issuer, account } = raw;
  const type = typeof raw.type === 'string' ? raw.type.toLowerCase() : raw.type;
  if (type !== 'totp' && type !== 'hotp') return `unsupported kind of code: ${named(raw.type)}`;
  const parameters = parametersOf(raw);
  if (typeof parameters === 'string') return parameters;
  const secret = typeof raw.secret === 'string' ? readBase32(raw.secret) : raw.secret;
  if (secret === undefined || secret.length < MIN_SECRET_BYTES || secret.length > MAX_SECRET_BYTES) return MALFORMED_SECRET;
  const counter = wholeNumber(raw.counter) ?? 0;
  const periodSeconds = wholeNumber(raw.period) ?? USUAL_PARAMETERS.periodSeconds;
  if (type === 'hotp')
    return Number.isSafeInteger(counter) && counter >= 0
      ? { type, secret, issuer, account, ...parameters, counter }
      : `unsupported counter: ${shownNumber(raw.counter)}`;
  if (!Number.isInteger(periodSeconds) || periodSeconds < MIN_PERIOD_SECONDS || periodSeconds > MAX_PERIOD_SECONDS)
    return `unsupported period: ${shownNumber(raw.period)} seconds`;
  return { type, secret, issuer, account, ...parameters, periodSeconds };
}

function parametersOf({ algorithm: written, digits: count }: Raw): HotpParameters | string {
  const name = written ?? '';
  const wanted = name === '' ? USUAL_PARAMETERS.algorithm : typeof name === 'string' && name.toUpperCase().replace(/^HMAC|[-_]/g, '');
  const algorithm = ALGORITHMS.find((each) => each === wanted);
  if (algorithm === undefined) return `unsupported algorithm: ${named(written)}`;
  const wantedDigits = wholeNumber(count) ?? USUAL_PARAMETERS.digits;
  const digits = DIGITS.find((each) => each === wantedDigits);
  return digits === undefined ? `unsupported number of digits: ${shownNumber(count)}` : { algorithm, digits };
}

/** Undefined where there is none, NaN where there is something else. */
export function wholeNumber(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : NaN;
}

/** A name, or a number in its place. */
function named(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? shown(value) : 'no name';
}

/** A number, or a short text in its place: a longer one may be a secret. */
function shownNumber(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && /^(?:\d{1,16}|[\w.+-]{0,10})$/.test(value) ? value || '""' : 'no number';
}

/** A word of the file: without quotes where it is one. */
export function shown(text: string): string {
  return /^[\w-]{1,20}$/.test(text) ? text : quoted(text);
}

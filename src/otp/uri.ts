/**
 * otpauth:// URIs (the Key URI Format of Google Authenticator): written with every parameter, read as leniently as
 * phones read them. Writing and reading back gives the same credential. Pure.
 */
import { timingSafeEqual } from 'node:crypto';
import { generate, InvalidParameterError, MissingParameterError, parse, type OTPAuthURI } from '@otplib/uri';
import { NotpError } from '../error.ts';
import {
  MAX_PERIOD_SECONDS,
  MIN_PERIOD_SECONDS,
  readBase32,
  toBase32,
  type Algorithm,
  type CodeParameters,
  type Digits,
  type HotpParameters,
} from './code.ts';
import { isLabel, MAX_LABEL_CHARACTERS } from './names.ts';

/** How an app shows a secret. */
export interface CredentialNames {
  readonly issuer: string;
  readonly account: string;
}

/** All that two sides share to make the same TOTP codes (RFC 6238). `secret`: raw bytes. */
export interface TotpCredential extends CodeParameters, CredentialNames {
  readonly type: 'totp';
  readonly secret: Uint8Array;
}

/** The same for HOTP (RFC 4226). `counter`: of the next code. */
export interface HotpCredential extends HotpParameters, CredentialNames {
  readonly type: 'hotp';
  readonly secret: Uint8Array;
  readonly counter: number;
}

export type Credential = TotpCredential | HotpCredential;

/**
 * All that the codes depend on besides the secret, in one string: two credentials with the same secret and kind give the
 * same codes.
 */
export function kindOf(each: TotpCredential | Omit<HotpCredential, 'counter'>): string {
  return [each.type, each.algorithm, each.digits, each.type === 'totp' ? each.periodSeconds : 0].join();
}

/** How the steps or counters of its codes are numbered, in one string: only those of one kind can be compared. */
export function movingFactorOf(each: MovingFactor): string {
  return each.type === 'totp' ? `totp ${String(each.periodSeconds)}` : 'hotp';
}

export type MovingFactor = Pick<TotpCredential, 'type' | 'periodSeconds'> | Pick<HotpCredential, 'type'>;

/** Whether both have the same secret, in constant time. One with 6 digits and one with 8 are the same: the longer code ends with the shorter one. */
export function haveSameSecret({ secret: one }: Pick<Credential, 'secret'>, { secret: other }: Pick<Credential, 'secret'>): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** A credential without its secret, under the names of the Key URI Format. */
export function withoutSecret(credential: Credential): object {
  const { type, issuer, account, algorithm, digits } = credential;
  const moving = credential.type === 'totp' ? { period: credential.periodSeconds } : { counter: credential.counter };
  return { type, issuer, account, algorithm, digits, ...moving };
}

/** The defaults of the Key URI Format, also used for a bare secret. */
export const USUAL_PARAMETERS: CodeParameters = { algorithm: 'SHA1', digits: 6, periodSeconds: 30 };
const PARAMETER = /\b(?:type|algorithm|digits|counter|period)\b/;

/** otplib's names of the algorithms. */
const ALGORITHM_NAMES = { sha1: 'SHA1', sha256: 'SHA256', sha512: 'SHA512' } as const satisfies Record<string, Algorithm>;

/**
 * The otpauth URI of `credential`. otplib leaves defaults out, but apps disagree about defaults, so every parameter is written.
 * Throws `refused` if the names are so long that phones, and notp, could not read it.
 */
export function otpauthUri(credential: Credential): string {
  const [issuer, account] = [credential.issuer.toWellFormed(), credential.account.toWellFormed()];
  const label = issuer === '' ? account : `${issuer}:${account}`;
  const written = generate({ type: credential.type, label, params: { secret: toBase32(credential.secret), issuer } });
  const [start = '', query = ''] = written.split('?');
  const all = new URLSearchParams(query);
  // Without an issuer, a reader would take the account's colon for the one after an issuer.
  if (issuer === '' && account.includes(':')) all.set('issuer', '');
  all.set('algorithm', credential.algorithm);
  all.set('digits', String(credential.digits));
  if (credential.type === 'totp') all.set('period', String(credential.periodSeconds));
  else all.set('counter', String(credential.counter));
  // Some phones read "+" as a plus sign, some as a blank.
  const uri = `${start}?${all.toString().replaceAll('+', '%20')}`;
  refuseTooLong(uri);
  return uri;
}

/** What all apps take for granted where it is missing. */
const DEFAULTS = /&(?:algorithm=SHA1|digits=6|period=30)(?=&|$)/g;

/**
 * The shortest URI that means the same as otpauthUri(), for a QR code that must fit a screen. The label alone tells the issuer, unless
 * that has a colon. Throws as otpauthUri() does.
 */
export function shortUri(credential: Credential): string {
  const short = otpauthUri(credential).replace(DEFAULTS, '').replaceAll('%40', '@');
  const isInLabel = credential.issuer !== '' && !credential.issuer.includes(':');
  return isInLabel ? short.replace(/&issuer=[^&]*/, '') : short;
}

/** The URI is well-formed, so it can only fail to parse by its length. */
function refuseTooLong(uri: string): void {
  try {
    parse(uri);
  } catch {
    throw new NotpError('refused', 'issuer and account are too long for an otpauth URI', 'shorten them');
  }
}

/** The credential in `uri`. Throws `refused` with what is wrong, never with the secret. */
export function parseOtpauthUri(uri: string): Credential {
  const { type, label, params } = parsed(uri);
  const secret = readBase32(params.secret);
  if (secret === undefined) throw badUri('its secret is not base32, or is too short or too long');
  const algorithm = params.algorithm === undefined ? USUAL_PARAMETERS.algorithm : ALGORITHM_NAMES[params.algorithm];
  // otplib accepts only 6, 7 and 8, but its type is wider.
  const digits = (params.digits as Digits | undefined) ?? USUAL_PARAMETERS.digits;
  const rest = { secret, algorithm, digits, ...namesOf(label, params.issuer) };
  if (type === 'hotp') return { type, ...rest, counter: params.counter ?? 0 };
  const periodSeconds = params.period ?? USUAL_PARAMETERS.periodSeconds;
  if (periodSeconds < MIN_PERIOD_SECONDS || periodSeconds > MAX_PERIOD_SECONDS)
    throw badUri(`its period is not from ${String(MIN_PERIOD_SECONDS)} to ${String(MAX_PERIOD_SECONDS)} seconds`);
  return { type, ...rest, periodSeconds };
}

function parsed(uri: string): OTPAuthURI {
  // Some programs write all of it in capitals, and web forms write a blank as "+".
  const usual = uri.replace(/^otpauth:\/\/[a-z]+(?=\/)|[?&][a-z]+(?==)/gi, (fixed) => fixed.toLowerCase());
  const query = Math.max(0, usual.indexOf('?'));
  try {
    return parse(usual.slice(0, query) + usual.slice(query).replaceAll('+', '%20'));
  } catch (error) {
    throw badUri(whyNot(error));
  }
}

/** otplib's messages quote the refused value, which may be the secret. So only the name of the parameter is taken from them. */
function whyNot(error: unknown): string {
  if (error instanceof MissingParameterError) return 'it has no secret';
  const name = error instanceof InvalidParameterError ? PARAMETER.exec(error.message)?.[0] : undefined;
  return name === undefined ? 'it is malformed or too long' : `its "${name}" is malformed or unsupported`;
}

/** The label is `issuer:account` or `account`; the issuer parameter decides which, if it is there. */
function namesOf(label: string, issuer: string | undefined): CredentialNames {
  const [prefix, account] = issuer === undefined ? cutAtColon(label) : [issuer, withoutIssuer(label, issuer)];
  const names = { issuer: prefix.trim(), account: account.trim() };
  if (isLabel(names.issuer) && isLabel(names.account)) return names;
  throw badUri(`its issuer or account is over ${String(MAX_LABEL_CHARACTERS)} characters or has control characters`);
}

function withoutIssuer(label: string, issuer: string): string {
  if (issuer === '') return label;
  if (label.startsWith(`${issuer}:`)) return label.slice(issuer.length + 1);
  // Some programs write another issuer before the colon than in the parameter; the account follows the colon.
  return cutAtColon(label)[1];
}

function cutAtColon(label: string): [string, string] {
  const colon = label.indexOf(':');
  return colon === -1 ? ['', label] : [label.slice(0, colon), label.slice(colon + 1)];
}

function badUri(why: string): NotpError {
  return new NotpError('refused', `this otpauth URI cannot be used: ${why}`, 'copy it again, whole');
}

/** Base32 in groups of four, for a person who types the key. */
export function groupedKey(secret: Uint8Array): string {
  return (toBase32(secret).match(/.{1,4}/g) ?? []).join(' ');
}

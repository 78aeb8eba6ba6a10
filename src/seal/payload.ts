/** The plaintext inside a sealed file: compact JSON. Pure. */
import {
  ALGORITHMS,
  DIGITS,
  fromBase32,
  MAX_PERIOD_SECONDS,
  MAX_SECRET_BYTES,
  MIN_PERIOD_SECONDS,
  MIN_SECRET_BYTES,
  toBase32,
} from '../otp/code.ts';
import { MAX_RECOVERY_CODES, type RecoveryHashes } from '../otp/recovery.ts';
import { type HotpCredential, type TotpCredential } from '../otp/uri.ts';
import { bad, base64, canonicalJson, exactly, integer, label, oneOf, toBase64 } from './fields.ts';

interface WithRecovery {
  readonly recovery: RecoveryHashes;
}

/** What logs in. The secret is raw bytes; whoever opens a file wipes them when done. */
export type TotpPayload = TotpCredential & WithRecovery;
/** For `notp code` alone. Its counter moves, so it is in the store and not here. */
export type HotpPayload = Omit<HotpCredential, 'counter'> & WithRecovery;
export type Payload = TotpPayload | HotpPayload;

const KEYS = ['secret', 'type', 'algorithm', 'digits', 'issuer', 'account', 'recovery'];
const TOTP_KEYS = [...KEYS, 'period'];

export function printPayload(payload: Payload): Uint8Array {
  const { type, algorithm, digits, issuer, account, recovery } = payload;
  const hashes = { salt: toBase64(recovery.salt), hashes: recovery.hashes.map(toBase64) };
  const period = payload.type === 'totp' ? { period: payload.periodSeconds } : {};
  const object = { secret: toBase32(payload.secret), type, algorithm, digits, ...period, issuer, account, recovery: hashes };
  return new Uint8Array(Buffer.from(JSON.stringify(object)));
}

/** Throws `bad_secret_file` with what is wrong, never with a value. */
export function parsePayload(bytes: Uint8Array): Payload {
  const json = canonicalJson(bytes, 'the sealed content');
  const isHotp = typeof json === 'object' && json !== null && 'type' in json && json.type === 'hotp';
  const fields = exactly(json, 'the sealed content', isHotp ? KEYS : TOTP_KEYS);
  const type = oneOf(fields, 'type', ['totp', 'hotp']);
  const rest = {
    secret: parseSecret(fields['secret']),
    algorithm: oneOf(fields, 'algorithm', ALGORITHMS),
    digits: oneOf(fields, 'digits', DIGITS),
    issuer: label(fields, 'issuer'),
    account: label(fields, 'account'),
    recovery: parseRecovery(fields['recovery']),
  };
  if (type === 'hotp') return { type, ...rest };
  return { type, ...rest, periodSeconds: integer(fields, 'period', MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS) };
}

/** The bytes of a secret in canonical base32. Throws `bad_secret_file` where it is none, or too long or short for codes. */
export function parseSecret(value: unknown): Uint8Array {
  const secret = typeof value === 'string' ? tryBase32(value) : undefined;
  if (secret === undefined) throw bad('"secret" is no base32');
  if (secret.length < MIN_SECRET_BYTES || secret.length > MAX_SECRET_BYTES) throw bad('"secret" has the wrong length');
  return secret;
}

function tryBase32(value: string): Uint8Array | undefined {
  try {
    return fromBase32(value);
  } catch {
    return undefined;
  }
}

function parseRecovery(value: unknown): RecoveryHashes {
  const fields = exactly(value, '"recovery"', ['salt', 'hashes']);
  const hashes: unknown = fields['hashes'];
  if (!Array.isArray(hashes) || hashes.length > MAX_RECOVERY_CODES) throw bad('"hashes" is no list of recovery codes');
  return { salt: base64(fields['salt'], 'salt', 16, 16), hashes: hashes.map((hash) => base64(hash, 'hashes', 32, 32)) };
}

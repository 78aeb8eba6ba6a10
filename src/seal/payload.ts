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
import { base64, canonicalJson, encoded, label, listOf, literal, object, oneOf, shaped, toBase64, union, wholeNumber } from './shape.ts';

interface WithRecovery {
  readonly recovery: RecoveryHashes;
}

/** A secret for logins. The secret is raw bytes; the caller that opens a file wipes them. */
export type TotpPayload = TotpCredential & WithRecovery;
/** For `notp code` only. Its counter changes, so it is in the store and not here. */
export type HotpPayload = Omit<HotpCredential, 'counter'> & WithRecovery;
export type Payload = TotpPayload | HotpPayload;

/** Raw bytes as canonical base32 in JSON. */
export const SECRET = encoded('base32', tryBase32, MIN_SECRET_BYTES, MAX_SECRET_BYTES);

const COMMON = {
  secret: SECRET,
  algorithm: oneOf(ALGORITHMS),
  digits: oneOf(DIGITS),
  issuer: label,
  account: label,
  recovery: object({ salt: base64(16, 16), hashes: listOf(base64(32, 32), MAX_RECOVERY_CODES) }),
};
const PAYLOAD = union(
  object({ type: literal('totp'), ...COMMON, period: wholeNumber(MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS) }).map(
    ({ period: periodSeconds, ...rest }): TotpPayload => ({ ...rest, periodSeconds }),
  ),
  object({ type: literal('hotp'), ...COMMON }).map((fields): HotpPayload => fields),
);

export function printPayload(payload: Payload): Uint8Array {
  const { type, algorithm, digits, issuer, account, recovery } = payload;
  const hashes = { salt: toBase64(recovery.salt), hashes: recovery.hashes.map(toBase64) };
  const period = payload.type === 'totp' ? { period: payload.periodSeconds } : {};
  const content = { secret: toBase32(payload.secret), type, algorithm, digits, ...period, issuer, account, recovery: hashes };
  return new Uint8Array(Buffer.from(JSON.stringify(content)));
}

/** The payload in `bytes`. Throws `bad_secret_file` with what is wrong, never with a value. */
export function parsePayload(bytes: Uint8Array): Payload {
  return shaped(PAYLOAD, canonicalJson(bytes, 'the sealed content'), 'the sealed content');
}

function tryBase32(value: string): Uint8Array | undefined {
  try {
    return fromBase32(value);
  } catch {
    return undefined;
  }
}

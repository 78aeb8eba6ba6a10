/**
 * Sealing and opening: XChaCha20-Poly1305 with the file's header as associated data. The plaintext is compact JSON. Pure.
 */
import { NotpError } from '../error.ts';
import { quoted } from '../otp/escape.ts';
import { isContextName, isUserName, isLabel } from '../otp/names.ts';
import type { HotpCredential, TotpCredential } from '../otp/uri.ts';
import { associatedData, type SealedFile, type SealedHeader } from './file.ts';
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
import { base64, canonicalJson, encoded, label, listOf, literal, object, oneOf, shaped, toBase64, union, wholeNumber } from './shape.ts';
import { decrypt, encrypt } from './xchacha.ts';

/** `key`: 32 bytes, `nonce`: NONCE_BYTES fresh random bytes. Throws `refused` for a name that could not be read back. */
export function seal(header: SealedHeader, payload: Payload, key: Uint8Array, nonce: Uint8Array): SealedFile {
  refuseUnreadable(header, payload);
  const plaintext = printPayload(payload);
  const ciphertext = encrypt(plaintext, { key, nonce, associated: associatedData(header) });
  plaintext.fill(0);
  return { ...header, nonce, ciphertext };
}

/**
 * The payload, or undefined if the key is wrong or any part of the file was changed. Throws `bad_secret_file` if the
 * content is not as notp writes it.
 */
export function open(file: SealedFile, key: Uint8Array): Payload | undefined {
  const plaintext = decrypt(file.ciphertext, { key, nonce: file.nonce, associated: associatedData(file) });
  if (plaintext === undefined) return undefined;
  try {
    return parsePayload(plaintext);
  } finally {
    plaintext.fill(0);
  }
}

/** Applies the rules of the reader, so that every sealed file can be opened. */
function refuseUnreadable({ user, context }: SealedHeader, { issuer, account, token }: Payload): void {
  const labels = [issuer, account, ...Object.values<string>({ ...token })];
  const wrong = !isUserName(user) ? user : !isContextName(context) ? context : labels.find((text) => !isLabel(text));
  if (wrong === undefined) return;
  throw new NotpError('refused', `no sealed file can hold the name ${quoted(wrong)}`, 'shorten it, and remove control characters');
}

interface WithRecovery {
  readonly recovery: RecoveryHashes;
  /** Of a hardware token. */
  readonly token?: TokenNames | undefined;
}

/** What is printed on a hardware token: its serial number, and its maker and model. */
export interface TokenNames {
  readonly serial: string;
  readonly model: string;
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
  token: object({ serial: label, model: label }).optional(),
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
  const content = {
    secret: toBase32(payload.secret),
    type,
    algorithm,
    digits,
    ...period,
    issuer,
    account,
    recovery: hashes,
    token: payload.token,
  };
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

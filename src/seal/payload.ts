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
  type CodeParameters,
} from '../otp/code.ts';
import { MAX_RECOVERY_CODES, type RecoveryHashes } from '../otp/recovery.ts';
import type { Account } from '../otp/uri.ts';
import { bad, base64, canonicalJson, exactly, integer, oneOf, text, toBase64 } from './fields.ts';

export const MAX_LABEL_CHARACTERS = 256;

export interface Payload extends CodeParameters, Account {
  /** Raw bytes; whoever opens a file wipes them when done. */
  readonly secret: Uint8Array;
  readonly recovery: RecoveryHashes;
}

const KEYS = ['secret', 'type', 'algorithm', 'digits', 'period', 'issuer', 'account', 'recovery'];
const LABEL = new RegExp(`^\\P{Cc}{0,${String(MAX_LABEL_CHARACTERS)}}$`, 'u');

export function printPayload(payload: Payload): Uint8Array {
  const { algorithm, digits, periodSeconds: period, issuer, account, recovery } = payload;
  const hashes = { salt: toBase64(recovery.salt), hashes: recovery.hashes.map(toBase64) };
  const object = { secret: toBase32(payload.secret), type: 'totp', ...{ algorithm, digits, period, issuer, account }, recovery: hashes };
  return new Uint8Array(Buffer.from(JSON.stringify(object)));
}

/** Throws `bad_secret_file` with what is wrong, never with a value. */
export function parsePayload(bytes: Uint8Array): Payload {
  const fields = exactly(canonicalJson(bytes, 'the sealed content'), 'the sealed content', KEYS);
  oneOf(fields, 'type', ['totp']);
  return {
    secret: parseSecret(fields['secret']),
    algorithm: oneOf(fields, 'algorithm', ALGORITHMS),
    digits: oneOf(fields, 'digits', DIGITS),
    periodSeconds: integer(fields, 'period', MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS),
    issuer: text(fields, 'issuer', LABEL),
    account: text(fields, 'account', LABEL),
    recovery: parseRecovery(fields['recovery']),
  };
}

function parseSecret(value: unknown): Uint8Array {
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

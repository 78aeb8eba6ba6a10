/** Recovery codes: random, shown once, stored as salted hashes inside the sealed file. Pure. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { toBase32 } from './code.ts';

/** 65 bits in 13 base32 characters: far beyond guessing, so spending them needs no budget. */
export const RECOVERY_CHARACTERS = 13;
/** Random bytes that one code is made of. */
export const RECOVERY_BYTES = 9;
/** The default number of codes of an enrolment. */
export const RECOVERY_CODES = 10;
export const MAX_RECOVERY_CODES = 32;
const SALT_BYTES = 16;
/** Emergency codes carried over from pam_google_authenticator. They are so short that they count as guesses, like any code. */
export const EMERGENCY_DIGITS = 8;

export interface RecoveryHashes {
  /** One random salt for all, so that checking a code costs one hash. */
  readonly salt: Uint8Array;
  readonly hashes: readonly Uint8Array[];
}

/** A code such as `ABCD-EFGH-JKLMN` from RECOVERY_BYTES random bytes. */
export function formatRecoveryCode(random: Uint8Array): string {
  const text = toBase32(random).slice(0, RECOVERY_CHARACTERS);
  return `${text.slice(0, 4)}-${text.slice(4, 8)}-${text.slice(8)}`;
}

/** The canonical code, the form that is hashed; undefined if `typed` (any case, dashes and blanks anywhere) cannot be a code. */
export function canonicalRecoveryCode(typed: string): string | undefined {
  const text = typed.replace(/[\s-]/g, '').toUpperCase();
  return text.length === RECOVERY_CHARACTERS && /^[A-Z2-7]+$/.test(text) ? text : undefined;
}

/** `count` new codes and the hashes to keep. `randomBytes` gives random bytes of a length. */
export function newRecoveryCodes(count: number, randomBytes: (length: number) => Uint8Array): { codes: string[]; kept: RecoveryHashes } {
  const codes = Array.from({ length: count }, () => formatRecoveryCode(randomBytes(RECOVERY_BYTES)));
  const canonical = codes.map((code) => code.replaceAll('-', ''));
  return { codes, kept: keptRecoveryCodes(canonical, randomBytes) };
}

/** The hashes to keep of `codes`: recovery codes in canonical form, or emergency codes of EMERGENCY_DIGITS digits. */
export function keptRecoveryCodes(codes: readonly string[], randomBytes: (length: number) => Uint8Array): RecoveryHashes {
  const salt = randomBytes(SALT_BYTES);
  return { salt, hashes: codes.map((code) => hash(salt, code)) };
}

/** The index of `code` (canonical form) among the kept hashes, or -1. Compares with every one in constant time. */
export function recoveryIndex(code: string, kept: RecoveryHashes): number {
  const wanted = hash(kept.salt, code);
  return kept.hashes.reduce((found, candidate, i) => (timingSafeEqual(candidate, wanted) ? i : found), -1);
}

function hash(salt: Uint8Array, canonical: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update('notp recovery code/1').update(salt).update(canonical).digest());
}

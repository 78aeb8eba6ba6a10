/**
 * One-time codes: the only file that imports otplib for codes and base32. Pure.
 * HOTP is RFC 4226, TOTP is RFC 6238, base32 is RFC 4648 section 6.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createGuardrails, generateSync, NobleCryptoPlugin, ScureBase32Plugin, type CryptoPlugin } from 'otplib';

export type Algorithm = 'SHA1' | 'SHA256' | 'SHA512';
export type Digits = 6 | 7 | 8;

/** The parameters besides the secret that a phone needs for codes by a counter (HOTP). */
export interface HotpParameters {
  readonly algorithm: Algorithm;
  readonly digits: Digits;
}

/** The parameters for codes by the clock (TOTP). */
export interface CodeParameters extends HotpParameters {
  /** Length of one step in seconds (RFC 6238 section 4.1, X). */
  readonly periodSeconds: number;
}

export const ALGORITHMS: readonly Algorithm[] = ['SHA1', 'SHA256', 'SHA512'];
export const DIGITS: readonly Digits[] = [6, 7, 8];
export const MIN_PERIOD_SECONDS = 15;
export const MAX_PERIOD_SECONDS = 300;
/** 80 bits: less than the 128 of RFC 4226, but old enrolments have such secrets. */
export const MIN_SECRET_BYTES = 10;
export const MAX_SECRET_BYTES = 128;

const guardrails = createGuardrails({ MIN_SECRET_BYTES, MAX_SECRET_BYTES });
const base32 = new ScureBase32Plugin();
/** With the HMAC of OpenSSL: without a JIT compiler the one in JavaScript takes twenty times as long. */
const crypto: CryptoPlugin = Object.assign(new NobleCryptoPlugin(), {
  hmac: (algorithm: string, key: Uint8Array, data: Uint8Array) => createHmac(algorithm, key).update(data).digest(),
});
const BASE32_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const LIBRARY_NAME = { SHA1: 'sha1', SHA256: 'sha256', SHA512: 'sha512' } as const;

/**
 * The number of random bytes of a new secret: the length of the HMAC's output, as RFC 4226 section 4 and RFC 6238 section
 * 5.1 recommend.
 */
export function secretLength(algorithm: Algorithm): number {
  return { SHA1: 20, SHA256: 32, SHA512: 64 }[algorithm];
}

/** The TOTP step (RFC 6238: T) of `nowMs`, Unix time in milliseconds. */
export function stepAt(nowMs: number, periodSeconds: number): number {
  return Math.floor(nowMs / 1000 / periodSeconds);
}

/**
 * The code of `step` (an HOTP counter) under `secret` (raw bytes). Throws if the secret is shorter or longer than the caps
 * above.
 */
export function codeAt(secret: Uint8Array, step: number, parameters: HotpParameters): string {
  const algorithm = LIBRARY_NAME[parameters.algorithm];
  return generateSync({ strategy: 'hotp', secret, counter: step, algorithm, digits: parameters.digits, guardrails, crypto });
}

/**
 * The elements of `steps` whose code is `code`. Computes every candidate and compares it in constant time, even after a
 * match.
 */
export function matchingSteps(secret: Uint8Array, code: string, steps: readonly number[], parameters: HotpParameters): readonly number[] {
  return steps.filter((step) => equalText(codeAt(secret, step, parameters), code));
}

/** The steps from `centre - window` to `centre + window`, none below 0. */
export function stepsAround(centre: number, window: number): readonly number[] {
  return Array.from({ length: 2 * window + 1 }, (_, i) => centre - window + i).filter((step) => step >= 0);
}

/** Upper-case base32 without padding. */
export function toBase32(bytes: Uint8Array): string {
  return base32.encode(bytes, { padding: false });
}

/** The bytes of canonical base32: upper case, no blanks, no padding. Throws on anything else. */
export function fromBase32(text: string): Uint8Array {
  const bytes = base32.decode(text);
  if (toBase32(bytes) !== text) throw new Error('base32 is not canonical');
  return bytes;
}

/**
 * The bytes of base32 as people and services write it: any case, blanks and dashes anywhere, with or without padding,
 * any value in the unused bits of the last character. Undefined if it is malformed, or if its length is not from
 * MIN_SECRET_BYTES to MAX_SECRET_BYTES.
 */
export function readBase32(text: string): Uint8Array | undefined {
  const compact = text.replace(/[\s-]/g, '');
  // Padding in the middle of a long text would take time that grows by the square of its length.
  if (compact.length > 2 * MAX_SECRET_BYTES) return undefined;
  const letters = compact.replace(/=+$/, '');
  // RFC 4648: a last group of 1, 3 or 6 characters does not end on a whole byte.
  if (!/^[A-Za-z2-7]+$/.test(letters) || [1, 3, 6].includes(letters.length % 8)) return undefined;
  const bytes = base32.decode(withoutUnusedBits(letters.toUpperCase()));
  return bytes.length >= MIN_SECRET_BYTES && bytes.length <= MAX_SECRET_BYTES ? bytes : undefined;
}

function withoutUnusedBits(letters: string): string {
  const unused = (letters.length * 5) % 8;
  const last = BASE32_ALPHABET.indexOf(letters.slice(-1));
  return letters.slice(0, -1) + BASE32_ALPHABET.charAt((last >> unused) << unused);
}

function equalText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/**
 * Parses the line that a person typed, once, into a proof (and the passphrase before it, for a passphrase seal).
 * A line without a proof is not a guess: it is refused as `no_proof` and costs nothing from the guess budget. Pure.
 */
import { hasControls } from './escape.ts';
import { canonicalRecoveryCode } from './recovery.ts';

/** `codes`: two or three of one length, meant to be consecutive. */
export type Proof =
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'codes'; readonly codes: readonly string[] }
  | { readonly kind: 'recovery'; readonly code: string };

/** One way to read a line: the passphrase (undefined if only the proof was typed) and the proof. */
export interface Reading {
  readonly passphrase: string | undefined;
  readonly proof: Proof;
}

/** pam_exec(8) passes at most this many bytes; the gate has the same limit. */
export const MAX_LINE_BYTES = 511;
/** The cap on readings of one line, since each costs a key derivation. */
export const MAX_READINGS = 3;

/**
 * The proof in `typed`: a code (6 to 8 digits, "123 456" and "123-456" too), two or three codes of one length, or a
 * recovery code.
 */
export function parseProof(typed: string): Proof | undefined {
  const text = typed.trim();
  const digits = text.replace(/[\s-]/g, '');
  const inDigits = /^\d+$/.test(digits) && /^\d.*\d$/s.test(text) ? parseDigits(text, digits) : undefined;
  if (inDigits !== undefined) return inDigits;
  const recovery = canonicalRecoveryCode(text);
  return recovery === undefined ? undefined : { kind: 'recovery', code: recovery };
}

/**
 * The ways to read one line, the likeliest first, at most MAX_READINGS. Without a passphrase seal there is one way:
 * the proof alone. With one, the line is `correct horse 123456`. Both parts may contain blanks, and a passphrase may
 * end in digits, so the line can be cut in more than one place; the right cut is the one whose passphrase opens the
 * file. If only some of the account's devices have a passphrase seal (`either`), both kinds of reading are given.
 */
export function readings(line: string, seal: 'passphrase' | 'host' | 'either'): readonly Reading[] {
  const alone = seal === 'passphrase' ? undefined : parseProof(line);
  const found: Reading[] = alone === undefined ? [] : [{ passphrase: undefined, proof: alone }];
  if (seal === 'host') return found;
  for (const cut of [...line.matchAll(/[ \t]+/g)].toReversed()) {
    const passphrase = line.slice(0, cut.index);
    const proof = passphrase.trim() === '' ? undefined : parseProof(line.slice(cut.index));
    if (proof !== undefined) found.push({ passphrase, proof });
  }
  return found.slice(0, MAX_READINGS);
}

/**
 * The line as text. Undefined if no person can have typed it: too long, not UTF-8, or with control characters (sshd's junk
 * answer begins with a backspace).
 */
export function typedLine(bytes: Uint8Array, maxBytes = MAX_LINE_BYTES): string | undefined {
  if (bytes.length > maxBytes) return undefined;
  const text = decodeUtf8(bytes);
  return text === undefined || hasControls(text.replaceAll('\t', '')) ? undefined : text;
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** `text` holds digits, blanks and dashes only; `digits` is the same without blanks and dashes. */
function parseDigits(text: string, digits: string): Proof | undefined {
  if (digits.length >= 6 && digits.length <= 8) return { kind: 'code', code: digits };
  // No number of digits can be both two codes and three.
  const count = [2, 3].find((each) => digits.length % each === 0 && digits.length >= 6 * each && digits.length <= 8 * each);
  if (count === undefined) return undefined;
  const length = digits.length / count;
  const oneCode = `\\d(?:[\\s-]*\\d){${String(length - 1)}}`;
  const codes = Array.from({ length: count }, (_, i) => digits.slice(i * length, (i + 1) * length));
  return new RegExp(`^${oneCode}(?:[\\s-]+${oneCode}){${String(count - 1)}}$`).test(text) ? { kind: 'codes', codes } : undefined;
}

/**
 * The files of the Python program that notp replaces: two lines of hex, a nonce of 16 bytes and the ciphertext
 * with its tag. The cipher is AES-256-GCM, the key is the SHA-256 of the password, the content is the secret in base32. Pure.
 */
import { createDecipheriv, createHash } from 'node:crypto';
import { NotpError } from '../error.ts';
import { readBase32 } from '../otp/code.ts';

const NONCE_BYTES = 16;
const TAG_BYTES = 16;

export interface PythonNotpFile {
  readonly nonce: Uint8Array;
  /** With the tag at its end. */
  readonly ciphertext: Uint8Array;
}

/** Whether `text` looks like such a file, whole or not. */
export function looksLikePythonNotp(text: string): boolean {
  const lines = text.trim().split(/\s*\n\s*/);
  return lines.length === 2 && lines.every((line) => /^[0-9a-f]{16,}$/i.test(line));
}

/** The file in `text`. Throws `refused` with what is wrong. */
export function parsePythonNotp(text: string): PythonNotpFile {
  const lines = text.trim().split(/\s*\n\s*/);
  const [nonce, ciphertext] = lines.map(hexBytes);
  if (lines.length !== 2 || nonce === undefined || ciphertext === undefined) throw bad('it must be two lines of hex digits');
  if (nonce.length !== NONCE_BYTES && ciphertext.length === NONCE_BYTES) throw bad('its two lines are swapped');
  if (nonce.length !== NONCE_BYTES) throw bad('its first line must be 32 hex digits');
  if (ciphertext.length <= TAG_BYTES) throw bad('its second line is cut off');
  return { nonce, ciphertext };
}

/**
 * The secret (raw bytes), or undefined if the password is wrong or the file was changed. Throws `refused` if the content
 * is not a secret.
 */
export function openPythonNotp({ nonce, ciphertext }: PythonNotpFile, password: string): Uint8Array | undefined {
  const plaintext = decrypt(nonce, ciphertext, createHash('sha256').update(password, 'utf8').digest());
  if (plaintext === undefined) return undefined;
  const secret = readBase32(plaintext.toString('latin1'));
  plaintext.fill(0);
  if (secret === undefined) throw bad('its content is not a base32 secret of at least 10 bytes');
  return secret;
}

function decrypt(nonce: Uint8Array, ciphertext: Uint8Array, key: Uint8Array): Buffer | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES));
  key.fill(0);
  try {
    return Buffer.concat([decipher.update(ciphertext.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function hexBytes(line: string): Uint8Array | undefined {
  return /^([0-9a-f]{2})+$/i.test(line) ? new Uint8Array(Buffer.from(line, 'hex')) : undefined;
}

function bad(why: string): NotpError {
  return new NotpError('refused', `this is not a file of the Python notp: ${why}`, 'copy the file again, whole; nothing was imported');
}

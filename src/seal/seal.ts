/** Sealing and opening: XChaCha20-Poly1305 with the file's header as associated data. Pure. */
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { NotpError } from '../error.ts';
import { quoted } from '../otp/escape.ts';
import { isContextName, isUserName } from '../otp/names.ts';
import { isLabel } from '../otp/uri.ts';
import { associatedData, type SealedFile, type SealedHeader } from './file.ts';
import { parsePayload, printPayload, type Payload } from './payload.ts';

/** `key`: 32 bytes, `nonce`: NONCE_BYTES fresh random bytes. Throws `refused` for a name that could not be read back. */
export function seal(header: SealedHeader, payload: Payload, key: Uint8Array, nonce: Uint8Array): SealedFile {
  refuseUnreadable(header, payload);
  const plaintext = printPayload(payload);
  const ciphertext = xchacha20poly1305(key, nonce, associatedData(header)).encrypt(plaintext);
  plaintext.fill(0);
  return { ...header, nonce, ciphertext };
}

/**
 * The payload, or undefined if the key is wrong or any part of the file was changed. Throws `bad_secret_file` if the
 * content is not as notp writes it.
 */
export function open(file: SealedFile, key: Uint8Array): Payload | undefined {
  const plaintext = decrypt(file, key);
  if (plaintext === undefined) return undefined;
  try {
    return parsePayload(plaintext);
  } finally {
    plaintext.fill(0);
  }
}

/** Applies the rules of the reader, so that every sealed file can be opened. */
function refuseUnreadable({ user, context }: SealedHeader, { issuer, account }: Payload): void {
  const wrong = !isUserName(user) ? user : !isContextName(context) ? context : [issuer, account].find((text) => !isLabel(text));
  if (wrong === undefined) return;
  throw new NotpError('refused', `no sealed file can hold the name ${quoted(wrong)}`, 'shorten it, and remove control characters');
}

function decrypt(file: SealedFile, key: Uint8Array): Uint8Array | undefined {
  try {
    return xchacha20poly1305(key, file.nonce, associatedData(file)).decrypt(file.ciphertext);
  } catch {
    return undefined;
  }
}

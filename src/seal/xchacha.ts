/**
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): HChaCha20 makes a key for each nonce, and ChaCha20-Poly1305 of OpenSSL does the rest,
 * some times as fast as JavaScript, above all without a JIT compiler. Pure.
 */
import { hchacha } from '@noble/ciphers/chacha.js';
import { createCipheriv, createDecipheriv } from 'node:crypto';

const CIPHER = 'chacha20-poly1305';
const HCHACHA_NONCE_BYTES = 16;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const SIGMA = words(Buffer.from('expand 32-byte k'));

/** A key of 32 bytes, a nonce of 24, and what the ciphertext is bound to. */
interface Binding {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly associated: Uint8Array;
}

/** The ciphertext, and the tag behind it. */
export function encrypt(plaintext: Uint8Array, { key, nonce, associated }: Binding): Uint8Array {
  const subkey = hchacha20(key, nonce);
  const cipher = createCipheriv(CIPHER, subkey, ivOf(nonce), { authTagLength: TAG_BYTES });
  subkey.fill(0);
  cipher.setAAD(associated, { plaintextLength: plaintext.length });
  return new Uint8Array(Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
}

/** Undefined if the key is wrong or anything was changed. */
export function decrypt(ciphertext: Uint8Array, { key, nonce, associated }: Binding): Uint8Array | undefined {
  if (ciphertext.length < TAG_BYTES) return undefined;
  const subkey = hchacha20(key, nonce);
  const cipher = createDecipheriv(CIPHER, subkey, ivOf(nonce), { authTagLength: TAG_BYTES });
  subkey.fill(0);
  const length = ciphertext.length - TAG_BYTES;
  cipher.setAAD(associated, { plaintextLength: length }).setAuthTag(ciphertext.subarray(length));
  const plaintext = cipher.update(ciphertext.subarray(0, length));
  try {
    cipher.final();
    return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length);
  } catch {
    plaintext.fill(0);
    return undefined;
  }
}

/** HChaCha20 (section 2.2): a key of its own for the first 16 bytes of `nonce`. */
export function hchacha20(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const [subkey, keyWords] = [new Uint32Array(8), words(key)];
  hchacha(SIGMA, keyWords, words(nonce.subarray(0, HCHACHA_NONCE_BYTES)), subkey);
  keyWords.fill(0);
  return new Uint8Array(subkey.buffer);
}

/** Four zeros, and the rest of the nonce. */
function ivOf(nonce: Uint8Array): Uint8Array {
  const iv = new Uint8Array(IV_BYTES);
  iv.set(nonce.subarray(HCHACHA_NONCE_BYTES), 4);
  return iv;
}

/** Little-endian, as the machines are that notp runs on. */
function words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer);
}

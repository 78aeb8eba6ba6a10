/** The key derivations and the cipher that other programs lock their files with, and the most that notp spends on one. Pure. */
import { createDecipheriv, pbkdf2Sync, scryptSync } from 'node:crypto';

const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** A second or two of work. */
const MAX_PBKDF2_ROUNDS = 5_000_000;
/** scrypt takes 128 * N * r bytes. */
const MAX_SCRYPT_BYTES = 256 * 1024 * 1024;

/** PBKDF2 (RFC 8018), undefined where `rounds` is out of bounds. */
export function pbkdf2(password: string, salt: Uint8Array, rounds: number, hash: 'sha1' | 'sha256', bytes = KEY_BYTES): Buffer | undefined {
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > MAX_PBKDF2_ROUNDS) return undefined;
  return pbkdf2Sync(password, salt, rounds, bytes, hash);
}

export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** scrypt (RFC 7914), undefined where the cost is out of bounds. */
export function scrypt(password: string, salt: Uint8Array, { N, r, p }: ScryptCost): Buffer | undefined {
  const isCost = [N, r, p].every((each) => Number.isInteger(each) && each > 0) && p <= 8;
  if (!isCost || 128 * N * r > MAX_SCRYPT_BYTES) return undefined;
  try {
    return scryptSync(password, salt, KEY_BYTES, { N, r, p, maxmem: 2 * MAX_SCRYPT_BYTES });
  } catch {
    return undefined; // N is no power of two
  }
}

/** AES-256-GCM, the tag behind the ciphertext. Undefined where the key is wrong or something was changed. */
export function openGcm(key: Uint8Array | undefined, nonce: Uint8Array, ciphertext: Uint8Array): Buffer | undefined {
  if (key === undefined || ciphertext.length < TAG_BYTES) return undefined;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(ciphertext.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** AES-CBC with the padding of RFC 5652, of 128 or 256 bits as the key has. Undefined where the padding is none. */
export function openCbc(key: Uint8Array | undefined, iv: Uint8Array, ciphertext: Uint8Array): Buffer | undefined {
  if (key === undefined) return undefined;
  try {
    const decipher = createDecipheriv(key.length === KEY_BYTES ? 'aes-256-cbc' : 'aes-128-cbc', key, iv);
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  } catch {
    return undefined;
  }
}

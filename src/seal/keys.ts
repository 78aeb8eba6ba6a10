/** The keys that open a sealed file. Pure; keys are 32 raw bytes, and the caller wipes them. */
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { argon2id } from '@noble/hashes/argon2.js';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import * as crypto from 'node:crypto';
import type { PassphraseSeal } from './file.ts';

export const KEY_BYTES = 32;
/** Argon2id with the second recommended option of RFC 9106 section 4, for little memory: 64 MiB, 3 passes. */
export const DEFAULT_KDF = { m: 65_536, t: 3, p: 1 } as const;

/** A key derivation: passphrase and salt in, KEY_BYTES out. */
export type Argon2id = (passphrase: Uint8Array, cost: PassphraseSeal) => Uint8Array;

/** Node's own Argon2id (Node >= 24.7): the same bytes as noble's, several times as fast. */
export const nodeArgon2id: Argon2id = (passphrase, { m, t, p, salt }) =>
  new Uint8Array(
    crypto.argon2Sync('argon2id', { message: passphrase, nonce: salt, memory: m, passes: t, parallelism: p, tagLength: KEY_BYTES }),
  );

export const nobleArgon2id: Argon2id = (passphrase, { m, t, p, salt }) => argon2id(passphrase, salt, { m, t, p, dkLen: KEY_BYTES });

/** The key of a passphrase seal. The passphrase is normalised to Unicode NFC, so that "é" is the same from every keyboard. */
export function passphraseKey(passphrase: string, seal: PassphraseSeal, derive: Argon2id = defaultArgon2id()): Uint8Array {
  return derive(utf8ToBytes(passphrase.normalize('NFC')), seal);
}

/** The key of a host seal: HKDF-SHA256 (RFC 5869) of the host key, salted with the file's id (hex). */
export function hostSealKey(hostKey: Uint8Array, id: string): Uint8Array {
  return hkdf(sha256, hostKey, hexToBytes(id), utf8ToBytes('notp host seal/1'), KEY_BYTES);
}

/** The id of a host key, which does not reveal the key: 16 hex digits. */
export function hostKeyId(hostKey: Uint8Array): string {
  return bytesToHex(hkdf(sha256, hostKey, undefined, utf8ToBytes('notp host key id/1'), 8));
}

/**
 * A mark of `what` for one user and context: 8 bytes, hex. With the host key equal values can be recognised; without it
 * the mark reveals nothing.
 */
export function keyedMark(
  hostKey: Uint8Array,
  { user, context }: { readonly user: string; readonly context: string },
  what: Uint8Array,
): string {
  const key = hkdf(sha256, hostKey, utf8ToBytes(JSON.stringify([user, context])), utf8ToBytes('notp mark/1'), KEY_BYTES);
  return bytesToHex(hmac(sha256, key, what).subarray(0, 8));
}

/** The key of the audit chain's HMAC. */
export function auditKey(hostKey: Uint8Array): Uint8Array {
  return hkdf(sha256, hostKey, undefined, utf8ToBytes('notp audit chain/1'), KEY_BYTES);
}

/** The key of the MACs of the store's rows; see store/row-seal.ts. */
export function rowKey(hostKey: Uint8Array): Uint8Array {
  return hkdf(sha256, hostKey, undefined, utf8ToBytes('notp store rows/1'), KEY_BYTES);
}

/** HMAC-SHA256 of a row, hex. `key`: from rowKey. */
export function rowMac(key: Uint8Array, row: Uint8Array): string {
  return bytesToHex(hmac(sha256, key, row));
}

function defaultArgon2id(): Argon2id {
  return typeof crypto.argon2Sync === 'function' ? nodeArgon2id : nobleArgon2id;
}

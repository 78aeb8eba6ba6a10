/** The keys that open a sealed file. Pure; keys are 32 raw bytes, and the caller wipes them. */
import { argon2id } from '@noble/hashes/argon2.js';
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
  return derive(new TextEncoder().encode(passphrase.normalize('NFC')), seal);
}

/** The key of a host seal: HKDF-SHA256 (RFC 5869) of the host key, salted with the file's id (hex). */
export function hostSealKey(hostKey: Uint8Array, id: string): Uint8Array {
  return derived(hostKey, 'notp host seal/1', Buffer.from(id, 'hex'));
}

/** The id of a host key, which does not reveal the key: 16 hex digits. */
export function hostKeyId(hostKey: Uint8Array): string {
  return Buffer.from(derived(hostKey, 'notp host key id/1')).toString('hex', 0, 8);
}

/** A mark of `what`: 8 bytes, hex. With the key equal values can be recognised; without it the mark reveals nothing. */
export function keyedMark(key: Uint8Array, what: Uint8Array): string {
  return rowMac(derived(key, 'notp mark/1'), what).slice(0, 16);
}

/** The key of the audit chain's HMAC. */
export function auditKey(hostKey: Uint8Array): Uint8Array {
  return derived(hostKey, 'notp audit chain/1');
}

/** The key of the MACs of the store's rows; see store/row-seal.ts. */
export function rowKey(hostKey: Uint8Array): Uint8Array {
  return derived(hostKey, 'notp store rows/1');
}

/** HMAC-SHA256 of a row, hex. `key`: from rowKey. */
export function rowMac(key: Uint8Array, row: Uint8Array): string {
  return crypto.createHmac('sha256', key).update(row).digest('hex');
}

/** HKDF-SHA256 (RFC 5869) of the host key, KEY_BYTES long. `info`: what the result is for. */
function derived(hostKey: Uint8Array, info: string, salt: Uint8Array = new Uint8Array()): Uint8Array {
  return new Uint8Array(crypto.hkdfSync('sha256', hostKey, salt, info, KEY_BYTES));
}

function defaultArgon2id(): Argon2id {
  return typeof crypto.argon2Sync === 'function' ? nodeArgon2id : nobleArgon2id;
}

/**
 * The keys of an encrypted PSKC (RFC 6030, section 6). A password makes the key by PBKDF2, or it is shared beforehand, in hex:
 *
 *   EncryptionKey  KeyName | DerivedKey / KeyDerivationMethod / PBKDF2-params  Salt / Specified, IterationCount, KeyLength, PRF
 *   MACMethod Algorithm="…hmac-sha1"  MACKey / CipherData / CipherValue
 *
 * A value is AES-CBC, its IV first, and has an HMAC of all that. Pure.
 */
import { createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { pbkdf2 } from './ciphers.ts';
import { base64Of } from './fields.ts';
import { first, textAt, type Element } from './xml.ts';

export interface PskcKeys {
  /** The bytes in `encrypted` (CipherData); undefined where `mac`, in base64, is not that of the value. */
  readonly open: (encrypted: Element, mac: string) => Uint8Array | undefined;
}

const BLOCK_BYTES = 16;
const KEY_BYTES: readonly number[] = [16, 24, 32];

/** The keys that `given` makes; undefined where it cannot be one, or opens no key for the MAC. */
export function pskcKeys(root: Element, given: string): PskcKeys | undefined {
  const parameters = first(root, 'EncryptionKey', 'DerivedKey', 'KeyDerivationMethod', 'PBKDF2-params');
  const key = parameters === undefined ? sharedKey(given) : derivedKey(parameters, given);
  if (key === undefined) return undefined;
  const method = first(root, 'MACMethod');
  const macKey = first(method, 'MACKey');
  // Early drafts have no key for the MAC, and use the one of the values.
  const signing = macKey === undefined ? key : decrypted(key, cipherValue(macKey));
  const hash = /hmac-?(sha\d+)$/i.exec(method?.attributes['Algorithm'] ?? '')?.[1]?.toLowerCase();
  if (signing === undefined || hash === undefined || !HASHES.includes(hash)) return undefined;
  return {
    open: (encrypted, mac) => {
      const value = cipherValue(encrypted);
      const expected = createHmac(hash, signing).update(value).digest();
      const found = base64Of(mac);
      return found.length === expected.length && timingSafeEqual(found, expected) ? decrypted(key, value) : undefined;
    },
  };
}

const HASHES = ['sha1', 'sha224', 'sha256', 'sha384', 'sha512'];

function sharedKey(given: string): Uint8Array | undefined {
  const hex = given.replace(/[\s:]/g, '');
  return /^(?:[0-9a-f]{2})+$/i.test(hex) && KEY_BYTES.includes(hex.length / 2) ? new Uint8Array(Buffer.from(hex, 'hex')) : undefined;
}

function derivedKey(parameters: Element, password: string): Uint8Array | undefined {
  const [rounds, length] = ['IterationCount', 'KeyLength'].map((name) => Number(textAt(parameters, name) || BLOCK_BYTES)) as [
    number,
    number,
  ];
  const prf = first(parameters, 'PRF')?.attributes['Algorithm'] ?? '';
  const hash = /sha-?256$/i.test(prf) ? 'sha256' : 'sha1';
  return KEY_BYTES.includes(length) ? pbkdf2(password, base64Of(textAt(parameters, 'Salt', 'Specified')), rounds, hash, length) : undefined;
}

function cipherValue(encrypted: Element): Uint8Array {
  return base64Of(textAt(encrypted, 'CipherData', 'CipherValue'));
}

/** AES-CBC with the padding of XML Encryption, of which only the last byte is fixed; undefined where that is none. */
function decrypted(key: Uint8Array, value: Uint8Array): Uint8Array | undefined {
  if (value.length < 2 * BLOCK_BYTES || value.length % BLOCK_BYTES !== 0) return undefined;
  const decipher = createDecipheriv(`aes-${String(8 * key.length)}-cbc`, key, value.subarray(0, BLOCK_BYTES)).setAutoPadding(false);
  const plain = Buffer.concat([decipher.update(value.subarray(BLOCK_BYTES)), decipher.final()]);
  const padding = plain.readUInt8(plain.length - 1);
  return padding >= 1 && padding <= BLOCK_BYTES ? new Uint8Array(plain.subarray(0, -padding)) : undefined;
}

/**
 * Locked exports of Ente Auth (its docs, auth/migration/export):
 *
 *   { "version": 1, "kdfParams": { "memLimit" (bytes), "opsLimit", "salt" }, "encryptedData", "encryptionNonce" }
 *
 * Argon2id of the password is the key of one message of libsodium's crypto_secretstream_xchacha20poly1305, whose content is otpauth URIs,
 * one a line; a plain export is such a list itself. Pure.
 */
import { poly1305 } from '@noble/ciphers/_poly1305.js';
import { createDecipheriv, timingSafeEqual } from 'node:crypto';
import { passphraseKey } from '../seal/keys.ts';
import { hchacha20 } from '../seal/xchacha.ts';
import { base64Of, fieldsOf, numberOf } from './fields.ts';
import type { Format } from './format.ts';
import { urisIn } from './uris.ts';

/** Ente asks for 1 GiB and 4 passes on a large machine, and for less on others. */
const MAX_MEMORY_KIB = 1024 * 1024;
const MAX_PASSES = 16;
const [HEADER_BYTES, BLOCK_BYTES, TAG_BYTES] = [24, 64, 16];

export const ENTE: Format = {
  name: 'Ente Auth',
  read: ({ json }) => {
    const { kdfParams, encryptedData, encryptionNonce } = fieldsOf(json);
    const { memLimit, opsLimit, salt } = fieldsOf(kdfParams);
    const [m, t] = [Math.floor((numberOf(memLimit) ?? 0) / 1024), numberOf(opsLimit) ?? 0];
    if (typeof encryptedData !== 'string' || typeof encryptionNonce !== 'string') return undefined;
    if (m < 8 || m > MAX_MEMORY_KIB || t < 1 || t > MAX_PASSES || base64Of(salt).length !== 16)
      return { kind: 'unreadable', hint: 'export the codes again from Ente Auth, as plain text' };
    return {
      kind: 'locked',
      open: (password) => {
        const key = passphraseKey(password, { kind: 'passphrase', m, t, p: 1, salt: base64Of(salt) });
        const text = openStream(key, base64Of(encryptionNonce), base64Of(encryptedData));
        return text && urisIn(text.toString());
      },
    };
  },
};

/** The one message of a stream, or undefined where the key is wrong or something was changed. `header`: 24 bytes. */
function openStream(key: Uint8Array, header: Uint8Array, message: Uint8Array): Buffer | undefined {
  if (header.length !== HEADER_BYTES || message.length < 1 + TAG_BYTES) return undefined;
  const subkey = hchacha20(key, header);
  const stream = (counter: number, bytes: Uint8Array): Buffer => chacha20(subkey, header.subarray(16), counter, bytes);
  const [kind, ciphertext, tag] = [message.subarray(0, 1), message.subarray(1, -TAG_BYTES), message.subarray(-TAG_BYTES)];
  // Of the first block only one byte is sent: the kind of the message, encrypted.
  const block = stream(1, Buffer.alloc(BLOCK_BYTES));
  block.set(kind);
  const padding = new Uint8Array((TAG_BYTES - BLOCK_BYTES + ciphertext.length) & 15);
  const lengths = Buffer.alloc(16);
  lengths.writeBigUInt64LE(BigInt(BLOCK_BYTES + ciphertext.length), 8);
  const expected = poly1305(Buffer.concat([block, ciphertext, padding, lengths]), stream(0, Buffer.alloc(32)));
  return timingSafeEqual(expected, tag) ? stream(2, ciphertext) : undefined;
}

/** ChaCha20 (RFC 8439) from the block `counter`, with the nonce of a stream's first message. */
function chacha20(key: Uint8Array, nonce: Uint8Array, counter: number, bytes: Uint8Array): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeUInt32LE(counter);
  iv.writeUInt32LE(1, 4);
  iv.set(nonce, 8);
  return createDecipheriv('chacha20', key, iv).update(bytes);
}

/**
 * Backups that andOTP locked before its version 0.6.3: nonce (12 bytes), and AES-256-GCM with the SHA-256 of the password. Nothing in
 * them tells what they are, so whatever looks random and is of no other format is taken for one. Pure.
 */
import { createHash } from 'node:crypto';
import { entriesInAndotp } from './andotp.ts';
import { openGcm } from './ciphers.ts';
import { jsonIn, type Entry, type Format } from './format.ts';

const DATA = 12;
/** One account takes more. */
const MIN_BYTES = 80;
/** Random bytes have 255, give or take 23. Text, pictures and programs have thousands. */
const MAX_CHI_SQUARE = 400;

export const OLD_ANDOTP: Format = {
  name: 'old andOTP',
  read: ({ bytes, text }) =>
    text === '' && bytes.length >= MIN_BYTES && isRandom(bytes)
      ? { kind: 'locked', open: (password) => opened(bytes, password) }
      : undefined,
};

/** Whether each value is about as frequent as any other. */
function isRandom(bytes: Uint8Array): boolean {
  const counts = new Map<number, number>();
  for (const byte of bytes) counts.set(byte, (counts.get(byte) ?? 0) + 1);
  const squares = counts.values().reduce((sum, count) => sum + count ** 2, 0);
  return (squares * 256) / bytes.length - bytes.length < MAX_CHI_SQUARE;
}

function opened(bytes: Uint8Array, password: string): readonly Entry[] | undefined {
  const key = createHash('sha256').update(password).digest();
  const text = openGcm(key, bytes.subarray(0, DATA), bytes.subarray(DATA));
  return text && entriesInAndotp(jsonIn(text.toString()));
}

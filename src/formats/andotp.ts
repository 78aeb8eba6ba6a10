/**
 * Backups of andOTP, plain or locked: `[{ "secret", "issuer", "label", "type", "algorithm", "digits", "period", "counter" }]`.
 *
 * Locked, it is rounds (32 bits, big-endian), salt (12 bytes), nonce (12 bytes) and AES-256-GCM with PBKDF2-HMAC-SHA1 of the password. It
 * has no name in it, but andOTP draws the rounds from a narrow range. Before version 0.6.3: andotp-old.ts. Pure.
 */
import { openGcm, pbkdf2 } from './ciphers.ts';
import { entryOf } from './entry.ts';
import { fieldsOf, listOf, textOf } from './fields.ts';
import { jsonIn, type Entry, type Format } from './format.ts';

const [SALT, NONCE, DATA] = [4, 16, 28];
const [MIN_ROUNDS, MAX_ROUNDS] = [140_000, 160_000];

export const ANDOTP: Format = {
  name: 'andOTP',
  read: ({ json, bytes }) => {
    const [first] = listOf(json).map(fieldsOf);
    if (first !== undefined && 'secret' in first && 'label' in first) return { kind: 'entries', entries: entriesInAndotp(json) };
    const rounds = bytes.length > DATA ? Buffer.from(bytes).readUInt32BE() : 0;
    return rounds >= MIN_ROUNDS && rounds <= MAX_ROUNDS
      ? { kind: 'locked', open: (password) => opened(bytes, rounds, password) }
      : undefined;
  },
};

function opened(bytes: Uint8Array, rounds: number, password: string): readonly Entry[] | undefined {
  const key = pbkdf2(password, bytes.subarray(SALT, NONCE), rounds, 'sha1');
  const text = openGcm(key, bytes.subarray(NONCE, DATA), bytes.subarray(DATA));
  return text && entriesInAndotp(jsonIn(text.toString()));
}

export function entriesInAndotp(json: unknown): readonly Entry[] {
  return listOf(json).map((each, i) => {
    const { secret, issuer, label, type = 'TOTP', algorithm, digits, period, counter } = fieldsOf(each);
    return entryOf({
      ...{ place: `entry ${String(i + 1)}`, type, issuer: textOf(issuer), account: textOf(label) },
      ...{ secret: textOf(secret), algorithm },
      ...{ digits, period, counter },
    });
  });
}

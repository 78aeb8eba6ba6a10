/**
 * Backups of Stratum, formerly Authenticator Pro, plain or locked (its doc/BACKUP_FORMAT.md):
 *
 *   { "Authenticators": [{ "Type", "Issuer", "Username", "Secret", "Algorithm", "Digits", "Period", "Counter" }] }
 *
 * Locked, it is a header, the salt, the nonce and the ciphertext:
 *
 *   AUTHENTICATORPRO  16  12  AES-256-GCM, Argon2id (64 MiB, 3 passes, 4 lanes)
 *   AuthenticatorPro  20  16  AES-256-CBC, PBKDF2-HMAC-SHA1; before 2023
 *
 * Pure.
 */
import { passphraseKey } from '../seal/keys.ts';
import { openCbc, openGcm, pbkdf2 } from './ciphers.ts';
import { entryOf, wholeNumber } from './entry.ts';
import { fieldsOf, listOf, textOf } from './fields.ts';
import { jsonIn, type Entry, type Format } from './format.ts';

/** By their numbers in the file. */
const TYPES = ['', 'hotp', 'totp', 'mOTP', 'Steam', 'Yandex'];
const ALGORITHMS = ['SHA1', 'SHA256', 'SHA512'];
const HEADER_BYTES = 16;
const LEGACY_ROUNDS = 64_000;

export const STRATUM: Format = {
  name: 'Stratum',
  read: ({ json, bytes }) => {
    if (Array.isArray(fieldsOf(json)['Authenticators'])) return { kind: 'entries', entries: entriesIn(json) };
    const header = Buffer.from(bytes.subarray(0, HEADER_BYTES)).toString('latin1');
    const open = { AUTHENTICATORPRO: openPresent, AuthenticatorPro: openLegacy }[header];
    if (open === undefined) return undefined;
    return {
      kind: 'locked',
      open: (password) => {
        // A wrong password may leave a padding that looks right.
        const opened = jsonIn(open(bytes.subarray(HEADER_BYTES), password)?.toString() ?? '');
        return opened === undefined ? undefined : entriesIn(opened);
      },
    };
  },
};

function openPresent(body: Uint8Array, password: string): Buffer | undefined {
  const salt = body.subarray(0, 16);
  const key = passphraseKey(password, { kind: 'passphrase', m: 65_536, t: 3, p: 4, salt });
  return openGcm(key, body.subarray(16, 28), body.subarray(28));
}

function openLegacy(body: Uint8Array, password: string): Buffer | undefined {
  return openCbc(pbkdf2(password, body.subarray(0, 20), LEGACY_ROUNDS, 'sha1'), body.subarray(20, 36), body.subarray(36));
}

function entriesIn(json: unknown): readonly Entry[] {
  return listOf(fieldsOf(json)['Authenticators']).map((each, i) => {
    const { Type, Issuer, Username, Secret, Algorithm, Digits, Period, Counter } = fieldsOf(each);
    return entryOf({
      ...{ place: `entry ${String(i + 1)}`, type: namedBy(TYPES, Type) },
      ...{ issuer: textOf(Issuer), account: textOf(Username), secret: textOf(Secret) },
      algorithm: namedBy(ALGORITHMS, Algorithm),
      ...{ digits: Digits, period: Period, counter: Counter },
    });
  });
}

/** The name of a number, or what stands in its place; the first where there is nothing. */
function namedBy(names: readonly string[], value: unknown): unknown {
  return names[wholeNumber(value) ?? 0] ?? value;
}

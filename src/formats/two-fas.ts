/**
 * Backups of 2FAS, plain or locked:
 *
 *   { "schemaVersion", "services": [{ "name", "secret", "otp": { "issuer", "account", "label", "tokenType", "algorithm", "digits", "period",
 *     "counter" } }], "servicesEncrypted": "data:salt:nonce" }
 *
 * Locked, it is AES-256-GCM with PBKDF2-HMAC-SHA256 of the password, each part in base64. Pure.
 */
import { openGcm, pbkdf2 } from './ciphers.ts';
import { entryOf } from './entry.ts';
import { base64Of, fieldsOf, listOf, textOf } from './fields.ts';
import { jsonIn, type Entry, type Format } from './format.ts';

const ROUNDS = 10_000;

export const TWO_FAS: Format = {
  name: '2FAS',
  read: ({ json }) => {
    const { schemaVersion, services, servicesEncrypted } = fieldsOf(json);
    if (schemaVersion === undefined || !Array.isArray(services)) return undefined;
    if (typeof servicesEncrypted === 'string') return { kind: 'locked', open: (password) => opened(servicesEncrypted, password) };
    return { kind: 'entries', entries: entriesIn(services) };
  },
};

function opened(written: string, password: string): readonly Entry[] | undefined {
  const [data, salt, nonce] = written.split(':').map(base64Of);
  if (data === undefined || salt === undefined || nonce === undefined) return undefined;
  const text = openGcm(pbkdf2(password, salt, ROUNDS, 'sha256'), nonce, data);
  return text && entriesIn(jsonIn(text.toString()));
}

function entriesIn(services: unknown): readonly Entry[] {
  return listOf(services).map((each, i) => {
    const { name, secret, otp } = fieldsOf(each);
    const { issuer, account, label, tokenType = 'TOTP', algorithm, digits, period, counter } = fieldsOf(otp);
    return entryOf({
      ...{ place: `entry ${String(i + 1)}`, type: tokenType, secret: textOf(secret), algorithm },
      ...{ issuer: textOf(issuer) || textOf(name), account: textOf(account) || textOf(label) },
      ...{ digits, period, counter },
    });
  });
}

/**
 * Vaults of Aegis, plain or locked (its docs/vault.md):
 *
 *   { "version": 1, "header": { "slots": null | [slot], "params": null | { "nonce", "tag" } }, "db": db | base64 }
 *   db   { "entries": [{ "type", "name", "issuer", "info": { "secret", "algo", "digits", "period" | "counter" } }] }
 *   slot { "type": 1, "n", "r", "p", "salt", "key", "key_params": { "nonce", "tag" } }: scrypt of the password opens the master key
 *
 * AES-256-GCM, all in hex but the database. Pure.
 */
import { openGcm, scrypt } from './ciphers.ts';
import { entryOf } from './entry.ts';
import { base64Of, fieldsOf, hexOf, listOf, numberOf, textOf, type Fields } from './fields.ts';
import { jsonIn, type Entry, type Format } from './format.ts';

const PASSWORD_SLOT = 1;

export const AEGIS: Format = {
  name: 'Aegis',
  read: ({ json }) => {
    const { header, db } = fieldsOf(json);
    const { slots, params } = fieldsOf(header);
    if (typeof db === 'string' && Array.isArray(slots))
      return { kind: 'locked', open: (password) => opened(listOf(slots).map(fieldsOf), fieldsOf(params), base64Of(db), password) };
    return header !== undefined && Array.isArray(fieldsOf(db)['entries']) ? { kind: 'entries', entries: entriesIn(db) } : undefined;
  },
};

function opened(slots: readonly Fields[], params: Fields, database: Uint8Array, password: string): readonly Entry[] | undefined {
  for (const slot of slots.filter(({ type }) => type === PASSWORD_SLOT)) {
    const cost = { N: numberOf(slot['n']) ?? 0, r: numberOf(slot['r']) ?? 0, p: numberOf(slot['p']) ?? 0 };
    const key = sealed(scrypt(password, hexOf(slot['salt']), cost), fieldsOf(slot['key_params']), hexOf(slot['key']));
    const text = key && sealed(key, params, database);
    if (text !== undefined) return entriesIn(jsonIn(text.toString()));
  }
  return undefined;
}

function sealed(key: Uint8Array | undefined, { nonce, tag }: Fields, ciphertext: Uint8Array): Buffer | undefined {
  return openGcm(key, hexOf(nonce), Buffer.concat([ciphertext, hexOf(tag)]));
}

function entriesIn(db: unknown): readonly Entry[] {
  return listOf(fieldsOf(db)['entries']).map((each, i) => {
    const { type, name, issuer, info } = fieldsOf(each);
    const { secret, algo, digits, period, counter } = fieldsOf(info);
    return entryOf({
      ...{ place: `entry ${String(i + 1)}`, type, issuer: textOf(issuer), account: textOf(name) },
      ...{ secret: textOf(secret), algorithm: algo },
      ...{ digits, period, counter },
    });
  });
}

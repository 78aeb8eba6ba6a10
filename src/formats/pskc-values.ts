/**
 * The values of one key of a PSKC (RFC 6030, section 4.2), by their names: Secret, Counter, TimeInterval and others, each text that stands
 * plain, or bytes that were encrypted and whose MAC was checked. Pure.
 */
import { shown } from './entry.ts';
import type { PskcKeys } from './pskc-key.ts';
import type { NoSeed } from './seeds.ts';
import { all, first, textAt, type Element } from './xml.ts';

export type Values = ReadonlyMap<string, string | Uint8Array>;

export const CHANGED = 'its MAC is wrong: it was changed, or the key is another';
/** What is encrypted in every file that is locked. */
const ALWAYS = 'Secret';
const KNOWN = ['Secret', 'Counter', 'Time', 'TimeInterval', 'TimeDrift'];

/** The names of the values that are encrypted in this file; none where it is not locked. */
export function encryptedIn(root: Element): ReadonlySet<string> {
  const encrypted = all(root, 'KeyPackage', 'Key', 'Data').flatMap(({ children }) =>
    children.filter((each) => first(each, 'EncryptedValue') !== undefined),
  );
  const isLocked = encrypted.length > 0 || ['EncryptionKey', 'MACMethod'].some((name) => first(root, name) !== undefined);
  return new Set([...(isLocked ? [ALWAYS] : []), ...encrypted.map(({ name }) => name)]);
}

/** All values of `key`, or why they cannot be used. `needed`: those that its kind of code needs; `encrypted`: as encryptedIn(). */
export function valuesIn(
  key: Element | undefined,
  needed: readonly string[],
  encrypted: ReadonlySet<string>,
  keys: PskcKeys | undefined,
): Values | NoSeed {
  const values = new Map<string, string | Uint8Array>();
  for (const each of all(key, 'Data').flatMap(({ children }) => children)) {
    const { name } = each;
    const sealed = first(each, 'EncryptedValue');
    const count = all(each, 'EncryptedValue').length + all(each, 'PlainValue').length;
    // Beside those that are known there may be extensions, which have no value.
    if (values.has(name) || count > 1 || (count === 0 && KNOWN.includes(name))) return { why: `its ${shown(name)} must be one value` };
    const value = sealed === undefined ? textAt(each, 'PlainValue') : keys?.open(sealed, textAt(each, 'ValueMAC'));
    if (value === undefined) return { why: CHANGED };
    values.set(name, value);
  }
  // Otherwise whoever changes a file could put a value of their own in the place of one with a MAC.
  const open = needed.find((name) => encrypted.has(name) && !(values.get(name) instanceof Uint8Array));
  return open === undefined ? values : { why: `its ${open} is not encrypted, but the file is` };
}

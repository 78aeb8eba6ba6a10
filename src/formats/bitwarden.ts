/**
 * Exports of Bitwarden, whose authenticator writes the same: JSON `{ "encrypted", "items": [{ "name", "login": { "username", "totp" } }] }`, and
 * CSV with the columns `name`, `login_username` and `login_totp`. "totp" is an otpauth URI, base32, or `steam://` and a secret. Pure.
 */
import { rowsOf } from './csv.ts';
import { entryOf } from './entry.ts';
import { fieldsOf, listOf, textOf } from './fields.ts';
import { entriesRead, type Entry, type Format } from './format.ts';
import { entriesOfUri } from './uris.ts';

export const BITWARDEN: Format = {
  name: 'Bitwarden',
  read: ({ json, text }) => {
    const { encrypted, items } = fieldsOf(json);
    if (encrypted === true)
      return {
        kind: 'unreadable',
        hint: 'export the vault again with the file format .json, not .json (encrypted), and delete that file later',
      };
    if (encrypted === false && Array.isArray(items))
      return entriesRead(
        listOf(items).flatMap((each, i) => {
          const { name, login } = fieldsOf(each);
          const { username, totp } = fieldsOf(login);
          return entriesOf(`entry ${String(i + 1)}`, textOf(name), textOf(username), textOf(totp));
        }),
      );
    if (!/^[^\n]*\blogin_totp\b/.test(text)) return undefined;
    return entriesRead(
      rowsOf(text).flatMap(({ line, row }) =>
        entriesOf(`line ${String(line)}`, row['name'] ?? '', row['login_username'] ?? '', row['login_totp'] ?? ''),
      ),
    );
  },
};

function entriesOf(place: string, issuer: string, account: string, totp: string): readonly Entry[] {
  if (totp === '') return [];
  if (/^otpauth:/i.test(totp)) return entriesOfUri(totp, place);
  const type = /^steam:/i.test(totp) ? 'Steam' : 'totp';
  return [entryOf({ place, type, issuer, account, secret: totp })];
}

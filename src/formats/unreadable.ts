/** Formats that notp knows and does not read: each with how to get at its secrets. Pure. */
import { fieldsOf } from './fields.ts';
import type { Format, Input } from './format.ts';

/** Where it begins with one of `starts`, each byte written as a character. */
function begins(...starts: readonly string[]): (input: Input) => boolean {
  return ({ bytes }) => starts.some((start) => Buffer.from(bytes.subarray(0, start.length)).toString('latin1') === start);
}

/** The packet of a session key, in the lengths and versions that gpg writes. */
function isOpenPgp({ bytes }: Input): boolean {
  return bytes[0] === 0x85 && (bytes[1] === 1 || bytes[1] === 2) && bytes[3] === 3;
}

function unreadable(name: string, isOne: (input: Input) => boolean, hint: string): Format {
  return { name, read: (input) => (isOne(input) ? { kind: 'unreadable', hint } : undefined) };
}

/** Some of the kinds that zbarimg(1) reads. A key in base32 may begin with RIFF. */
function isPicture(input: Input): boolean {
  const isDrawing = /^(?:<\?xml[^>]{0,99}>\s{0,9})?<svg\b/.test(input.text);
  return isDrawing || begins('\x89PNG', '\xff\xd8\xff', 'GIF8', '%PDF-')(input) || (input.text === '' && begins('RIFF')(input));
}

export const UNREADABLE: readonly Format[] = [
  unreadable('a picture', isPicture, 'zbarimg -q --raw FILE | notp import NAME; it is in the package zbar-tools'),
  unreadable(
    'a database (SQLite)',
    begins('SQLite format 3\0'),
    'export from the app that it belongs to: to a file, or as QR codes ("Transfer accounts" in Google Authenticator)',
  ),
  unreadable(
    'a zip archive',
    begins('PK\x03\x04'),
    'unzip -p FILE | notp import NAME, for Proton Pass and .1pux of 1Password; with a password: bsdtar -xOf FILE | notp import NAME',
  ),
  unreadable('a gzip archive', begins('\x1f\x8b\x08'), 'zcat FILE | notp import NAME'),
  unreadable('a compressed file', begins('\xfd7zXZ\0', 'BZh91AY&SY', '\x28\xb5\x2f\xfd'), 'bsdcat FILE | notp import NAME'),
  unreadable('a KeePass database', begins('\x03\xd9\xa2\x9a'), 'keepassxc-cli export FILE | notp import NAME'),
  unreadable('a backup of FreeOTP', begins('\xac\xed\0\x05'), 'restore it in FreeOTP+, and export from there as JSON'),
  unreadable(
    'a file that OpenPGP encrypts',
    (input) => isOpenPgp(input) || begins('-----BEGIN PGP MESSAGE-----', '\x84\x5e\x03', '\x8c\x0d\x04')(input),
    'gpg --decrypt FILE | notp import NAME; for pass: pass show ENTRY | notp import NAME',
  ),
  unreadable(
    'a file that age encrypts',
    begins('age-encryption.org/v1', '-----BEGIN AGE ENCRYPTED FILE-----'),
    'age --decrypt FILE | notp import NAME; for gopass: gopass show ENTRY | notp import NAME',
  ),
  unreadable(
    'a locked export of Proton Authenticator',
    ({ json }) => ['version', 'salt', 'content'].every((name) => name in fieldsOf(json)),
    'export again from Proton Authenticator, without a password',
  ),
];

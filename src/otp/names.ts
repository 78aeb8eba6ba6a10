/** Names of contexts, of users, and of what a phone shows: one rule for writing and for reading. */
import { createHash } from 'node:crypto';
import { NotpError } from '../error.ts';
import { hasControls, quoted } from './escape.ts';

export const MAX_CONTEXT_CHARACTERS = 64;
export const MAX_LABEL_CHARACTERS = 256;
/** Fewer than isLabel() allows, since a long name makes the QR code large. */
const MAX_ACCOUNT_CHARACTERS = 128;
const CONTEXT = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const MAX_USER_BYTES = 256;
/**
 * Characters that break a line of passwd(5) or of a log: controls, line separators, the colon. U+FFFD replaces bytes that
 * are not UTF-8.
 */
// oxlint-disable-next-line no-control-regex -- it searches for control characters
const NO_USER = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffd:]/;
/** Encoded in a path: the slash, a dot at the start, and the percent sign of the encoding itself. */
const NO_PATH = /^\.|[/%]/g;
/** The longest encoded name, so that a prefix and a suffix still fit into a file name of 255 bytes. */
const MAX_PATH_NAME_BYTES = 200;

/** The hint after a secret was given on a command line. */
export const SECRET_EXPOSED =
  'give only a name for the secret, and type the secret or pipe it to stdin; then delete it from the history of your shell';

export function isContextName(name: string): boolean {
  return CONTEXT.test(name);
}

/**
 * Whether the passwd database may have this name: at most 256 bytes of UTF-8, including names of directory services
 * (`CORP\sam`, `jo doe`, `20231234`).
 */
export function isUserName(name: string): boolean {
  return name !== '' && name.isWellFormed() && !NO_USER.test(name) && Buffer.byteLength(name) <= MAX_USER_BYTES;
}

/** Whether `text` may be an issuer or an account: short, and without control characters. */
export function isLabel(text: string): boolean {
  return !hasControls(text) && Array.from(text).length <= MAX_LABEL_CHARACTERS;
}

/**
 * The user name as one part of a path, different for each name: `/`, `%` and a dot at the start become `%XX`. A long
 * name is cut, and ends in `%~` and 32 hex digits of its SHA-256.
 */
export function userInPath(name: string): string {
  const encoded = name.replace(NO_PATH, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  const bytes = Buffer.from(encoded);
  if (bytes.length <= MAX_PATH_NAME_BYTES) return encoded;
  const ending = `%~${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  return wholeCharacters(bytes.subarray(0, MAX_PATH_NAME_BYTES - ending.length)) + ending;
}

/** The text in `bytes` without a partial character at the end. */
function wholeCharacters(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/\ufffd$/, '');
}

/** The account name that a phone shows, cut if a long user name makes it too long. */
export function cutAccount(account: string): string {
  const characters = Array.from(account);
  return characters.length <= MAX_ACCOUNT_CHARACTERS ? account : `${characters.slice(0, MAX_ACCOUNT_CHARACTERS - 1).join('')}…`;
}

/** Gives `name` back. Throws `usage` if it is not a context name. */
export function contextName(name: string): string {
  if (isContextName(name)) return name;
  if (/^otpauth/i.test(name))
    throw new NotpError('usage', 'a secret was given on the command line, where other users can read it', SECRET_EXPOSED);
  throw new NotpError(
    'usage',
    `${quoted(name)} is not a context name`,
    'use at most 64 letters, digits, "_", "." and "-", not starting with "." or "-"',
  );
}

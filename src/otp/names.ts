/** Names of contexts and of users: one rule for what is written and for what is read. */
import { createHash } from 'node:crypto';
import { NotpError } from '../error.ts';
import { quoted } from './escape.ts';

export const MAX_CONTEXT_CHARACTERS = 64;
/** Fewer than isLabel() takes: the QR code grows with them. */
const MAX_ACCOUNT_CHARACTERS = 128;
const CONTEXT = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const MAX_USER_BYTES = 256;
/** What cannot stand in a line of passwd(5) or of a log: controls, line separators, the colon. U+FFFD stands for bytes that are no UTF-8. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const NO_USER = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffd:]/;
/** In one part of a path: the slash, a dot at its start, and the sign of the encoding itself. */
const NO_PATH = /^\.|[/%]/g;
/** Of an encoded name: what is written before or after it still fits into a name of 255 bytes. */
const MAX_PATH_NAME_BYTES = 200;

/** What to do after a secret stood on a command line. */
export const SECRET_TOLD = 'give it on stdin or when asked, after a name for it; it is in the history of your shell now: delete it there';

export function isContextName(name: string): boolean {
  return CONTEXT.test(name);
}

/** A name that the passwd database may have: at most 256 bytes of UTF-8, whatever a directory service makes of it (`CORP\sam`, `jo doe`, `20231234`). */
export function isUserName(name: string): boolean {
  return name !== '' && name.isWellFormed() && !NO_USER.test(name) && Buffer.byteLength(name) <= MAX_USER_BYTES;
}

/**
 * The user name `name` as one part of a path, different for each name: `/`, `%` and a dot at the start become `%XX`. A long
 * one is cut, and ends in `%~` and 32 hex digits of its SHA-256.
 */
export function userInPath(name: string): string {
  const encoded = name.replace(NO_PATH, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  const bytes = Buffer.from(encoded);
  if (bytes.length <= MAX_PATH_NAME_BYTES) return encoded;
  const ending = `%~${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  return wholeCharacters(bytes.subarray(0, MAX_PATH_NAME_BYTES - ending.length)) + ending;
}

/** The text in `bytes` without the part of a character at its end. */
function wholeCharacters(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/\ufffd$/, '');
}

/** What a phone shows as the account where a user's name is in it: of a long one the beginning. */
export function cutAccount(account: string): string {
  const characters = Array.from(account);
  return characters.length <= MAX_ACCOUNT_CHARACTERS ? account : `${characters.slice(0, MAX_ACCOUNT_CHARACTERS - 1).join('')}…`;
}

/** Gives `name` back, or throws `usage` where it is no context name. */
export function contextName(name: string): string {
  if (isContextName(name)) return name;
  if (/^otpauth/i.test(name)) throw new NotpError('usage', 'a secret was given on the command line, where others can read it', SECRET_TOLD);
  throw new NotpError(
    'usage',
    `${quoted(name)} is no context name`,
    'letters, digits, "_", "." and "-", at most 64, not starting with "." or "-"',
  );
}

/** Names that become part of a path or a log line: parsed once, strictly. */
import { NotpError } from '../error.ts';
import { quoted } from './escape.ts';

export const MAX_CONTEXT_CHARACTERS = 64;
const CONTEXT = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,254}\$?$/;

/** What to do after a secret stood on a command line. */
export const SECRET_TOLD = 'give it on stdin or when asked, after a name for it; it is in the history of your shell now: delete it there';

export function isContextName(name: string): boolean {
  return CONTEXT.test(name);
}

/** A name that the passwd database may be asked for (passwd(5), useradd(8), and the `user@domain` of directory services). */
export function isUserName(name: string): boolean {
  return USER.test(name);
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

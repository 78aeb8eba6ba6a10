/** Reads logins of other modules from files. A file in a user's home is read as that user, and never through a symlink. */
import { realpathSync } from 'node:fs';
import * as path from 'node:path';
import { isatty } from 'node:tty';
import { NotpError } from '../../error.ts';
import { escapeControls, shellCommand } from '../../otp/escape.ts';
import { MAX_GOOGLE_AUTHENTICATOR_BYTES } from '../../otp/pam-google-authenticator.ts';
import { MAX_TOKEN_FILE_BYTES } from '../../formats/tokens.ts';
import { MAX_PAM_OATH_BYTES } from '../../otp/pam-oath.ts';
import type { Waiting } from '../../system/bytes.ts';
import { sayLine } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { readTrusted } from '../../system/trusted.ts';
import { isRoot, type User } from '../../system/users.ts';
import { fileText, stdinText, textOf } from './source.ts';

export interface LoginText {
  readonly text: string;
  /** The file it was read from; undefined for stdin. */
  readonly file: string | undefined;
}

/** The default file name of the google-authenticator tool. */
const USUAL_NAME = '.google_authenticator';
const STDIN = 0;

/**
 * The google-authenticator file: `file` (`-`: stdin), else stdin unless it is a terminal or the user was named (then it may be the list
 * that a loop reads), else the file in the home of `user`. Throws `usage`, `refused`, `failed` or `bad_secret_file`.
 */
export async function googleAuthenticatorText(
  file: string | undefined,
  { user, isNamed }: { readonly user: User; readonly isNamed: boolean },
  waiting: Waiting,
): Promise<LoginText> {
  const usual = path.join(user.home, USUAL_NAME);
  if (file === undefined && (isNamed || isatty(STDIN))) return { text: await readAsUser(usual, user), file: usual };
  if (file !== undefined && file !== '-') {
    const named = path.resolve(file);
    const own = inHome(user.home, named);
    return { text: own === undefined ? readAsCaller(named, MAX_GOOGLE_AUTHENTICATOR_BYTES) : await readAsUser(own, user), file: named };
  }
  try {
    return { text: await stdinText(waiting, MAX_GOOGLE_AUTHENTICATOR_BYTES), file: undefined };
  } catch (error) {
    throw file === undefined && error instanceof NotpError
      ? new NotpError(error.code, error.message, shellCommand`name the file: --file ${usual}`)
      : error;
  }
}

/** The users file of pam_oath: `file` (`-`: stdin), else stdin unless it is a terminal. Throws `usage`. */
export async function pamOathText(file: string | undefined, waiting: Waiting): Promise<LoginText> {
  const missing = [
    '--file is missing: notp needs the users file',
    'give --file with the file that usersfile= names in /etc/pam.d',
  ] as const;
  return await rootsText(file, waiting, MAX_PAM_OATH_BYTES, missing);
}

/** A file of hardware tokens, in the same way. */
export async function tokenFileText(file: string | undefined, waiting: Waiting): Promise<LoginText> {
  const missing = [
    '--file is missing: notp needs the file of the tokens',
    'give --file with the file that the maker of the tokens has delivered',
  ] as const;
  return await rootsText(file, waiting, MAX_TOKEN_FILE_BYTES, missing);
}

async function rootsText(
  file: string | undefined,
  waiting: Waiting,
  maxBytes: number,
  [missing, hint]: readonly [missing: string, hint: string],
): Promise<LoginText> {
  if (file === undefined && isatty(STDIN)) throw new NotpError('usage', missing, hint);
  try {
    if (file === undefined || file === '-') return { text: await stdinText(waiting, maxBytes), file: undefined };
    const named = path.resolve(file);
    return { text: readAsCaller(named, maxBytes), file: named };
  } catch (error) {
    if (!(error instanceof NotpError)) throw error;
    throw new NotpError(
      'usage',
      error.message,
      error.hint === 'nothing was imported' ? 'nothing was imported; give another --file' : error.hint,
    );
  }
}

/**
 * The path by which the user reads `file`; undefined if it is not in their home. A home may have two paths, as where /home is a symlink, so
 * folders are compared behind all symlinks too.
 */
function inHome(home: string, file: string): string | undefined {
  if (isBelow(path.resolve(home), file)) return file;
  const resolved = path.join(realPathOf(path.dirname(file)), path.basename(file));
  return isBelow(realPathOf(home), resolved) ? resolved : undefined;
}

function isBelow(folder: string, file: string): boolean {
  return file.startsWith(`${folder}/`);
}

async function readAsUser(file: string, user: User): Promise<string> {
  const bytes = await asUser(user, () => readOwnFile(file, user));
  if (bytes !== undefined) return textOf(file, bytes, MAX_GOOGLE_AUTHENTICATOR_BYTES);
  throw new NotpError('usage', `there is no ${file}`, 'give --file with the file that secret= names in /etc/pam.d, or pipe it to stdin');
}

function readOwnFile(file: string, user: User): Uint8Array | undefined {
  try {
    return readTrusted(file, { owner: user.uid, maxBytes: MAX_GOOGLE_AUTHENTICATOR_BYTES });
  } catch (error) {
    if (!(error instanceof NotpError)) throw error;
    throw new NotpError(
      'refused',
      error.message,
      `it must be a regular file of ${user.name} that nobody else can read; nothing was imported`,
    );
  }
}

/** Reads the administrator's own choice, and for root prints the real path. */
function readAsCaller(file: string, maxBytes: number): string {
  const text = fileText(file, maxBytes);
  if (isRoot()) sayLine(`Read as root: ${escapeControls(realPathOf(file))}`);
  return text;
}

/** The path behind all symlinks; a pipe has none. */
function realPathOf(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

/** Finds a user's sealed files, and reads them safely. The caller acts as that user. */
import { mkdirSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { errnoOf, messageOf, NotpError } from '../error.ts';
import { isContextName } from '../otp/names.ts';
import { MAX_SEALED_FILE_BYTES, parseSealedFile, type SealedFile } from '../seal/file.ts';
import type { TokenNames } from '../seal/seal.ts';
import { expand, type Config } from './config.ts';
import { checkFolders, readTrusted } from './trusted.ts';
import type { User } from './users.ts';

/** A sealed file as it was found; `locked`: why it cannot be opened here, `token`: the hardware token that it is of. */
export type Found =
  | { readonly kind: 'sealed'; readonly file: SealedFile; readonly locked?: string; readonly token?: TokenNames }
  | { readonly kind: 'absent' }
  | { readonly kind: 'bad'; readonly why: string };

/** The sealed file of one context, which is one device of the account. */
export interface DeviceFile {
  readonly context: string;
  readonly found: Found;
}

export function secretsFolder(config: Config, user: User): string {
  return path.normalize(expand(config.secrets, user));
}

export function sealedPath(config: Config, user: User, context: string): string {
  return path.join(secretsFolder(config, user), context);
}

/** The folder from which a user's path is checked: the home for paths inside it, else the root of the file system. */
export function checkedFrom(folder: string, user: User): string {
  // passwd(5) may write a home with a trailing slash.
  const home = path.resolve(user.home);
  return folder === home || folder.startsWith(`${home}/`) ? home : '/';
}

/** Makes the user's folder, mode 0700, where it is missing, and checks it as a login will. The caller acts as that user. */
export function makeSecretsFolder(config: Config, user: User): void {
  const folder = secretsFolder(config, user);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw new NotpError('failed', messageOf(error), 'nothing was changed');
  }
  checkFolders(checkedFrom(folder, user), folder, user.uid);
}

/** Finds the sealed file. Never throws: an unreadable file is `bad`, with the reason. */
export function findSealed(config: Config, user: User, context: string): Found {
  return orWhy<Found>(() => (isFolderThere(config, user) ? foundIn(config, user, context) : { kind: 'absent' }));
}

/** The same for several contexts, whose folder is checked once. */
export function findDevices(config: Config, user: User, contexts: readonly string[]): DeviceFile[] {
  const folder = orWhy<Found | undefined>(() => (isFolderThere(config, user) ? undefined : { kind: 'absent' }));
  return contexts.map((context) => ({ context, found: folder ?? orWhy(() => foundIn(config, user, context)) }));
}

function orWhy<T>(find: () => T): T | Found {
  try {
    return find();
  } catch (error) {
    return { kind: 'bad', why: messageOf(error) };
  }
}

/** The kind of seal of the found files: a passphrase, the host, or both. */
export function sealOf(files: readonly DeviceFile[]): 'passphrase' | 'host' | 'either' {
  const kinds = new Set(files.flatMap(({ found }) => (found.kind === 'sealed' ? [found.file.seal.kind] : [])));
  if (!kinds.has('passphrase')) return 'host';
  return kinds.has('host') ? 'either' : 'passphrase';
}

/** Throws where others could change the folder. */
function isFolderThere(config: Config, user: User): boolean {
  const folder = secretsFolder(config, user);
  return checkFolders(checkedFrom(folder, user), folder, user.uid);
}

function foundIn(config: Config, user: User, context: string): Found {
  const name = sealedPath(config, user, context);
  const bytes = readTrusted(name, { owner: user.uid, maxBytes: MAX_SEALED_FILE_BYTES });
  return bytes === undefined ? { kind: 'absent' } : { kind: 'sealed', file: inFile(name, () => sealedFor(user, context, bytes)) };
}

/** The sealed file in `bytes`. Throws `bad_secret_file` where it is malformed, or belongs to another user or context. */
export function sealedFor(user: Pick<User, 'name'>, context: string, bytes: Uint8Array): SealedFile {
  const file = parseSealedFile(bytes);
  if (file.user === user.name && file.context === context) return file;
  throw new NotpError('bad_secret_file', 'sealed for another user or context');
}

function inFile<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new NotpError('bad_secret_file', `${name}: ${messageOf(error)}`);
  }
}

/** The names in the user's folder that may be contexts, sorted. The caller acts as that user. */
export function sealedNames(config: Config, user: User): string[] {
  if (!isFolderThere(config, user)) return [];
  return readdirSync(secretsFolder(config, user)).filter(isContextName).toSorted();
}

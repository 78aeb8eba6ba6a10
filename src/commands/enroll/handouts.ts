/**
 * The folder of hand-outs, one for each person: NAME.txt, and NAME.png or NAME.svg beside it. Only root gets in. Each
 * file is written whole or not at all, and the text names its enrolment. So after an interruption a batch knows what
 * it has done.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { causeOf, errnoOf, NotpError } from '../../error.ts';
import { userInPath } from '../../otp/names.ts';
import { checkFolders, readTrusted, realPath, syncFolder, writeNew } from '../../system/trusted.ts';
import { enrolmentIn } from './handout-text.ts';

export interface Image {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The hand-out of one person. `id`: undefined if the text names no enrolment. */
export interface Handout {
  readonly id: string | undefined;
  readonly file: string;
}

/** The endings of pictures. */
const PICTURES = ['png', 'svg'] as const;
const MAX_HANDOUT_BYTES = 256 * 1024;
const ROOT = 0;
const SHARED_WRITE = 0o022;
/** An incomplete file that kill -9 may leave. */
const UNFINISHED = /^\.notp-handout-[0-9a-f]{16}\.tmp$/;

/** The real path of `folder`, which only root can change; `create` makes it. Throws `usage` if it is not safe for secrets. */
export function handoutFolder(folder: string, { create }: { create: boolean }): string {
  let real: string;
  try {
    real = realPath(path.resolve(folder), ROOT);
    if (create) makeFolder(real);
    if (!checkFolders('/', real, ROOT)) return real;
    const { mode } = fs.statSync(real);
    // No hint to chmod(1): it may be /tmp, whose mode everybody needs.
    if ((mode & SHARED_WRITE) !== 0) throw unfit(`${real} can be written by others`);
  } catch (error) {
    if (error instanceof NotpError) throw unfit(error.message, error.hint);
    throw unfit(`${folder}: ${causeOf(error)}`);
  }
  if (create) removeUnfinished(real);
  return real;
}

/** The hand-out of `user`, finished or not; undefined if there is none. */
export function handoutOf(folder: string, user: string): Handout | undefined {
  const text = textFile(folder, user);
  if (fs.lstatSync(text, { throwIfNoEntry: false }) !== undefined) return { file: text, id: idIn(text) };
  // The text is written first and removed last, so a picture alone is not from a batch.
  const image = PICTURES.map((kind) => path.join(folder, imageName(user, kind))).find((file) => fs.existsSync(file));
  return image === undefined ? undefined : { file: image, id: undefined };
}

export function imageName(user: string, kind: (typeof PICTURES)[number]): string {
  return `${userInPath(user)}.${kind}`;
}

/** Writes text and picture with mode 0600, synced to the disk. Neither may exist. Throws `failed` with the error of the disk. */
export function writeHandout(folder: string, user: string, text: string, image: Image | undefined): void {
  writeWhole(folder, textFile(folder, user), Buffer.from(text));
  if (image !== undefined) writeWhole(folder, path.join(folder, image.name), image.bytes);
  syncFolder(folder);
}

/** Removes what writeHandout wrote or began. */
export function removeHandout(folder: string, user: string): void {
  for (const kind of PICTURES) fs.rmSync(path.join(folder, imageName(user, kind)), { force: true });
  fs.rmSync(textFile(folder, user), { force: true });
}

function textFile(folder: string, user: string): string {
  return path.join(folder, `${userInPath(user)}.txt`);
}

function writeWhole(folder: string, file: string, bytes: Uint8Array): void {
  const temporary = path.join(folder, `.notp-handout-${randomBytes(8).toString('hex')}.tmp`);
  try {
    writeNew(temporary, bytes);
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw new NotpError('failed', `${file}: ${causeOf(error)}`, 'free some space or repair the folder', { cause: error });
  }
}

function idIn(file: string): string | undefined {
  try {
    const bytes = readTrusted(file, { owner: ROOT, maxBytes: MAX_HANDOUT_BYTES, forbidden: 0 });
    return bytes === undefined ? undefined : enrolmentIn(Buffer.from(bytes).toString('utf8'));
  } catch {
    // A file that is not root's is not a hand-out of a batch.
    return undefined;
  }
}

function makeFolder(folder: string): void {
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

function removeUnfinished(folder: string): void {
  for (const name of fs.readdirSync(folder).filter((entry) => UNFINISHED.test(entry))) fs.rmSync(path.join(folder, name), { force: true });
}

function unfit(why: string, hint = 'the hand-outs hold secrets: give --out a folder of root that nobody else can write'): NotpError {
  return new NotpError('usage', why, hint);
}

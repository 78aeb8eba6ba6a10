/** Restores files: content, mode and owner; all of them, or none where one cannot be. It can be interrupted at any point and run again. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { causeOf, errnoOf, messageOf, NotpError } from '../error.ts';
import { draft, removeDrafts, syncFolder, type Draft } from '../system/trusted.ts';
import { fingerprint, isEqual, type Fingerprint } from './manifest.ts';
import { present } from './plan.ts';
import { mark, release, unmark, type Setup } from './record.ts';
import { disarmTimer } from './timer.ts';

/** The files of `setup` that somebody has changed since: they differ from both their state before and after it. */
export function changedSince({ files }: Setup): string[] {
  return files.filter(({ file, before, after }) => !isEither(current(file), before, after)).map(({ file }) => file);
}

/**
 * Restores the files of `setup`; endUndo() must follow once sshd is restored too. A file that somebody has changed since is kept in the
 * setup's folder. Returns those files. Throws `failed` where a file cannot be written: then nothing was changed, or the message names what was
 * not, and the same undo can be run again.
 */
export function restoreFiles(setup: Setup): string[] {
  const changed = changedSince(setup);
  const ready = makeReady(setup, changed);
  const failed = ready.flatMap((each) => whyNotPut(each));
  if (failed.length === 0) return changed;
  throw new NotpError('failed', `not put back: ${failed.join('; ')}; all other files are as before the setup`, AGAIN);
}

const AGAIN = 'mend that, and run notp setup undo again';

interface Ready {
  readonly file: string;
  readonly draft: Draft;
  /** There was no file: the draft only shows that its folder can be written. */
  readonly isRemoval: boolean;
}

/** Writes everything beside its place, and says in the record that the undo has begun. */
function makeReady(setup: Setup, changed: readonly string[]): Ready[] {
  const ready: Ready[] = [];
  try {
    for (const [i, { file, before }] of [...setup.files.entries()].toReversed()) {
      // Unfinished files of a killed setup or undo.
      removeDrafts(file, 0);
      const found = current(file);
      if (found !== undefined && isEqual(found, before)) continue;
      const bytes = before === null ? new Uint8Array() : fs.readFileSync(path.join(setup.folder, String(i)));
      ready.push({ file, draft: draft(file, bytes, before ?? undefined), isRemoval: before === null });
      if (changed.includes(file)) keepAside(file, path.join(setup.folder, `${String(i)}.changed`));
    }
    if (!release(setup, 'undoing')) mark(setup, 'undoing');
    return ready;
  } catch (error) {
    for (const each of ready) each.draft.drop();
    throw new NotpError('failed', `nothing was put back: ${messageOf(error)}`, `${AGAIN}; until then the setup is in force`, {
      cause: error,
    });
  }
}

/** Puts one file in its place. Empty, or why that failed. */
function whyNotPut({ file, draft: written, isRemoval }: Ready): string[] {
  try {
    if (!isRemoval) written.put();
    else {
      written.drop();
      fs.rmSync(file, { force: true });
      syncFolder(path.dirname(file));
    }
    return [];
  } catch (error) {
    written.drop();
    return [`${file}: ${causeOf(error)}`];
  }
}

export function endUndo(setup: Setup): void {
  mark(setup, 'undone');
  unmark(setup, 'undoing');
  disarmTimer(setup);
}

/** Null if there is no file; undefined for anything but a plain file of root, which notp did not write. */
function current(file: string): Fingerprint | null | undefined {
  try {
    const read = present(file);
    return read === undefined ? null : fingerprint(read);
  } catch {
    return undefined;
  }
}

function isEither(found: Fingerprint | null | undefined, before: Fingerprint | null, after: Fingerprint): boolean {
  return found !== undefined && (isEqual(found, before) || isEqual(found, after));
}

/** Keeps a symlink as a symlink. */
function keepAside(file: string, to: string): void {
  try {
    fs.cpSync(file, to, { verbatimSymlinks: true, errorOnExist: false });
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

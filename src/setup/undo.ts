/** Restores files: content, mode and owner. It can be interrupted at any point and run again. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { errnoOf } from '../error.ts';
import { draft, removeDrafts, syncFolder } from '../system/trusted.ts';
import { fingerprint, isEqual, type Fingerprint, type KeptFile } from './manifest.ts';
import { present } from './plan.ts';
import { mark, release, type Setup } from './record.ts';
import { disarmTimer } from './timer.ts';

/** The files of `setup` that somebody has changed since: they differ from both their state before and after it. */
export function changedSince({ files }: Setup): string[] {
  return files.filter(({ file, before, after }) => !isEither(current(file), before, after)).map(({ file }) => file);
}

/**
 * Restores the files of `setup`; endUndo() must follow once sshd is restored too. A file that somebody has changed since is kept in the
 * setup's folder. Returns those files.
 */
export function restoreFiles(setup: Setup): string[] {
  if (!release(setup, 'undoing')) mark(setup, 'undoing');
  const changed = changedSince(setup);
  for (const [i, kept] of [...setup.files.entries()].toReversed()) {
    if (changed.includes(kept.file)) keepAside(kept.file, path.join(setup.folder, `${String(i)}.changed`));
    putBack(kept, path.join(setup.folder, String(i)));
  }
  return changed;
}

export function endUndo(setup: Setup): void {
  mark(setup, 'undone');
  disarmTimer(setup);
}

function putBack({ file, before }: KeptFile, copy: string): void {
  // Unfinished files of a killed setup.
  removeDrafts(file, 0);
  const found = current(file);
  if (found !== undefined && isEqual(found, before)) return;
  if (before === null) {
    fs.rmSync(file, { force: true });
    syncFolder(path.dirname(file));
    return;
  }
  const restored = draft(file, fs.readFileSync(copy), before);
  try {
    restored.put();
  } catch (error) {
    restored.drop();
    throw error;
  }
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

/** Putting files back as they were: bytes, mode and owner. It can be broken off anywhere and done again. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { errnoOf } from '../error.ts';
import { draft, removeDrafts, syncFolder } from '../system/trusted.ts';
import { fingerprint, isAs, type Fingerprint, type KeptFile } from './manifest.ts';
import { present } from './plan.ts';
import { mark, release, type Setup } from './record.ts';
import { disarmTimer } from './timer.ts';

/** The files of `setup` that somebody has changed since: they are neither as they were before nor as they were made. */
export function changedSince({ files }: Setup): string[] {
  return files.filter(({ file, before, after }) => !isEither(current(file), before, after)).map(({ file }) => file);
}

/**
 * Puts the files of `setup` back; `endUndo` comes when sshd, too, is as before. A file that somebody has changed
 * since is kept in the setup's folder, and told in the answer.
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
  // What a killed setup has begun to write.
  removeDrafts(file, 0);
  const found = current(file);
  if (found !== undefined && isAs(found, before)) return;
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

/** Undefined for what is no plain file of root's, which is nobody's work but somebody else's. */
function current(file: string): Fingerprint | null | undefined {
  try {
    const there = present(file);
    return there === undefined ? null : fingerprint(there);
  } catch {
    return undefined;
  }
}

function isEither(found: Fingerprint | null | undefined, before: Fingerprint | null, after: Fingerprint): boolean {
  return found !== undefined && (isAs(found, before) || isAs(found, after));
}

/** A symlink is kept as one. */
function keepAside(file: string, to: string): void {
  try {
    fs.cpSync(file, to, { verbatimSymlinks: true, errorOnExist: false });
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Folders in which nobody but root can make a file. */
import * as fs from 'node:fs';
import * as path from 'node:path';

/** Whether only root can put something at or below `file`, which need not be there. A sticky bit is no help: it lets anybody add. */
export function isRootsAlone(file: string): boolean {
  const above = path.dirname(file);
  if (above !== file && !isRootsAlone(above)) return false;
  try {
    const stats = fs.lstatSync(file, { throwIfNoEntry: false });
    return stats === undefined || (stats.uid === 0 && !stats.isSymbolicLink() && (stats.mode & 0o022) === 0);
  } catch {
    // What we cannot see we cannot vouch for.
    return false;
  }
}

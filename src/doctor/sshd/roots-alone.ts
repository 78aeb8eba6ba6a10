/** Paths at which only root can create anything. */
import * as fs from 'node:fs';
import * as path from 'node:path';

/** Whether only root can create something at or below `file`, which need not exist. A sticky bit does not help: anybody can add files. */
export function isRootsAlone(file: string): boolean {
  const above = path.dirname(file);
  if (above !== file && !isRootsAlone(above)) return false;
  try {
    const stats = fs.lstatSync(file, { throwIfNoEntry: false });
    return stats === undefined || (stats.uid === 0 && !stats.isSymbolicLink() && (stats.mode & 0o022) === 0);
  } catch {
    // A path that cannot be checked is not trusted.
    return false;
  }
}

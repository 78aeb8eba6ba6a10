/**
 * Reads files that may be deleted at any moment: a package that is upgraded, logrotate and users delete and make files while notp looks. A file
 * that is gone is gone, and never a reason to end. Any other error is one.
 */
import * as fs from 'node:fs';
import { errnoOf } from '../error.ts';

/** What `read` gives; undefined where it says that a file or folder does not exist. */
export function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** The text of the file; undefined if it does not exist. */
export function textIfThere(file: string, encoding: 'utf8' | 'latin1' = 'utf8'): string | undefined {
  return ifThere(() => fs.readFileSync(file, encoding));
}

/** Chooses the path of a file with a secret that the user has named. */
import * as path from 'node:path';
import { NotpError } from '../error.ts';
import { realPath } from './trusted.ts';
import { isRoot } from './users.ts';

const ROOT = 0;

/**
 * The path to write `file` at. For root all folders above it are resolved, and must exist, belong to root and be writable only by
 * root; else it throws `usage`. Another user who could change or make one would choose where root writes. Other users get `file`
 * unchanged: they write with their own rights.
 */
export function newFile(file: string): string {
  if (!isRoot()) return file;
  try {
    return realPath(file, ROOT);
  } catch (error) {
    if (!(error instanceof NotpError)) throw error;
    throw new NotpError('usage', error.message, `name a file in a folder that only root can write: /root/${path.basename(file)}`);
  }
}

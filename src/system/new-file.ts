/** Where a command puts a file that its user has named, with a secret in it. */
import * as path from 'node:path';
import { NotpError } from '../error.ts';
import { realPath } from './trusted.ts';
import { isRoot } from './users.ts';

const ROOT = 0;

/**
 * The path to write `file` at. For root with all folders above it resolved; those are there, root's, and nobody else can write them, or it
 * throws `usage`: whoever can change or make one chooses where root writes. Others get `file` as it is: they write with their own rights.
 */
export function newFile(file: string): string {
  if (!isRoot()) return file;
  try {
    return realPath(file, ROOT);
  } catch (error) {
    if (!(error instanceof NotpError)) throw error;
    throw new NotpError('usage', error.message, `name a file in a folder of root that nobody else can write: /root/${path.basename(file)}`);
  }
}

/** A small disk of its own that can be filled. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { atEnd } from './cleanup.ts';
import { must } from './world.ts';

const PAGE_BYTES = 4096;

export class SmallDisk {
  readonly folder: string;
  private readonly filler: string;

  /** At `folder`, which is made where it is not there, until the test file ends. `options` as in tmpfs(5). */
  constructor(folder: string, options = 'mode=755') {
    this.folder = folder;
    this.filler = path.join(folder, 'filler');
    fs.mkdirSync(folder, { recursive: true });
    must(['mount', '-t', 'tmpfs', '-o', `size=1m,${options}`, 'none', folder]);
    atEnd(() => void must(['umount', folder]));
  }

  /** Leaves `pages` free. */
  fill(pages = 0): void {
    const fd = fs.openSync(this.filler, 'a');
    try {
      for (;;) fs.writeSync(fd, Buffer.alloc(PAGE_BYTES));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
    fs.ftruncateSync(fd, Math.floor(fs.fstatSync(fd).size / PAGE_BYTES - pages) * PAGE_BYTES);
    fs.closeSync(fd);
  }

  free(): void {
    fs.rmSync(this.filler, { force: true });
  }

  remount(how: 'ro' | 'rw'): void {
    must(['mount', '-o', `remount,${how}`, this.folder]);
  }
}

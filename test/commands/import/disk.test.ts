/** `notp import` on a full disk and into a folder that cannot be written: no half file, no part of several. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { atEnd } from '../../support/cleanup.ts';
import { lacks, must, scratchFolder } from '../../support/world.ts';
import { assertCodeOf, assertRefused, ownCodes, SECRET, type OwnCodes } from '../codes/own-codes.ts';

const PAGE_BYTES = 4096;

describe('a disk', { skip: lacks({ root: true, programs: ['mount', 'umount', 'oathtool'] }) }, () => {
  let disk: string;
  let own: OwnCodes;
  before(async () => {
    disk = path.join(scratchFolder('import-disk'), 'disk');
    fs.mkdirSync(disk);
    must(['mount', '-t', 'tmpfs', '-o', 'size=256k,mode=755', 'none', disk]);
    atEnd(() => void must(['umount', disk]));
    own = ownCodes('import-full', { parent: disk });
    assert.equal((await own.import('old', SECRET)).code, 0);
  });

  it('that is full takes all of several secrets or none, and leaves what was there', async () => {
    const uris = ['a', 'b', 'c'].map((name) => `otpauth://totp/${name}?secret=${SECRET}`).join('\n');
    const outcomes = [];
    for (const pages of [0, 1, 2, 3]) {
      const earlier = own.files();
      fill(path.join(disk, 'filler'), pages);
      const ran = await own.import('new', uris);
      fs.rmSync(path.join(disk, 'filler'));
      outcomes.push(ran.code);
      if (ran.code === 0) assert.deepEqual(Object.keys(own.files()), ['new-a', 'new-b', 'new-c', 'old']);
      else {
        assertRefused(ran, 3, /ENOSPC/);
        assert.deepEqual(own.files(), earlier);
      }
    }
    assert.deepEqual(outcomes, [3, 3, 3, 0]);
    await assertCodeOf(own, 'old', SECRET);
  });

  it('that is full keeps the file that should be replaced', async () => {
    const earlier = own.files();
    fill(path.join(disk, 'filler'), 0);
    const ran = await own.import('old', 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', ['--replace']);
    fs.rmSync(path.join(disk, 'filler'));
    assertRefused(ran, 3, /ENOSPC/);
    assert.deepEqual(own.files(), earlier);
  });

  it('that is read-only takes nothing, and says so', async () => {
    const earlier = own.files();
    must(['mount', '-o', 'remount,ro', disk]);
    try {
      assertRefused(await own.import('new', SECRET), 3, /EROFS/);
      await assertCodeOf(own, 'old', SECRET);
    } finally {
      must(['mount', '-o', 'remount,rw', disk]);
    }
    assert.deepEqual(own.files(), earlier);
  });
});

describe('a folder', () => {
  it('that others may write into is not used', async () => {
    const own = ownCodes('import-shared');
    fs.mkdirSync(own.secrets, { mode: 0o700 });
    fs.chmodSync(own.secrets, 0o770);
    assertRefused(await own.import('new', SECRET, ['--replace']), 3, /can be written by others/);
    assert.deepEqual(fs.readdirSync(own.secrets), []);
  });
});

/** Fills the disk with a file, but for some pages. */
function fill(file: string, pages: number): void {
  const fd = fs.openSync(file, 'w');
  try {
    for (;;) fs.writeSync(fd, Buffer.alloc(PAGE_BYTES));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  }
  fs.ftruncateSync(fd, fs.fstatSync(fd).size - pages * PAGE_BYTES);
  fs.closeSync(fd);
}

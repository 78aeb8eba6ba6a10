/** Writing a trusted file: whole or not at all, for its owner alone, through no symlink. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { draft, syncFolder, writeNew } from '../../src/system/trusted.ts';
import { lacks, must, scratchFolder } from '../support/world.ts';

const folder = scratchFolder('writing');
let places = 0;
const newPlace = (): string => path.join(folder, `place-${places++}`);

describe('writing', () => {
  it('puts a whole file in place of the old one, for its owner alone', () => {
    const place = newPlace();
    fs.writeFileSync(place, 'old', { mode: 0o666 });
    const written = draft(place, Buffer.from('new'));
    assert.equal(fs.readFileSync(place, 'utf8'), 'old');
    written.put();
    assert.equal(fs.readFileSync(place, 'utf8'), 'new');
    assert.equal(fs.statSync(place).mode & 0o7777, 0o600);
  });

  it('leaves nothing behind where it is dropped', () => {
    const inside = path.join(folder, 'dropped');
    fs.mkdirSync(inside);
    draft(path.join(inside, 'ssh'), Buffer.from('new')).drop();
    assert.deepEqual(fs.readdirSync(inside), []);
  });

  it('replaces a symlink and does not write through it', () => {
    const place = newPlace();
    fs.writeFileSync(`${place}.target`, 'precious');
    fs.symlinkSync(`${place}.target`, place);
    draft(place, Buffer.from('new')).put();
    assert.equal(fs.readFileSync(`${place}.target`, 'utf8'), 'precious');
    assert.equal(fs.lstatSync(place).isSymbolicLink(), false);
  });

  it('refuses where the folder is not there, and says that nothing was changed', () => {
    assert.throws(() => draft(path.join(newPlace(), 'ssh'), Buffer.from('x')), { code: 'failed', hint: /nothing was changed/ });
  });

  it('leaves the old file and nothing else on a full disk', { skip: lacks({ root: true, programs: ['mount'] }) }, () => {
    const disk = path.join(folder, 'disk');
    fs.mkdirSync(disk);
    must(['mount', '-t', 'tmpfs', '-o', 'size=16k', 'none', disk]);
    try {
      draft(path.join(disk, 'ssh'), Buffer.from('old')).put();
      assert.throws(() => draft(path.join(disk, 'ssh'), Buffer.alloc(64 * 1024)), { code: 'failed', message: /ENOSPC/ });
      assert.deepEqual(fs.readdirSync(disk), ['ssh']);
      assert.equal(fs.readFileSync(path.join(disk, 'ssh'), 'utf8'), 'old');
    } finally {
      must(['umount', disk]);
    }
  });

  it('does not overwrite what is there, nor follow a symlink', () => {
    const place = newPlace();
    fs.writeFileSync(place, 'old');
    const link = newPlace();
    fs.symlinkSync('/tmp/notp-never-made', link);
    for (const taken of [place, link]) {
      assert.throws(() => {
        writeNew(taken, Buffer.from('new'));
      }, /EEXIST/);
    }
    assert.equal(fs.existsSync('/tmp/notp-never-made'), false);
  });

  it('brings a folder to the disk, and only a folder', () => {
    syncFolder(folder);
    const place = newPlace();
    writeNew(place, new Uint8Array());
    assert.throws(() => {
      syncFolder(place);
    }, /ENOTDIR/);
  });
});

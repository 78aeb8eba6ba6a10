/** The folders down to a trusted file: nobody but the user and root can put anything in their place. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { checkFolders, realWay } from '../../src/system/trusted.ts';
import { lacks, scratchFolder } from '../support/world.ts';

const OWNER = process.getuid?.() ?? -1;
const folder = scratchFolder('folders');

describe('the folders down to a trusted file', () => {
  const top = path.join(folder, 'top');
  const [middle, bottom] = [path.join(top, 'middle'), path.join(top, 'middle/bottom')];
  fs.mkdirSync(bottom, { recursive: true, mode: 0o755 });

  it('are fine where each belongs to the user and only they can write', () => {
    assert.equal(checkFolders(top, bottom, OWNER), true);
    assert.equal(checkFolders(top, top, OWNER), true);
    assert.equal(checkFolders('/', bottom, OWNER), true);
  });

  it('may be missing, which is no error', () => {
    assert.equal(checkFolders(top, path.join(bottom, 'x/y'), OWNER), false);
    assert.equal(checkFolders(path.join(folder, 'nowhere'), path.join(folder, 'nowhere/x'), OWNER), false);
  });

  for (const [i, each] of [top, middle, bottom].entries()) {
    it(`are refused where others can write number ${i + 1} of them`, () => {
      for (const mode of [0o775, 0o757, 0o777]) {
        fs.chmodSync(each, mode);
        assert.throws(() => checkFolders(top, bottom, OWNER), { message: `${each} can be written by others`, hint: `chmod go-w ${each}` });
      }
      fs.chmodSync(each, 0o755);
    });

    it(`are refused where number ${i + 1} of them is somebody else's`, { skip: lacks({ root: true }) }, () => {
      fs.chownSync(each, 12_345, 0);
      assert.throws(() => checkFolders(top, bottom, OWNER), /belongs to somebody else$/);
      assert.equal(checkFolders(each, each, 12_345), true);
      fs.chownSync(each, OWNER, 0);
    });
  }

  it('may be a sticky folder of root, such as /tmp, and no sticky folder of a user', { skip: lacks({ root: true }) }, () => {
    fs.chmodSync(middle, 0o1777);
    assert.equal(checkFolders(top, bottom, OWNER), true);
    fs.chownSync(middle, 12_345, 0);
    assert.throws(() => checkFolders(top, bottom, 12_345), /can be written by others$/);
    fs.chownSync(middle, OWNER, 0);
    fs.chmodSync(middle, 0o755);
  });

  it('are followed through a symlink at the top, for a home often is one, and nowhere else', () => {
    const link = path.join(folder, 'link');
    fs.symlinkSync(top, link);
    assert.equal(checkFolders(link, path.join(link, 'middle'), OWNER), true);
    assert.throws(() => checkFolders(folder, path.join(link, 'middle'), OWNER), { message: `${link} is a symlink` });
  });

  it('are folders', () => {
    fs.writeFileSync(path.join(bottom, 'file'), '');
    assert.throws(() => checkFolders(top, path.join(bottom, 'file'), OWNER), /is no folder$/);
    assert.throws(() => checkFolders(top, path.join(bottom, 'file/x'), OWNER), /is no folder$/);
  });

  it('that cannot be looked at are refused with the reason, which was an internal error', () => {
    const long = path.join(top, 'x'.repeat(300));
    assert.throws(() => checkFolders(top, long, OWNER), {
      code: 'bad_secret_file',
      message: /cannot be looked at: name too long \(ENAMETOOLONG\)$/,
    });
  });
});

describe('the way to a folder that somebody has named', { skip: lacks({ root: true }) }, () => {
  const top = path.join(folder, 'way');
  const at = (...steps: readonly string[]): string => [top, ...steps].join('/');
  fs.mkdirSync(at('root/below'), { recursive: true, mode: 0o755 });
  fs.mkdirSync(at('user'), { mode: 0o755 });
  fs.symlinkSync('../root/below', at('root/link'));
  fs.symlinkSync(at('root/link'), at('root/absolute'));
  fs.symlinkSync('loop', at('root/loop'));
  fs.symlinkSync(at('root'), at('user/link'));
  fs.symlinkSync(at('user'), at('root/to-user'));
  fs.symlinkSync(at('root'), at('root/theirs'));
  fs.writeFileSync(at('root/file'), '');
  fs.chownSync(at('user'), 12_345, 0);
  fs.lchownSync(at('root/theirs'), 12_345, 0);

  it('is the real one, also through symlinks of root and their parents', () => {
    for (const way of ['root/below', 'root/link', 'root/absolute', 'root/absolute/../below', './root//link/.'])
      assert.equal(realWay(at(way), 0), at('root/below'), way);
    assert.equal(realWay(at('user'), 12_345), at('user'));
  });

  it('is none where a folder is not there', () => {
    for (const way of ['none', 'none/x', 'root/link/none']) assert.equal(realWay(at(way), 0), undefined);
  });

  it('is refused through whatever somebody else can change', () => {
    const refused = {
      ...{ user: 'user', 'user/link': 'user', 'user/link/../x': 'user', 'root/to-user': 'user', 'user/../root': 'user' },
      ...{ 'root/theirs': 'root/theirs', 'root/theirs/below': 'root/theirs', 'root/file': 'root/file', 'root/loop': 'root/loop' },
    };
    for (const [way, fault] of Object.entries(refused))
      assert.throws(() => realWay(at(way), 0), { message: new RegExp(`^${at(fault)} (is|belongs|leads) `) }, way);
  });

  it('is taken from where the process is, when it is no absolute one', () => {
    const before = process.cwd();
    process.chdir(at('root/link'));
    try {
      assert.deepEqual([realWay('.', 0), realWay('../link', 0)], [at('root/below'), at('root/below')]);
    } finally {
      process.chdir(before);
    }
  });
});

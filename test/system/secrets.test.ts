/** Finding a user's sealed file: whatever is in its place, or in place of ~/.notp, is refused with its reason. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { parseSealedFile, printSealedFile } from '../../src/seal/file.ts';
import { defaultConfig } from '../../src/system/config.ts';
import { checkedFrom, findSealed, sealedPath, secretsFolder, type Found } from '../../src/system/secrets.ts';
import { lacks } from '../support/world.ts';
import { HOST_HEADER, sealed } from '../seal/sealed.ts';
import { NO_PRIVATE_FILE, SHARED_BITS, userWithHome } from './folder.ts';

const SOON = { timeout: 10_000 };
const config = defaultConfig();
const user = userWithHome('secrets');
const notp = path.join(user.home, '.notp');
const place = path.join(notp, 'ssh');
const GOOD = printSealedFile(sealed(HOST_HEADER));

function find(): Found {
  const before = performance.now();
  const found = findSealed(config, user, 'ssh');
  assert.ok(performance.now() - before < 1000, 'a refusal within a second');
  return found;
}

function why(): string {
  const found = find();
  assert.equal(found.kind, 'bad');
  return found.why;
}

function put(bytes: string | Uint8Array): void {
  fs.writeFileSync(place, bytes, { mode: 0o600 });
}

beforeEach(() => {
  fs.rmSync(notp, { recursive: true, force: true });
  fs.mkdirSync(notp, { mode: 0o700 });
});

describe('in place of the sealed file', () => {
  it('a good one is found', () => {
    put(GOOD);
    assert.deepEqual(find(), { kind: 'sealed', file: parseSealedFile(GOOD) });
  });

  it('nothing is absent, and not bad', () => {
    assert.deepEqual(find(), { kind: 'absent' });
  });

  for (const { what, why: reason, root = false, put: putHostile } of NO_PRIVATE_FILE) {
    it(`${what} is refused`, { ...SOON, skip: lacks({ root }) }, async () => {
      await putHostile(place, GOOD);
      assert.match(why(), reason);
      assert.ok(why().startsWith(place));
    });
  }

  for (const bit of SHARED_BITS) {
    it(`a good one with mode bit ${bit.toString(8).padStart(4, '0')} is refused`, () => {
      put(GOOD);
      fs.chmodSync(place, 0o600 | bit);
      assert.match(why(), /which lets others in$/);
    });
  }

  const text = Buffer.from(GOOD).toString();
  const contents: readonly (readonly [what: string, content: string | Uint8Array, why: RegExp])[] = [
    ['an empty file', '', /: the file is empty$/],
    ['a NUL byte', '\0', /: the file is not JSON$/],
    ['NUL after a good one', `${text}\0`, /: the file is not JSON$/],
    ['CRLF line ends', text.replaceAll('\n', '\r\n'), /: the file is not in the exact form that notp writes$/],
    ['one that is cut off', GOOD.subarray(0, GOOD.length / 2), /: the file is not JSON$/],
    ['one over 16 KiB', Buffer.alloc(16 * 1024 + 1, ' '), /is over 16384 bytes$/],
    ['one with an unknown key', text.replace('"user"', '"\\u001b[2J": 1,\n  "user"'), /unknown key "\\u001b\[2J"$/],
    ['one of another user', printSealedFile(sealed({ ...HOST_HEADER, user: 'mallory' })), /: sealed for another user or context$/],
    ['one of another context', printSealedFile(sealed({ ...HOST_HEADER, context: 'deploy' })), /: sealed for another user or context$/],
  ];
  for (const [what, content, reason] of contents) {
    it(`${what} is refused`, () => {
      put(content);
      assert.match(why(), reason);
      assert.doesNotMatch(why(), /\p{Cc}/u);
    });
  }
});

describe('in place of ~/.notp', () => {
  beforeEach(() => {
    fs.rmSync(notp, { recursive: true });
  });

  it('nothing is absent, and not bad', () => {
    assert.deepEqual(find(), { kind: 'absent' });
  });

  for (const { what, root = false, put: putHostile } of NO_PRIVATE_FILE.filter((each) => each.what !== 'a folder')) {
    it(`${what} is refused`, { ...SOON, skip: lacks({ root }) }, async () => {
      await putHostile(notp, GOOD);
      assert.match(why(), /\.notp is (a symlink|no folder)$/);
    });
  }

  it('a symlink to a good folder is refused', () => {
    fs.mkdirSync(`${notp}.real`, { mode: 0o700 });
    fs.writeFileSync(`${notp}.real/ssh`, GOOD, { mode: 0o600 });
    fs.symlinkSync(`${notp}.real`, notp);
    assert.match(why(), /\.notp is a symlink$/);
  });

  for (const mode of [0o770, 0o720, 0o702, 0o777, 0o1777]) {
    const sticky = mode === 0o1777;
    it(`a folder of mode ${mode.toString(8)} is refused`, { skip: sticky && lacks({ root: true }) }, () => {
      fs.mkdirSync(notp);
      fs.chmodSync(notp, mode);
      if (sticky) fs.chownSync(notp, 12_345, 0);
      put(GOOD);
      assert.match(why(), /\.notp (can be written by others|belongs to somebody else)$/);
    });
  }

  it("somebody else's folder is refused", { skip: lacks({ root: true }) }, () => {
    fs.mkdirSync(notp, { mode: 0o700 });
    put(GOOD);
    fs.chownSync(notp, 12_345, 0);
    assert.match(why(), /\.notp belongs to somebody else$/);
  });

  it('a good folder in a home that others can write is refused', () => {
    fs.mkdirSync(notp, { mode: 0o700 });
    put(GOOD);
    fs.chmodSync(user.home, 0o777);
    assert.match(why(), /home can be written by others$/);
    fs.chmodSync(user.home, 0o755);
    assert.equal(find().kind, 'sealed');
  });
});

describe('the place of the sealed file', () => {
  it('is where the configuration says', () => {
    const elsewhere = { ...config, secrets: '/srv/notp/%u-%U' };
    assert.equal(secretsFolder(config, user), notp);
    assert.equal(sealedPath(elsewhere, user, 'git'), `/srv/notp/alice-${user.uid}/git`);
  });

  it('is checked from the home down, or from the root where it is elsewhere', () => {
    assert.equal(checkedFrom(notp, user), user.home);
    assert.equal(checkedFrom(user.home, user), user.home);
    assert.equal(checkedFrom('/srv/notp/alice', user), '/');
    assert.equal(checkedFrom(`${user.home}2/.notp`, user), '/');
  });

  it('is checked from the home down where passwd writes a slash at its end: that was taken for elsewhere', () => {
    const slashed = { ...user, home: `${user.home}/` };
    assert.equal(checkedFrom(secretsFolder(config, slashed), slashed), user.home);
    put(GOOD);
    assert.equal(findSealed(config, slashed, 'ssh').kind, 'sealed');
  });
});

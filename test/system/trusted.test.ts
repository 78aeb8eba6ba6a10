/** Reading trusted files: what is in place of one is never followed, waited for or believed. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { readTrusted, untrusted, writeNew } from '../../src/system/trusted.ts';
import { lacks, scratchFolder } from '../support/world.ts';
import { NO_PRIVATE_FILE, SHARED_BITS } from './folder.ts';

const OWNER = process.getuid?.() ?? -1;
const TRUST = { owner: OWNER, maxBytes: 100 };
const folder = scratchFolder('trusted');
let places = 0;
const newPlace = (): string => path.join(folder, `place-${places++}`);

/** "nothing is waited for": a read of a FIFO would hang for ever, and the test with it. */
const SOON = { timeout: 10_000 };

function openDescriptors(): number {
  return fs.readdirSync('/proc/self/fd').length;
}

describe('reading', () => {
  for (const { what, why, root = false, put } of NO_PRIVATE_FILE) {
    it(`refuses ${what}`, { ...SOON, skip: lacks({ root }) }, async () => {
      const place = newPlace();
      await put(place, 'good');
      const before = performance.now();
      assert.throws(() => readTrusted(place, TRUST), { name: 'NotpError', code: 'bad_secret_file', message: why });
      assert.ok(performance.now() - before < 1000);
    });
  }

  for (const bit of SHARED_BITS) {
    it(`refuses mode bit ${bit.toString(8).padStart(4, '0')}`, () => {
      const place = newPlace();
      fs.writeFileSync(place, 'good');
      fs.chmodSync(place, 0o600 | bit);
      assert.throws(() => readTrusted(place, TRUST), {
        message: new RegExp(`has mode 0${(0o600 | bit).toString(8)}, which lets others in$`),
      });
      fs.chmodSync(place, 0o600);
      assert.equal(Buffer.from(readTrusted(place, TRUST) ?? []).toString(), 'good');
    });
  }

  it('forbids the bits that it is told, and no others', () => {
    const place = newPlace();
    fs.writeFileSync(place, 'good');
    fs.chmodSync(place, 0o644);
    assert.ok(readTrusted(place, { ...TRUST, forbidden: 0o022 }) instanceof Uint8Array);
    fs.chmodSync(place, 0o664);
    assert.throws(() => readTrusted(place, { ...TRUST, forbidden: 0o022 }), /has mode 0664/);
  });

  it('takes as many bytes as the cap, and not one more', () => {
    const place = newPlace();
    writeNew(place, Buffer.alloc(100, 'x'));
    assert.equal(readTrusted(place, TRUST)?.length, 100);
    fs.appendFileSync(place, 'x');
    assert.throws(() => readTrusted(place, TRUST), /is over 100 bytes$/);
  });

  it('gives undefined where nothing is, and an empty file is not nothing', () => {
    assert.equal(readTrusted(newPlace(), TRUST), undefined);
    const place = newPlace();
    writeNew(place, new Uint8Array());
    assert.equal(readTrusted(place, TRUST)?.length, 0);
  });

  it('refuses a path through a file, and a name that is too long, with the reason', () => {
    const place = newPlace();
    writeNew(place, new Uint8Array());
    assert.throws(() => readTrusted(`${place}/x`, TRUST), {
      code: 'bad_secret_file',
      message: /cannot be opened: not a directory \(ENOTDIR\)$/,
    });
    assert.throws(() => readTrusted(`${folder}/${'x'.repeat(300)}`, TRUST), {
      message: /cannot be opened: name too long \(ENAMETOOLONG\)$/,
    });
  });

  it("believes root's files whoever the user is", { skip: lacks({ root: true }) }, () => {
    const place = newPlace();
    writeNew(place, Buffer.from('good'));
    assert.equal(readTrusted(place, { ...TRUST, owner: 12_345 })?.length, 4);
  });

  it('leaves no descriptor open, whether it refuses or reads', () => {
    const place = newPlace();
    writeNew(place, Buffer.from('good'));
    const before = openDescriptors();
    for (let i = 0; i < 10; i++) {
      readTrusted(place, TRUST);
      assert.throws(() => readTrusted(place, { ...TRUST, maxBytes: 1 }));
    }
    assert.equal(openDescriptors(), before);
  });

  it('escapes the name of the file in what it says', () => {
    assert.equal(untrusted('/a\u001b[2J', 'is bad').message, '/a\\u001b[2J is bad');
  });
});

/** What starts doctor: the unit and the program name the same files, and each kind of change is seen. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { it } from 'node:test';
import { WATCHED, watchedNow } from '../../src/doctor/watched.ts';
import { ROOT } from '../support/process.ts';
import { lacks } from '../support/world.ts';

it('notp-doctor.path watches the files that doctor compares', () => {
  const unit = fs.readFileSync(path.join(ROOT, 'systemd/notp-doctor.path'), 'utf8');
  assert.deepEqual(
    [...unit.matchAll(/^PathChanged=(.*)$/gm)].map(([, file]) => file),
    WATCHED,
  );
});

it('a file in a watched folder that comes, changes, or goes is seen, and one that is read is not', { skip: lacks({ root: true }) }, () => {
  const file = `/etc/security/notp-test-${String(process.pid)}`;
  try {
    const changes = [
      (): void => fs.writeFileSync(file, 'one'),
      (): void => fs.writeFileSync(file, 'two'),
      (): void => fs.chmodSync(file, 0o600),
      (): void => fs.renameSync(file, `${file}.new`),
      (): void => fs.rmSync(`${file}.new`),
    ];
    for (const change of changes) {
      const before = watchedNow();
      assert.equal(watchedNow(), before);
      change();
      assert.notEqual(watchedNow(), before, String(change));
    }
  } finally {
    for (const each of [file, `${file}.new`]) fs.rmSync(each, { force: true });
  }
});

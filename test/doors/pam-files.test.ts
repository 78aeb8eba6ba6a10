/** What lies in a home is hostile: the PAM door follows nothing, waits for nothing, writes nothing there, and lets nobody in. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { before, beforeEach, describe, it } from 'node:test';
import { addUser, lacks, must, oathCode, untilFreshStep, type Enrolled, type TestUser } from '../support/world.ts';
import { pamWorld, traceOf, type PamWorld } from './pam-world.ts';

/** Far more than any refusal takes, far less than a checker that hangs. */
const BOUND_MS = 20_000;

describe('the PAM door survives what lies in a home', { skip: lacks({ root: true, programs: ['oathtool', 'mknod', 'mkfifo'] }) }, () => {
  let world: PamWorld;
  let user: TestUser;
  let enrolled: Enrolled;
  let sealed: Buffer;

  const enrol = async (): Promise<void> => {
    enrolled = await world.enroll(user);
    sealed = fs.readFileSync(enrolled.file);
  };

  before(async () => {
    world = await pamWorld('files');
    user = addUser();
    await enrol();
  });

  beforeEach(() => {
    const folder = `${user.home}/.notp`;
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { mode: 0o700 });
    fs.writeFileSync(enrolled.file, sealed, { mode: 0o600 });
    for (const file of [folder, enrolled.file]) fs.chownSync(file, user.uid, user.gid);
  });

  /** Presents a right code, and gives the reason and the detail of the refusal. */
  const refusedWith = async (): Promise<string> => {
    const untouched = traceOf(user.home);
    const { code, stdout, signal } = await world.pam(user.name, oathCode(enrolled.secret), { timeoutMs: BOUND_MS });
    assert.equal(signal, null, 'it did not end by itself');
    assert.equal(code, 1);
    assert.equal(traceOf(user.home), untouched, 'something in the home was touched');
    const { reason, detail = '' } = world.recordIn(stdout);
    return `${String(reason)}: ${detail}`;
  };

  const replaceBy = (make: (file: string) => void): void => {
    fs.rmSync(enrolled.file);
    make(enrolled.file);
    fs.lchownSync(enrolled.file, user.uid, user.gid);
  };

  const hostile: readonly [string, RegExp, (file: string) => void][] = [
    ['a symlink to /etc/shadow', /ssh is a symlink$/, () => replaceBy((file) => fs.symlinkSync('/etc/shadow', file))],
    ['a symlink to itself', /ssh is a symlink$/, () => replaceBy((file) => fs.symlinkSync('ssh', file))],
    ['a hard link', /more than one name/, (file) => fs.linkSync(file, `${user.home}/second-name`)],
    ['a FIFO', /is no regular file$/, () => replaceBy((file) => void must(['mkfifo', '-m', '600', file]))],
    ['an endless device', /is no regular file$/, () => replaceBy((file) => void must(['mknod', '-m', '600', file, 'c', '1', '5']))],
    ['a folder', /is no regular file$/, () => replaceBy((file) => fs.mkdirSync(file, 0o700))],
    ['a file of 1 GB', /is over \d+ bytes$/, (file) => fs.truncateSync(file, 2 ** 30)],
    ['a file of somebody else', /belongs to somebody else$|\(EACCES\)$/, (file) => fs.chownSync(file, 1, 1)],
    // Root could read it: that this fails shows who reads.
    ['a file that only root can read', /permission denied \(EACCES\)$/, (file) => fs.chownSync(file, 0, 0)],
    ['a file that the group can read', /has mode 0640/, (file) => fs.chmodSync(file, 0o640)],
    ['an empty file', /./, (file) => fs.truncateSync(file, 0)],
    ['a file that was cut off', /./, (file) => fs.truncateSync(file, 200)],
    ['a file of NULs', /./, (file) => fs.writeFileSync(file, Buffer.alloc(1000))],
  ];

  for (const [what, detail, make] of hostile) {
    it(`refuses ${what} in place of the sealed file`, async () => {
      make(enrolled.file);
      const why = await refusedWith();
      assert.match(why, /^bad_secret_file: /);
      assert.match(why, detail);
      fs.rmSync(`${user.home}/second-name`, { force: true });
    });
  }

  it('refuses a file with one bit flipped in its ciphertext, which is not the registered one', async () => {
    flipInCiphertext(enrolled.file);
    assert.match(await refusedWith(), /^stale_enrolment: .*other content/);
  });

  it('refuses a socket in place of the sealed file', async () => {
    fs.rmSync(enrolled.file);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(enrolled.file, resolve));
    fs.chownSync(enrolled.file, user.uid, user.gid);
    const why = await refusedWith();
    await new Promise((resolve) => server.close(resolve));
    assert.match(why, /^bad_secret_file: .*(is a socket|ENXIO)/);
  });

  it('refuses a folder of secrets that others can write, that is a symlink, or that is a FIFO', async () => {
    const folder = `${user.home}/.notp`;
    fs.chmodSync(folder, 0o777);
    assert.match(await refusedWith(), /^bad_secret_file: .*can be written by others/);
    fs.chmodSync(folder, 0o700);
    fs.renameSync(folder, `${user.home}/elsewhere`);
    fs.symlinkSync('elsewhere', folder);
    assert.match(await refusedWith(), /^bad_secret_file: .*is a symlink/);
    fs.rmSync(folder);
    must(['mkfifo', folder]);
    fs.chownSync(folder, user.uid, user.gid);
    assert.match(await refusedWith(), /^bad_secret_file: .*is no folder/);
    fs.rmSync(`${user.home}/elsewhere`, { recursive: true });
  });

  it('touches nothing in the home when it accepts', async () => {
    await enrol();
    await untilFreshStep();
    const untouched = traceOf(user.home);
    assert.equal((await world.pam(user.name, oathCode(enrolled.secret))).code, 0);
    assert.equal(traceOf(user.home), untouched);
  });

  it('refuses when the sealed file was deleted', async () => {
    fs.rmSync(enrolled.file);
    assert.match(await refusedWith(), /^bad_secret_file: the sealed file is missing/);
  });

  it('refuses an old copy that was put back', async () => {
    const old = fs.readFileSync(enrolled.file);
    await enrol();
    fs.writeFileSync(enrolled.file, old);
    assert.match(await refusedWith(), /^stale_enrolment: /);
  });

  it('refuses the file of somebody else', async () => {
    const other = addUser();
    const theirs = await world.enroll(other);
    fs.writeFileSync(enrolled.file, fs.readFileSync(theirs.file));
    assert.match(await refusedWith(), /^bad_secret_file: .*sealed for another user/);
  });

  it('refuses when the host key is another one, or is gone', async () => {
    const key = `${world.folder}/etc/host.key`;
    const right = fs.readFileSync(key);
    fs.writeFileSync(key, randomBytes(right.length));
    assert.match(await refusedWith(), /^store_unavailable: the head of the audit chain .* is of a host key that is not here/);
    fs.renameSync(key, `${key}.away`);
    assert.match(await refusedWith(), /^store_unavailable: /);
    fs.renameSync(`${key}.away`, key);
    fs.writeFileSync(key, right);
    await enrol();
    await untilFreshStep();
    assert.equal((await world.pam(user.name, oathCode(enrolled.secret))).code, 0);
  });

  it('refuses when the database is missing, is damaged, or is not its own', async () => {
    const database = `${world.folder}/var/state.db`;
    fs.renameSync(database, `${database}.away`);
    assert.match(await refusedWith(), /^store_unavailable: .*no such file/);
    fs.writeFileSync(database, 'this is no database'.repeat(100), { mode: 0o600 });
    assert.match(await refusedWith(), /^store_unavailable: .*not a private file/);
    fs.chownSync(database, world.service.uid, world.service.gid);
    assert.match(await refusedWith(), /^store_unavailable: .*not a database/);
    fs.renameSync(`${database}.away`, database);
    await enrol();
    await untilFreshStep();
    assert.equal((await world.pam(user.name, oathCode(enrolled.secret))).code, 0);
  });
});

/** The ciphertext stays canonical base64: only the tag can tell. */
function flipInCiphertext(file: string): void {
  const text = fs.readFileSync(file, 'utf8');
  const sealed = JSON.parse(text) as { ciphertext: string };
  const bytes = Buffer.from(sealed.ciphertext, 'base64');
  bytes[10] = (bytes[10] ?? 0) ^ 1;
  fs.writeFileSync(file, text.replace(sealed.ciphertext, bytes.toString('base64')));
}

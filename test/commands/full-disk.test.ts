/** A full disk, and one that is read-only: logins go on or are refused with the reason, and enrolments lose nothing. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run, type Ran } from '../support/process.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { lacks, scratchFolder, serviceUser, SOURCE_NOTP, type Enrolled } from '../support/world.ts';
import { ownState, type OwnState } from './own-state.ts';

const NEEDS = lacks({ root: true, programs: ['mount', 'umount', 'useradd'] });

describe('a full disk under secrets, state and log', { skip: NEEDS }, () => {
  let disk: SmallDisk;
  let own: OwnState;
  let enrolled: Enrolled;
  let next = 0;
  const code = (): string => enrolled.recovery[next++] ?? '';
  before(async () => {
    disk = new SmallDisk(path.join(scratchFolder('full-all'), 'disk'));
    own = ownState('full-own', { parent: disk.folder });
    enrolled = await own.enrol('ssh', ['--recovery', '32']);
  });

  it('lets people in and refuses others, and the log has a record of each when there is space again', async () => {
    disk.fill();
    const refs: string[] = [];
    const tried = async (input: string): Promise<number | null> => {
      const ran = await own.verify(input);
      refs.push((JSON.parse(ran.stdout) as { ref: string }).ref);
      return ran.code;
    };
    // The last page of the log takes some more lines.
    for (let i = 0; i < 20; i++) assert.equal(await tried('no code'), 1);
    assert.equal(await tried(code()), 0);
    const log = path.join(own.secrets, '.audit.log');
    assert.ok(!fs.readFileSync(log, 'utf8').includes(refs.at(-1) ?? ''), 'the disk was not full');
    assert.match((await own.notp(['audit', 'verify'])).stdout, /^The log is whole: /);
    disk.free();
    assert.equal(await tried(code()), 0);
    const text = fs.readFileSync(log, 'utf8');
    for (const ref of refs) assert.ok(text.includes(`"ref":"${ref}"`), ref);
    assert.match((await own.notp(['audit', 'verify'])).stdout, /^The log is whole: /);
  });

  it('fails an enrolment at whatever moment the space ends, and leaves the old one working and no temporary file', async () => {
    const outcomes = new Set<number | null>();
    for (let pages = 0; pages <= 4; pages++) {
      disk.fill(pages);
      const words = ['--no-confirm', '--replace', '--json', '--recovery', '32', '--passphrase-file', own.passphraseFile];
      const ran = await own.notp(['enroll', '--seal', 'passphrase', ...words]);
      outcomes.add(ran.code);
      disk.free();
      assert.deepEqual(
        fs.readdirSync(own.secrets).filter((name) => name.endsWith('.tmp')),
        [],
      );
      if (ran.code === 0) [enrolled, next] = [JSON.parse(ran.stdout) as Enrolled, 0];
      else assert.match(ran.stderr, /^notp: error: .*\nnotp: hint: /m);
      const verified = await own.verify(code());
      assert.equal(verified.code, 0, `${String(pages)} pages free: ${ran.stderr}\n${verified.stderr}`);
    }
    assert.ok(outcomes.has(3), 'the disk was never full');
  });

  it('read-only, refuses logins and enrolments, and forgets nothing', async () => {
    disk.remount('ro');
    const spared = code();
    try {
      const refused = await own.verify(spared);
      assert.equal(refused.code, 3);
      assert.match(refused.stdout, /"reason":"(store|audit)_unavailable"/);
      const ran = await own.notp(['enroll', '--seal', 'passphrase', '--no-confirm', '--replace', '--passphrase-file', own.passphraseFile]);
      assert.equal(ran.code, 3);
      assert.doesNotMatch(ran.stderr, /internal error/);
    } finally {
      disk.remount('rw');
    }
    assert.equal((await own.verify(spared)).code, 0);
  });
});

describe('a full disk under secrets and state, with the log elsewhere', { skip: NEEDS }, () => {
  let disk: SmallDisk;
  let config: string;
  let passphraseFile: string;
  const notp = (words: readonly string[], input = ''): Promise<Ran> =>
    run([...SOURCE_NOTP, ...words, '--config', config, '--passphrase-file', passphraseFile], { input });
  before(async () => {
    const { uid, gid } = serviceUser();
    disk = new SmallDisk(path.join(scratchFolder('full-state'), 'disk'));
    const folder = scratchFolder('full-config');
    config = path.join(folder, 'notp.toml');
    passphraseFile = path.join(folder, 'passphrase');
    fs.writeFileSync(passphraseFile, 'correct horse\n');
    const state = path.join(disk.folder, 'state');
    const log = path.join(folder, 'log');
    for (const each of [state, log]) {
      fs.mkdirSync(each, { mode: 0o700 });
      fs.chownSync(each, uid, gid);
    }
    const top = `secrets = "${disk.folder}/%u"\nhost_key = "${folder}/host.key"\n`;
    fs.writeFileSync(config, `${top}[store]\nurl = "sqlite:${state}/state.db"\n[audit]\nfile = "${log}/audit.log"\njournal = false\n`);
    const { code, stderr } = await run([...SOURCE_NOTP, 'host-key', 'init', '--config', config]);
    assert.equal(code, 0, stderr);
  });

  for (const seal of ['passphrase', 'host']) {
    it(`lets people in all the same, and fails an enrolment that leaves the old one working (${seal} seal)`, async () => {
      const enrol = ['enroll', seal, '--seal', seal, '--no-confirm', '--json', '--replace'];
      const { recovery } = JSON.parse((await notp(enrol)).stdout) as Enrolled;
      disk.fill();
      const accepted = await notp(['verify', seal, '--code-stdin'], `${recovery[0] ?? ''}\n`);
      assert.equal(accepted.code, 0, accepted.stderr);
      const replayed = await notp(['verify', seal, '--code-stdin', '--json'], `${recovery[0] ?? ''}\n`);
      assert.match(replayed.stdout, /"replayed"/);
      const failed = await notp(enrol);
      assert.equal(failed.code, 3);
      assert.match(failed.stderr, /ENOSPC.*\nnotp: hint: nothing was changed/);
      assert.equal(failed.stdout, '', 'a secret that was not enrolled was printed');
      assert.deepEqual(
        fs.readdirSync(path.join(disk.folder, 'root')).filter((name) => name.startsWith('.')),
        [],
      );
      assert.equal((await notp(['verify', seal, '--code-stdin'], `${recovery[1] ?? ''}\n`)).code, 0);
      disk.free();
    });
  }
});

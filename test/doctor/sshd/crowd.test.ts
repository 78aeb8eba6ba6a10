/** A crowd: 500 enrolled users, told apart by Match blocks or not, are looked at within the half minute that an administrator waits. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/doctor.ts';
import { openSqliteStore } from '../../../src/store/sqlite/sqlite.ts';
import { run, type Ran } from '../../support/process.ts';
import { haveHost } from '../../support/host-lock.ts';
import { lacks, must, scratchFolder, serviceUser, SOURCE_NOTP, writeConfig } from '../../support/world.ts';

const USERS = 500;
const LIMIT_MS = 120_000;
const FIRST_UID = 3_000_000;

describe('doctor among 500 enrolled users', { skip: lacks({ root: true, programs: ['sshd', 'ssh-keygen', 'unshare', 'mount'] }) }, () => {
  let folder: string;
  let config: string;
  const names = Array.from({ length: USERS }, (_, i) => `crowd${String(i)}`);

  before(async () => {
    folder = scratchFolder('crowd');
    haveHost('alone');
    const service = serviceUser();
    config = writeConfig(folder);
    fs.mkdirSync('/run/sshd', { recursive: true });
    must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path.join(folder, 'host')]);
    assert.equal((await run([...SOURCE_NOTP, 'host-key', 'init', '--config', config])).code, 0);
    await enrolAll(path.join(folder, 'var/state.db'));
    for (const name of ['state.db', 'state.db-journal']) {
      const file = path.join(folder, 'var', name);
      if (fs.existsSync(file)) fs.chownSync(file, service.uid, service.gid);
    }
    // They exist in a mount namespace alone, in a copy of /etc: a file that is mounted over /etc/passwd is gone when useradd(8) replaces that.
    must(['cp', '-a', '/etc', path.join(folder, 'etc')]);
    const entries = names.map((name, i) => `${name}:x:${String(FIRST_UID + i)}:${String(FIRST_UID)}::/nonexistent:/bin/sh\n`).join('');
    fs.writeFileSync(path.join(folder, 'etc/passwd'), fs.readFileSync('/etc/passwd', 'utf8') + entries);
    const groups = `crowd:x:${String(FIRST_UID)}:\neven:x:${String(FIRST_UID + 1)}:${names.filter((_, i) => i % 2 === 0).join()}\n`;
    fs.writeFileSync(path.join(folder, 'etc/group'), fs.readFileSync('/etc/group', 'utf8') + groups);
  });

  async function enrolAll(database: string): Promise<void> {
    const store = openSqliteStore(database, { create: false });
    await store.exclusively(async (transaction) => {
      for (const user of names) {
        const state = { lastStep: 0, bucket: { tokens: 5, asOfMs: Date.now() }, spent: '' };
        await transaction.insert({
          user,
          context: 'ssh',
          id: 'a'.repeat(32),
          digest: 'a'.repeat(64),
          pendingId: '',
          pendingDigest: '',
          status: 'active',
          state,
          pendingState: {},
          lastAcceptedMs: 0,
          uid: -1,
        });
      }
    });
    store.close();
  }

  async function doctor(lines: readonly string[]): Promise<{ ran: Ran; findings: Finding[] }> {
    const sshdConfig = path.join(folder, 'sshd_config');
    fs.writeFileSync(sshdConfig, [`HostKey ${folder}/host`, 'DisableForwarding yes', ...lines, ''].join('\n'));
    const inside = 'mount --bind "$0/etc" /etc && exec "$@"';
    const words = [...SOURCE_NOTP, 'doctor', '--config', config, '--sshd-config', sshdConfig, '--json'];
    const ran = await run(['unshare', '--mount', 'sh', '-c', inside, folder, ...words], { timeoutMs: LIMIT_MS });
    assert.equal(ran.signal, null, 'it did not end in time');
    return {
      ran,
      findings: ran.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Finding),
    };
  }

  it('ends in time, and knows the members of a group from the others', async () => {
    const { ran, findings } = await doctor([
      'Match Group !even,*',
      'ForceCommand /usr/bin/notp gate',
      'Match Address 10.0.0.0/8,::1,192.168.*',
      'X11Forwarding no',
    ]);
    assert.equal(ran.code, 1, ran.stderr);
    assert.deepEqual(usersOf(findings, 'FC1').toSorted(), names.filter((_, i) => i % 2 === 0).toSorted());
    assert.equal(usersOf(findings, 'FC9').length, USERS / 2 + 1);
    assert.equal(usersOf(findings, 'sealed-file').length, USERS);
  });

  it('ends in time where hundreds have a Match block of their own', async () => {
    const blocks = names.slice(0, 300).flatMap((name) => [`Match User ${name}`, 'ForceCommand none']);
    const { ran, findings } = await doctor([...blocks, 'Match all', 'ForceCommand /usr/bin/notp gate']);
    assert.equal(ran.code, 1, ran.stdout.slice(0, 2_000) + ran.stderr);
    assert.deepEqual(usersOf(findings, 'FC1').toSorted(), names.slice(0, 300).toSorted());
  });
});

/** Whom the findings of a rule are about. */
function usersOf(findings: readonly Finding[], id: string): string[] {
  return findings.filter((finding) => finding.id === id).flatMap(({ user }) => user ?? []);
}

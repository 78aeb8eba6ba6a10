/** State: the store is opened and nothing changes, the log must be the one that the store knows, and enrolments the files that are there. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { examineClock } from '../../../src/doctor/host/clock.ts';
import { examineSealedFiles } from '../../../src/doctor/host/sealed-files.ts';
import { examineState, type StateReport } from '../../../src/doctor/host/state.ts';
import { readConfig } from '../../../src/system/config.ts';
import { userByName, userByUid, type User } from '../../../src/system/users.ts';
import { statePlace } from '../../../src/state/place.ts';
import { run } from '../../support/process.ts';
import { haveHost } from '../../support/host-lock.ts';
import { addUser, lacks, must, scratchFolder, serviceUser, SOURCE_NOTP, writeConfig, type TestUser } from '../../support/world.ts';
import { detailOf, wrong } from '../sshd/sshd-world.ts';

describe('the state', { skip: lacks({ root: true, programs: ['sqlite3'] }) }, () => {
  let folder: string;
  let config: string;
  let alice: TestUser;
  let user: User;
  const examine = async (): Promise<StateReport> => await examineState(statePlace(readConfig(config), userByUid(0)), Date.now);
  const files = async (): Promise<string[]> =>
    wrong(await examineSealedFiles(readConfig(config), [{ user, enrolments: (await examine()).enrolments }], Date.now));
  const notp = async (...words: readonly string[]): Promise<void> => {
    const { code, stderr } = await run([...SOURCE_NOTP, ...words, '--config', config]);
    assert.equal(code, 0, stderr);
  };
  const log = (): string => path.join(folder, 'log/audit.log');
  const database = (): string => path.join(folder, 'var/state.db');
  const contents = (): Buffer[] => [database(), log()].map((file) => fs.readFileSync(file));

  before(async () => {
    folder = scratchFolder('state');
    haveHost('alone');
    serviceUser();
    alice = addUser();
    user = userByName(alice.name) ?? userByUid(0);
    config = writeConfig(folder);
    await notp('host-key', 'init');
  });
  beforeEach(async () => {
    await notp('enroll', '--user', alice.name, '--no-confirm', '--json', '--replace');
  });

  it('is in order, tells the enrolments, and is byte for byte the same afterwards', async () => {
    const earlier = contents();
    const { findings, enrolments } = await examine();
    assert.deepEqual(wrong(findings), [], JSON.stringify(findings));
    assert.deepEqual(
      findings.map(({ id }) => id),
      ['store', 'audit-log', 'audit-chain', 'space', 'space'],
    );
    assert.deepEqual(
      enrolments.map((each) => each.user),
      [alice.name],
    );
    assert.deepEqual(contents(), earlier);
    assert.deepEqual(await files(), []);
  });

  it('is named where the database is damaged, of a newer notp, or somebody else writes for too long', async () => {
    const bytes = fs.readFileSync(database());
    must(['sqlite3', database(), 'PRAGMA user_version = 99']);
    assert.match(detailOf((await examine()).findings, 'store'), /newer notp/);
    fs.writeFileSync(database(), 'not a database, and long enough to be looked at as one'.repeat(100));
    assert.deepEqual(wrong((await examine()).findings), ['store']);
    fs.writeFileSync(database(), bytes);
  });

  it('is no fault where nobody has enrolled yet', async () => {
    fs.renameSync(database(), `${database()}.away`);
    const { findings } = await examine();
    fs.renameSync(`${database()}.away`, database());
    assert.deepEqual(
      findings.map(({ id, severity }) => [id, severity]),
      [['store', 'info']],
    );
  });

  it('is named where the last line of the log was edited, removed or cut off', async () => {
    const text = fs.readFileSync(log(), 'utf8');
    const lines = text.trimEnd().split('\n');
    const last = lines.at(-1) ?? '';
    for (const changed of [
      `${lines.slice(0, -1).join('\n')}\n${last.replace(alice.name, 'mallory')}\n`,
      `${lines.slice(0, -1).join('\n')}\n`,
      text.slice(0, -10),
      '',
    ]) {
      fs.writeFileSync(log(), changed);
      assert.deepEqual(wrong((await examine()).findings), ['audit-chain'], JSON.stringify(changed.slice(-40)));
    }
    fs.writeFileSync(log(), text);
    assert.deepEqual(wrong((await examine()).findings), []);
  });

  it('is named where a line in the middle of the log was edited, though the last one is as it was written', async () => {
    const text = fs.readFileSync(log(), 'utf8');
    const [first = '', second = '', ...rest] = text.split(/(?<=\n)/);
    assert.ok(rest.length > 0);
    fs.writeFileSync(log(), [first, second.replace('"result":"', '"result":"un'), ...rest].join(''));
    const found = (await examine()).findings;
    fs.writeFileSync(log(), text);
    assert.deepEqual(wrong(found), ['audit-chain']);
    assert.match(detailOf(found, 'audit-chain'), /audit\.log:3: does not follow/);
    assert.match(detailOf((await examine()).findings, 'audit-chain'), /audit\.log: records 1 to \d+$/);
  });

  it('goes with a line that a crash left behind, and with a log that was rotated', async () => {
    const { seq } = JSON.parse(fs.readFileSync(log(), 'utf8').trimEnd().split('\n').at(-1) ?? '') as { seq: number };
    const prev = must(['sqlite3', database(), 'SELECT hash FROM chain']).trim();
    fs.appendFileSync(log(), `{"event":"login.refused","seq":${String(seq + 1)},"prev":"${prev}"}\n{"event":"login.refused"}\n`);
    assert.deepEqual(wrong((await examine()).findings), []);
    for (const rotated of [`${log()}.1`, `${log()}-20261201`]) {
      fs.renameSync(log(), rotated);
      assert.deepEqual(wrong((await examine()).findings), [], rotated);
      fs.renameSync(rotated, log());
    }
  });

  it('with a FIFO in the place of its journal kept audit verify and doctor waiting for ever', async () => {
    for (const beside of ['-journal', '-wal', '-shm']) {
      const file = `${database()}${beside}`;
      fs.rmSync(file, { force: true });
      must(['mkfifo', '--mode=0666', file]);
      const { code, stderr } = await run([...SOURCE_NOTP, 'audit', 'verify', '--config', config], { timeoutMs: 20_000 });
      const found = (await examine()).findings;
      fs.rmSync(file);
      assert.deepEqual([code, wrong(found)], [3, ['store']], stderr);
      assert.equal(detailOf(found, 'store'), `${file} is not a regular file`);
    }
    assert.deepEqual(wrong((await examine()).findings), []);
  });

  it('is named where the log takes no line', async () => {
    fs.renameSync(log(), `${log()}.away`);
    fs.mkdirSync(log());
    const found = wrong((await examine()).findings);
    fs.rmdirSync(log());
    fs.renameSync(`${log()}.away`, log());
    assert.deepEqual(found, ['audit-log']);
  });

  it('is named where the log was rotated away, and its folder takes no new one', async () => {
    const logs = path.dirname(log());
    const { uid, gid } = fs.statSync(logs);
    fs.renameSync(log(), `${log()}.1`);
    fs.chownSync(logs, 0, 0);
    fs.chmodSync(logs, 0o755);
    const { findings } = await examine();
    fs.chownSync(logs, uid, gid);
    fs.chmodSync(logs, 0o700);
    const mended = wrong((await examine()).findings);
    fs.renameSync(`${log()}.1`, log());
    assert.deepEqual([wrong(findings), mended], [['audit-log'], []]);
    assert.match(detailOf(findings, 'audit-log'), /^notp cannot create files in /);
  });

  it('is named for the user whose sealed file is missing, open to others, an older one, or no such file', async () => {
    const file = path.join(alice.home, '.notp/ssh');
    const older = fs.readFileSync(file);
    await notp('enroll', '--user', alice.name, '--no-confirm', '--json', '--replace');
    const current = fs.readFileSync(file);
    for (const change of [
      () => fs.writeFileSync(file, older),
      () => fs.writeFileSync(file, '{}'),
      () => fs.chmodSync(file, 0o644),
      () => fs.chmodSync(path.dirname(file), 0o777),
      () => fs.rmSync(file),
    ]) {
      change();
      assert.deepEqual(await files(), [`sealed-file ${alice.name}`], change.toString());
      fs.writeFileSync(file, current, { mode: 0o600 });
      fs.chmodSync(file, 0o600);
      fs.chmodSync(path.dirname(file), 0o700);
      fs.chownSync(file, alice.uid, alice.gid);
      assert.deepEqual(await files(), []);
    }
  });

  it('tells that the clock is behind a code that was accepted, and not where it is only a window behind', async () => {
    const { enrolments } = await examine();
    const now = Date.now();
    const accepted = (lastAcceptedMs: number): string[] =>
      wrong(
        examineClock(
          readConfig(config),
          enrolments.map((each) => ({ ...each, lastAcceptedMs, state: { ...each.state, lastStep: Math.floor(lastAcceptedMs / 30_000) } })),
          now,
        ),
      ).filter((each) => each.startsWith('clock-behind'));
    assert.deepEqual(accepted(now + 3_600_000), [`clock-behind ${alice.name}`]);
    assert.deepEqual([accepted(now + 30_000), accepted(now - 1000), accepted(0)], [[], [], []]);
  });
});

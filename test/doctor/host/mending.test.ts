/** The fix of a file that is not as it must be: root can run it whatever a user puts in its place before, and it mends what it is for. */
import * as assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/finding.ts';
import { run } from '../../support/process.ts';
import { haveHost } from '../../support/host-lock.ts';
import { addUser, lacks, scratchFolder, serviceUser, SOURCE_NOTP, writeConfig, type TestUser } from '../../support/world.ts';

describe("doctor's fix", { skip: lacks({ root: true, programs: ['sshd', 'ssh-keygen', 'runuser'] }) }, () => {
  let folder: string;
  let victims: string;
  let config: string;
  let alice: TestUser;
  let service: TestUser;
  const sealed = (): string => path.join(alice.home, '.notp/ssh');
  const own = (name: string): string => path.join(folder, name);
  const doctor = async (): Promise<Finding[]> => {
    const { stdout } = await run([...SOURCE_NOTP, 'doctor', '--json', '--config', config]);
    const found = stdout.trimEnd().split('\n');
    return found.map((line) => JSON.parse(line) as Finding);
  };
  const fixOf = async (id: string): Promise<string> =>
    (await doctor()).find((finding) => finding.id === id && finding.severity === 'fail')?.fix ?? '';
  const asRoot = (fix: string): void => void spawnSync('/bin/sh', ['-c', fix], { cwd: folder, timeout: 10_000 });
  /** Whose each file is, and its mode. */
  const standing = (): string[] =>
    [victims, ...fs.readdirSync(victims).map((name) => path.join(victims, name))].map((file) => {
      const { uid, mode } = fs.statSync(file);
      return `${file} ${String(uid)} ${mode.toString(8)}`;
    });
  /** What `file` is, is put aside, and a link of `user` to something of root's is there. */
  const exchanged = (file: string, { uid, gid }: TestUser, work: () => void): void => {
    const aim = fs.statSync(file).isDirectory() ? victims : path.join(victims, path.basename(file));
    fs.renameSync(file, `${file}.aside`);
    fs.symlinkSync(aim, file);
    fs.lchownSync(file, uid, gid);
    work();
    fs.rmSync(file);
    fs.renameSync(`${file}.aside`, file);
  };

  before(async () => {
    haveHost('alone');
    service = serviceUser();
    folder = scratchFolder('mending');
    victims = path.join(folder, 'victims');
    fs.mkdirSync(victims, { mode: 0o711 });
    for (const name of ['ssh', 'state.db', 'audit.log']) fs.writeFileSync(path.join(victims, name), '', { mode: 0o640 });
    config = writeConfig(folder);
    alice = addUser();
    assert.equal((await run([...SOURCE_NOTP, 'host-key', 'init', '--config', config])).code, 0);
  });
  beforeEach(async () => {
    const words = ['enroll', '--user', alice.name, '--no-confirm', '--json', '--replace', '--config', config];
    const { code, stderr } = await run([...SOURCE_NOTP, ...words]);
    assert.equal(code, 0, stderr);
  });

  for (const [what, id, file, mode] of [
    ['a sealed file that others can read', 'sealed-file', sealed, 0o644],
    ['a folder of sealed files that others can write', 'sealed-file', () => path.dirname(sealed()), 0o777],
    ['a home that others can write', 'sealed-file', () => alice.home, 0o777],
    ['a state that others can read', 'state-file', () => own('var/state.db'), 0o644],
    ['a folder of the state that others can read', 'state-folder', () => own('var'), 0o755],
    ['an audit log that others can read', 'log-file', () => own('log/audit.log'), 0o644],
    ['a folder of the log that others can write', 'log-folder', () => own('log'), 0o777],
  ] as const)
    it(`for ${what} mends it, and follows no link that its owner puts there`, async () => {
      const earlier = fs.statSync(file()).mode & 0o7777;
      fs.chmodSync(file(), mode);
      const fix = await fixOf(id);
      const owner = id === 'sealed-file' ? alice : service;
      assert.match(fix, new RegExp(`^runuser -u ${owner.name} -- chmod \\S+ ${file()}$`));
      const earlierOfVictims = standing();
      exchanged(file(), owner, () => {
        asRoot(fix);
      });
      assert.deepEqual(standing(), earlierOfVictims);
      asRoot(fix);
      assert.deepEqual(
        (await doctor()).filter((finding) => finding.id === id && finding.severity === 'fail'),
        [],
      );
      fs.chmodSync(file(), earlier);
    });

  it('for a sealed file of somebody else is a new enrolment, and not to give the user what lies there', async () => {
    fs.chownSync(sealed(), service.uid, service.gid);
    assert.equal(await fixOf('sealed-file'), `notp-enroll ${alice.name} ssh --replace`);
    const words = ['enroll', 'ssh', '--user', alice.name, '--no-confirm', '--json', '--replace', '--config', config];
    assert.equal((await run([...SOURCE_NOTP, ...words])).code, 0);
    assert.equal(await fixOf('sealed-file'), '');
  });

  for (const [id, name, mode] of [
    ['state-file', 'var/state.db', '600'],
    ['state-folder', 'var', '700'],
    ['log-file', 'log/audit.log', '600'],
    ['host-key', 'etc/host.key', '400'],
  ] as const)
    it(`for ${name} of somebody else gives it back, and follows no link there`, async () => {
      const earlier = fs.statSync(own(name));
      fs.chownSync(own(name), alice.uid, alice.gid);
      const fix = await fixOf(id);
      assert.equal(fix, `chown -h notp ${own(name)} && runuser -u notp -- chmod ${mode} ${own(name)}`);
      const earlierOfVictims = standing();
      if (name !== 'etc/host.key')
        exchanged(own(name), service, () => {
          asRoot(fix);
        });
      assert.deepEqual(standing(), earlierOfVictims);
      asRoot(fix);
      assert.equal(await fixOf(id), '');
      fs.chownSync(own(name), earlier.uid, earlier.gid);
      fs.chmodSync(own(name), earlier.mode & 0o7777);
    });

  it('is no command for what lies in a folder that somebody else can change', async () => {
    fs.chownSync(own('var'), alice.uid, alice.gid);
    fs.chownSync(own('log'), alice.uid, alice.gid);
    fs.chownSync(own('log/audit.log'), alice.uid, alice.gid);
    const fix = await fixOf('log-file');
    fs.chownSync(own('var'), service.uid, service.gid);
    fs.chownSync(own('log'), service.uid, service.gid);
    fs.chownSync(own('log/audit.log'), service.uid, service.gid);
    assert.equal(fix, `first give it to root and let nobody else write it: ${own('log')} does not belong to root`);
  });

  it('is no command for a program that others could write: what they left in it stays there', async () => {
    const { examineProgram } = await import('../../../src/doctor/host/trust.ts');
    const program = own('notp');
    fs.writeFileSync(program, '', { mode: 0o755 });
    fs.chownSync(program, alice.uid, alice.gid);
    assert.match(examineProgram('FC1', program).fix, /install notp again/);
  });
});

describe('the hint of a configuration in the home of a user', { skip: lacks({ root: true }) }, () => {
  it('has no command of root for what the user can exchange', async () => {
    const user = addUser();
    const file = path.join(user.home, 'notp.toml');
    fs.writeFileSync(file, '', { mode: 0o666 });
    const { code, stderr } = await run([...SOURCE_NOTP, 'list', '--config', file]);
    assert.equal(code, 3);
    assert.match(
      stderr,
      new RegExp(`^notp: error: ${user.home} belongs to somebody else\nnotp: hint: put it in folders that only root can write`),
    );
  });
});

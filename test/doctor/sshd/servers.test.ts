/** The sshds that run: each one that listens is found with its own program and options, and none that serves a session. */
import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { couldLook } from '../../../src/doctor/finding.ts';
import { runningServers, type Server } from '../../../src/doctor/sshd/servers.ts';
import { examineServer, serversFor } from '../../../src/doctor/sshd/sshd.ts';
import { startSshd, type Sshd } from '../../support/sshd.ts';
import { atEnd } from '../../support/cleanup.ts';
import { sleep } from '../../support/process.ts';
import { addUser, lacks, scratchFolder, type TestUser } from '../../support/world.ts';
import { detailOf, sshdWorld, wrong } from './sshd-world.ts';

describe('two sshds that run', { skip: lacks({ root: true, programs: ['sshd', 'ssh', 'ssh-keygen'] }) }, () => {
  let folder: string;
  let open: Sshd;
  let user: TestUser;
  const own = (): ReturnType<typeof runningServers> => runningServers().filter(({ config }) => config.startsWith(folder));

  before(async () => {
    folder = scratchFolder('servers');
    const program = path.join(folder, 'sshd-notp');
    fs.symlinkSync('/usr/sbin/sshd', program);
    await startSshd(folder, ['ForceCommand /usr/bin/notp gate', 'DisableForwarding yes', 'UsePAM no'], program);
    open = await startSshd(folder, ['UsePAM no']);
    user = addUser();
    open.authorize(user);
  });

  it('are both found, each with its own program and configuration', () => {
    const found = own();
    assert.deepEqual(
      found.map(({ program }) => program),
      ['/usr/sbin/sshd', '/usr/sbin/sshd'],
    );
    assert.deepEqual(found.map(({ name }) => name).toSorted(), ['sshd', 'sshd-notp']);
    assert.equal(new Set(found.map(({ config }) => config)).size, 2);
  });

  it('are judged each for itself: the one without a gate is named', async () => {
    const world = sshdWorld();
    const reports = await Promise.all(
      own().map(async ({ config, name }) => await world.examine(config, { names: [user.name], pamService: name })),
    );
    assert.deepEqual(reports.map(({ doors }) => String(doors.gate)).toSorted(), ['false', 'true']);
    const bare = reports.find(({ doors }) => !doors.gate);
    assert.deepEqual(wrong(bare?.findings ?? []), ['no-gate']);
    assert.ok(detailOf(bare?.findings ?? [], 'no-gate').includes(folder));
  });

  it('are no more while a session of one is open', async () => {
    const session = open.ssh(user, ['cat'], { input: '' });
    const during = open.ssh(user, ['sleep', '2']);
    await session;
    assert.equal(own().length, 2);
    await during;
  });

  it('keep the options that they were started with', async () => {
    const config = path.join(folder, 'optional');
    const key = own()[0]?.config.replace(/config$/, 'host') ?? '';
    fs.writeFileSync(config, `ListenAddress 127.0.0.1\nPidFile none\nHostKey ${key}\n`);
    const server = spawn('/usr/sbin/sshd', ['-D', '-p', '47022', '-o', 'ForceCommand none', '-f', config], { stdio: 'ignore' });
    atEnd(() => void server.kill());
    const found = await until(() => own().find((each) => each.config === config));
    assert.deepEqual(found.options, ['-p', '47022', '-o', 'ForceCommand none']);
    server.kill();
  });

  for (const [words, options] of [
    [['-Df', 'FILE'], []],
    [
      ['-DeoForceCommand=none', '-fFILE'],
      ['-o', 'ForceCommand=none'],
    ],
    [
      ['-4Dp', '47023', '-ef', 'FILE', '-o', 'ForceCommand none'],
      ['-p', '47023', '-o', 'ForceCommand none'],
    ],
    [
      ['-Do', 'ForceCommand=/bin/sh', '-f', 'FILE', '-D'],
      ['-o', 'ForceCommand=/bin/sh'],
    ],
  ] as const)
    it(`have the options that are written together, as sshd reads them: ${words.join(' ')}`, async () => {
      const config = path.join(folder, 'together');
      const key = own()[0]?.config.replace(/config$/, 'host') ?? '';
      fs.writeFileSync(config, `ListenAddress 127.0.0.1\nPort 47024\nPidFile none\nHostKey ${key}\n`);
      const given = words.map((word) => word.replace('FILE', config));
      const server = spawn('/usr/sbin/sshd', given, { stdio: 'ignore' });
      atEnd(() => void server.kill());
      // It writes its title in place, so that it may be read half.
      const isAsked = (each: Server): boolean => each.config === config && isDeepStrictEqual(each.options, options);
      await until(() => runningServers().find((each) => each.pid === server.pid && isAsked(each)));
      server.kill();
      await once(server, 'exit');
    });

  it('are named where their options cannot be told, for their title is cut', async () => {
    const config = path.join(folder, 'cut');
    const key = own()[0]?.config.replace(/config$/, 'host') ?? '';
    fs.writeFileSync(config, `ListenAddress 127.0.0.1\nPort 47025\nPidFile none\nHostKey ${key}\n`);
    // With coverage, Node gives each child a variable, whatever `env` says.
    const server = spawn('/usr/bin/env', ['-i', '/usr/sbin/sshd', '-D', '-f', config], { stdio: 'ignore' });
    atEnd(() => void server.kill());
    const found = await until(() => runningServers().find(({ pid, isCut }) => pid === server.pid && isCut === true));
    const { findings } = await examineServer(found, [], { expect: () => undefined, progress: () => undefined });
    server.kill();
    assert.deepEqual(wrong(findings), ['sshd-unseen']);
    assert.equal(couldLook(findings), false);
  });

  it('are not what somebody else calls a process of theirs', async () => {
    const pretend = spawn(
      '/bin/bash',
      ['-c', `exec -a 'sshd: ${folder}/evil -D -f ${folder}/evil.conf [listener] 0 of 10-100 startups' sleep 20`],
      { uid: user.uid, gid: user.gid, stdio: 'ignore' },
    );
    atEnd(() => void pretend.kill());
    await until(() => (fs.readFileSync(`/proc/${String(pretend.pid)}/cmdline`, 'latin1').startsWith('sshd: ') ? true : undefined));
    assert.deepEqual(
      own().filter(({ config }) => config.includes('evil')),
      [],
    );
    pretend.kill();
  });

  it('give way to the file that is named', () => {
    const [only, ...rest] = serversFor('/tmp/some/sshd_config');
    assert.deepEqual([only?.config, only?.pid, rest], ['/tmp/some/sshd_config', undefined, []]);
  });
});

/** Waits for what `seen` gives, for some seconds. */
async function until<T>(seen: () => T | undefined): Promise<T> {
  for (let i = 0; i < 200; i++) {
    const found = seen();
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error('waited in vain');
}

/** The sshds that run: each one that listens is found with its own program and options, and none that serves a session. */
import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { couldCheck } from '../../../src/doctor/finding.ts';
import { runningServers, type Server } from '../../../src/doctor/sshd/servers.ts';
import { examineServer, serversFor } from '../../../src/doctor/sshd/sshd.ts';
import { startSshd, type Sshd } from '../../support/sshd.ts';
import { atEnd } from '../../support/cleanup.ts';
import { sleep } from '../../support/process.ts';
import { addUser, lacks, must, scratchFolder, type TestUser } from '../../support/world.ts';
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
    assert.equal(couldCheck(findings), false);
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

const HIDDEN = ['unshare', 'mount', 'setpriv', 'chroot', 'ldd', 'python3'];

describe('root processes that call themselves sshd', { skip: lacks({ root: true, programs: ['sshd', ...HIDDEN] }) }, () => {
  const hear = { expect: (): void => undefined, progress: (): void => undefined };
  let folder: string;
  let user: TestUser;
  let ran: string;

  before(() => {
    folder = scratchFolder('pretenders');
    user = addUser();
    ran = path.join(folder, 'ran');
  });

  /** Starts a shell as the process `how` ends in (`exec -a "$0"`), whose configuration by its title is a script of its own. */
  const pretend = async (how: string, then = 'true'): Promise<Server> => {
    const script = path.join(folder, 'script');
    fs.rmSync(ran, { force: true });
    fs.writeFileSync(script, `#!/bin/sh\ntouch ${ran}\n`);
    const title = `sshd: /usr/sbin/sshd -D -f ${script} [listener] 0 of 10-100 startups`;
    const home = fs.mkdtempSync(path.join(folder, 'home-'));
    fs.chmodSync(home, 0o755);
    fs.copyFileSync('/bin/bash', path.join(home, 'sshd'));
    // What waits for its standard input is there until it is ended.
    const child = spawn('/bin/bash', ['-c', `set -e; cd ${home}; ${how}`, title, user.name], { stdio: ['pipe', 'ignore', 'inherit'] });
    atEnd(() => void child.kill('SIGKILL'));
    const found = (): Server | undefined => runningServers().find(({ pid, config }) => pid === child.pid && config === script);
    await until(found);
    must(['sh', '-c', `set -e; cd ${home}; ${then}`, user.name]);
    return await until(found);
  };

  for (const [which, how, why, then = 'true'] of [
    ['a shell', 'exec -a "$0" /bin/bash', /bash, which is not an sshd/],
    [
      'a program in memory alone',
      `exec python3 -c 'import os, sys; fd = os.memfd_create("sshd"); os.write(fd, open("sshd", "rb").read()); os.execve(fd, [sys.argv[1]], {})' "$0"`,
      /memfd:sshd, which is not an sshd/,
    ],
    ['a program that is gone', 'exec -a "$0" ./sshd', /sshd is not there/, 'rm sshd'],
    [
      'a program in whose place is one of somebody else',
      'exec -a "$0" ./sshd',
      /does not belong to root/,
      'cp sshd new; chown "$0" new; mv new sshd',
    ],
    ['a program of somebody else', 'chown "$1" sshd; exec -a "$0" ./sshd', /does not belong to root/],
    ['a program in a folder of somebody else', 'chown "$1" .; exec -a "$0" ./sshd', /does not belong to root/],
    [
      'a process of another mount namespace, at whose path somebody else has a script',
      `mkdir at; exec unshare --mount bash -c 'mount -t tmpfs none at; cp sshd at; exec -a "$0" at/sshd' "$0"`,
      /another namespace \(mnt\)/,
      'cp ../script at/sshd; chmod 755 at/sshd; chown "$0" at/sshd',
    ],
    ['a process in another mount namespace', `exec unshare --mount bash -c 'exec -a "$0" ./sshd' "$0"`, /another namespace \(mnt\)/],
    [
      'root of another user namespace',
      `exec unshare --user --map-root-user bash -c 'exec -a "$0" ./sshd' "$0"`,
      /another namespace \(user\)/,
    ],
    [
      'a process in a chroot',
      `cp --parents $(ldd ./sshd | grep -o "/[^ ]*") .; exec chroot . /sshd -c 'exec -a "$0" /sshd' "$0"`,
      /another root folder/,
    ],
    ['a process without capabilities', `exec setpriv --bounding-set=-all bash -c 'exec -a "$0" ./sshd' "$0"`, /lacks capabilities/],
    ['a process with NoNewPrivs', `exec setpriv --no-new-privs bash -c 'exec -a "$0" ./sshd' "$0"`, /NoNewPrivs/],
  ] as const)
    it(`are not run where it is ${which}: doctor ran it with all rights of root`, async () => {
      const server = await pretend(how, then);
      const { findings, asked } = await examineServer(server, [], hear);
      assert.equal(fs.existsSync(ran), false, 'it was run');
      assert.deepEqual([wrong(findings), asked, couldCheck(findings)], [['sshd-unseen'], 0, false]);
      assert.match(detailOf(findings, 'sshd-unseen'), why);
    });

  it('are asked where sshd was upgraded since: by the program that is there now, and that is said', async () => {
    const [program, config] = [path.join(folder, 'sshd'), path.join(folder, 'upgraded')];
    must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path.join(folder, 'host')]);
    fs.writeFileSync(config, `ListenAddress 127.0.0.1\nPort 47026\nPidFile none\nHostKey ${folder}/host\n`);
    fs.mkdirSync('/run/sshd', { recursive: true });
    fs.copyFileSync('/usr/sbin/sshd', program);
    const server = spawn(program, ['-D', '-f', config], { stdio: 'ignore' });
    atEnd(() => void server.kill());
    const started = await until(() => runningServers().find(({ pid, isCut }) => pid === server.pid && isCut === false));
    assert.deepEqual([started.program, started.doubt, started.isReplaced], [program, undefined, false]);
    fs.copyFileSync(program, `${program}.new`);
    fs.renameSync(`${program}.new`, program);
    const after = runningServers().find(({ pid }) => pid === server.pid);
    assert.deepEqual([after?.program, after?.doubt], [program, undefined]);
    const { findings } = await examineServer(after ?? started, [], hear);
    server.kill();
    assert.ok(wrong(findings).includes('sshd-replaced'), wrong(findings).join());
    assert.ok(findings.some(({ id, severity }) => id === 'sshd-config' && severity === 'ok'));
  });

  it('are not the only ones that are judged: the sshd that is installed is, too', async () => {
    const server = await pretend('exec -a "$0" /bin/bash');
    const judged = serversFor(undefined);
    assert.ok(judged.some(({ pid }) => pid === server.pid));
    assert.ok(judged.some(({ doubt }) => doubt === undefined));
  });
});

it('an sshd that somebody else can change is not run, running or not', { skip: lacks({ root: true }) }, async () => {
  const folder = scratchFolder('somebodys');
  const program = path.join(folder, 'sshd');
  fs.writeFileSync(program, `#!/bin/sh\ntouch ${folder}/ran\n`, { mode: 0o777 });
  fs.chmodSync(program, 0o777);
  const server = { program, name: 'sshd', config: '/dev/null', options: [] };
  const { findings } = await examineServer(server, [], { expect: () => undefined, progress: () => undefined });
  assert.deepEqual([wrong(findings), fs.existsSync(path.join(folder, 'ran'))], [['sshd-unseen'], false]);
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

/** What runs as the user reaches the service by its one question only: not its key, state, log and process, and nobody else's socket. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

/** PTRACE_SEIZE of ptrace(2), which stops nothing; prints the error's name. */
const PTRACE = `import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
print("traced" if libc.ptrace(0x4206, int(sys.argv[1]), None, None) == 0 else errno.errorcode[ctypes.get_errno()])`;

const CONNECT = `import errno, socket, sys
try: socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print("connected")
except OSError as error: print(errno.errorcode[error.errno])`;

const HOLD = `import socket, sys, time
held = socket.socket(socket.AF_UNIX); held.connect(sys.argv[1]); print("held", flush=True); time.sleep(600)`;

describe('what runs as the user', { skip: lacks({ ...SERVICE_NEEDS, programs: [...SERVICE_NEEDS.programs, 'pgrep'] }) }, () => {
  let world: ServiceWorld;
  let [alice, bob]: TestUser[] = [];
  let phone: Phone;
  let pid: string;
  let socket: string;

  before(async () => {
    world = await bootService('reach');
    alice = await world.addUser('alice');
    bob = await world.addUser('bob');
    phone = await world.enroll(alice);
    await world.enroll(bob);
    socket = `/run/notp/${String(alice.uid)}.sock`;
    await world.atPrompt(alice);
    // A connection keeps the service running.
    const holder = world.container.inTerminal(['python3', '-c', HOLD, socket], { as: 'alice' });
    await holder.expect(/held/);
    pid = String(await world.servicePid(alice));
  });

  const as = (user: string, ...command: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> =>
    world.container.run(command, { as: user });

  it('cannot read key, credential, state and log, which are there', async () => {
    const credential = `/run/credentials/notp@${String(alice?.uid)}.service/host.key`;
    const files = ['/etc/notp/host.key', credential, '/var/lib/notp/state.db', '/var/log/notp/audit.log'];
    for (const file of files) {
      await world.container.must(['test', '-s', file]);
      for (const user of ['alice', 'bob']) {
        const read = await as(user, 'cat', file);
        assert.deepEqual([read.code, read.stdout], [1, ''], file);
        assert.match(read.stderr, /Permission denied/);
      }
    }
  });

  it('cannot list or write the folders of state, log and sockets', async () => {
    for (const folder of ['/var/lib/notp', '/var/log/notp']) assert.match((await as('alice', 'ls', folder)).stderr, /Permission denied/);
    for (const folder of ['/var/lib/notp', '/var/log/notp', '/etc/notp', '/run/notp']) {
      assert.match((await as('alice', 'touch', `${folder}/planted`)).stderr, /Permission denied/);
    }
  });

  it("cannot look into the service's process", async () => {
    for (const entry of ['mem', 'environ', 'maps', 'root/', 'cwd/', 'fd/']) {
      const path = `/proc/${pid}/${entry}`;
      await world.container.must(['test', '-e', path]);
      const read = entry.endsWith('/') ? await as('alice', 'ls', path) : await as('alice', 'cat', path);
      assert.equal(read.stdout, '', path);
      assert.match(read.stderr, /Permission denied|Operation not permitted/, path);
    }
  });

  it('cannot trace, signal or stop the service', async () => {
    assert.equal((await as('alice', 'python3', '-c', PTRACE, pid)).stdout, 'EPERM\n');
    for (const signal of ['TERM', 'KILL', 'STOP', '0']) {
      assert.match((await as('alice', 'sh', '-c', `kill -${signal} ${pid}`)).stderr, /Operation not permitted/);
    }
    assert.notEqual((await as('alice', 'systemctl', 'stop', `notp@${String(alice?.uid)}.service`)).code, 0);
    assert.notEqual((await as('alice', 'systemctl', 'stop', `notp@${String(alice?.uid)}.socket`)).code, 0);
    assert.equal(String(await world.servicePid(alice as TestUser)), pid);
  });

  it("does not hold the service's key in a process of the user's: the gate has no descriptor of it", async () => {
    const gate = (await world.container.must(['pgrep', '--uid', 'alice', '--full', 'notp.* gate'])).trim().split('\n').at(-1) ?? '';
    const open = await world.container.must(['sh', '-c', `readlink /proc/${gate}/fd/* /proc/${gate}/exe`]);
    assert.match(open, /\/usr\/bin\/notp$/m);
    assert.doesNotMatch(open, /host\.key|state\.db|audit\.log|credentials/);
  });

  it('cannot open the secret in the own sealed file without a code', async () => {
    const file = await world.container.must(['cat', '/home/alice/.notp/ssh'], { as: 'alice' });
    for (const { words, why } of [
      { words: ['notp', 'code', 'ssh', '--once'], why: /notp: error: .*sealed by (the|this) host/ },
      { words: ['notp', 'export', 'ssh'], why: /notp: error: no one-time code was given/ },
    ]) {
      const ran = await as('alice', ...words);
      assert.notEqual(ran.code, 0);
      assert.equal(`${ran.stdout}${ran.stderr}${file}`.includes(phone.secret), false);
      assert.match(ran.stderr, why);
    }
  });

  it("is refused at another user's socket, and cannot take it away or take its place", async () => {
    assert.equal((await as('bob', 'python3', '-c', CONNECT, socket)).stdout, 'EACCES\n');
    assert.equal((await as('alice', 'python3', '-c', CONNECT, socket)).stdout, 'connected\n');
    for (const command of [
      ['rm', '-f', socket],
      ['mv', socket, '/tmp/away'],
      ['ln', '-sf', '/tmp/other', socket],
      ['chmod', '666', socket],
    ]) {
      assert.match((await as('bob', ...command)).stderr, /Permission denied|not permitted|Operation not permitted/);
    }
    assert.equal(await world.container.must(['stat', '--format=%F %U %a', socket]), 'socket alice 600\n');
  });

  it('cannot take the own socket away either', async () => {
    for (const command of [
      ['rm', '-f', socket],
      ['mv', socket, '/tmp/away'],
    ]) {
      assert.match((await as('alice', ...command)).stderr, /Permission denied|not permitted/);
    }
  });

  it("is refused another user's verdict, whatever configuration it names", async () => {
    const own = `socket = "${socket}"\n`;
    await world.container.must(['tee', '/home/bob/own.toml'], { as: 'bob', input: own });
    const code = await phone.code();
    const ran = await world.container.run(['notp', 'verify', '--config', '/home/bob/own.toml', '--code-stdin'], {
      as: 'bob',
      input: `${code}\n`,
    });
    assert.equal(ran.code, 3);
    assert.match(ran.stderr, /EACCES/);
    assert.equal((await world.login(alice as TestUser, code)).code, 0);
  });

  it("does not read the service's records in the journal", async () => {
    const words = ['journalctl', '--no-pager', '--output=cat', `--unit=notp@${String(alice?.uid)}.service`];
    assert.match(await world.container.must(words), /login\.accepted/);
    assert.doesNotMatch((await as('alice', ...words)).stdout, /login/);
  });
});

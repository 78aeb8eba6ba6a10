/** What `notp pam` judges, run as pam_exec runs it: who gets in, who does not, and what the person and the log are told. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { run, sleep } from '../support/process.ts';
import { addUser, lacks, oathCode, runAs, SOURCE_NOTP, installNotp, untilFreshStep, type TestUser } from '../support/world.ts';
import { each, pamWorld, PASSPHRASE, wrongCode, type PamWorld } from './pam-world.ts';

describe('notp pam judges what PAM hands over', { skip: lacks({ root: true, programs: ['oathtool'] }) }, () => {
  let world: PamWorld;
  let alice: TestUser;

  before(async () => {
    world = await pamWorld('pam');
    alice = addUser();
  });

  it('accepts a code once, says nothing then, and tells why it refuses it the second time', async () => {
    const { secret } = await world.enroll(alice);
    await untilFreshStep();
    const code = oathCode(secret);
    assert.deepEqual(await world.pam(alice.name, code), { code: 0, signal: null, stdout: '', stderr: '' });
    const { user, uid, door, service, event, method } = world.lastRecord();
    assert.deepEqual(
      { user, uid, door, service, event, method },
      { user: alice.name, uid: alice.uid, door: 'pam', service: 'sudo', event: 'login.accepted', method: 'totp' },
    );
    const again = await world.pam(alice.name, code);
    assert.equal(again.code, 1);
    assert.match(again.stdout, /^notp: code already used, wait \d+ s for the next one \(ref [0-9a-f]{8}\)\n$/);
    assert.equal(world.recordIn(again.stdout).reason, 'replayed');
  });

  it('takes passphrase and code in one line, and neither of them alone', async () => {
    const { secret } = await world.enrollWithPassphrase(alice);
    await untilFreshStep();
    const code = oathCode(secret);
    const wrong = await world.pam(alice.name, `wrong horse ${code}`);
    assert.equal(wrong.code, 1);
    assert.equal(world.recordIn(wrong.stdout).reason, 'wrong_passphrase');
    const alone = await world.pam(alice.name, code);
    assert.equal(world.recordIn(alone.stdout).reason, 'no_proof');
    assert.equal((await world.pam(alice.name, `${PASSPHRASE} ${code}`)).code, 0);
  });

  it('refuses what is no proof, and none of it costs a try', async () => {
    const { secret } = await world.enroll(alice);
    const code = oathCode(secret);
    const junk = [
      '',
      ' ',
      'hello',
      '12345',
      '1'.repeat(511),
      code.repeat(86),
      Buffer.from([0xff, 0xfe, 0x00, 0x80]),
      `${code}\0`,
      `${code}\n`,
    ];
    await each([...junk, Buffer.alloc(100_000, 'x'), '\b\n\r\x7fINCORRECT'], async (proof) => {
      const { code: status, stdout } = await world.pam(alice.name, proof);
      assert.equal(status, 1, JSON.stringify(proof));
      assert.equal(world.recordIn(stdout).reason, 'no_proof', JSON.stringify(proof));
    });
    assert.equal((await world.pam(alice.name, oathCode(secret))).code, 0);
  });

  it('asks for two consecutive codes after five wrong ones, and takes nothing else then', async () => {
    const { secret, recovery } = await world.enroll(alice);
    const wrong = wrongCode(secret);
    const reasons: (string | undefined)[] = [];
    await each(Array<string>(6).fill(wrong), async (proof) => {
      reasons.push(world.recordIn((await world.pam(alice.name, proof)).stdout).reason);
    });
    assert.equal(reasons.filter((reason) => reason === 'wrong_code').length, 5);
    assert.ok(reasons.includes('step_up_required'));
    await untilFreshStep();
    const right = await world.pam(alice.name, oathCode(secret));
    assert.match(right.stdout, /^notp: too many failed tries: two consecutive codes are needed \(ref /);
    const two = `${oathCode(secret)} ${oathCode(secret, { offsetSeconds: 30 })}`;
    assert.equal((await world.pam(alice.name, two)).code, 0);
    assert.equal(world.lastRecord().method, 'step_up');
    assert.equal((await world.pam(alice.name, recovery[0] ?? '')).code, 0);
    assert.equal(world.records().at(-2)?.method, 'recovery');
  });

  it('authenticates in no other phase of PAM than auth', async () => {
    const { secret } = await world.enroll(alice);
    await untilFreshStep();
    await each(['account', 'open_session', 'close_session', 'password', 'AUTH', '', undefined], async (type) => {
      const { code, stdout } = await world.pam(alice.name, oathCode(secret), { environment: { PAM_TYPE: type } });
      assert.equal(code, 1, type ?? 'no type');
      assert.equal(world.recordIn(stdout).reason, 'not_permitted');
    });
    assert.equal((await world.pam(alice.name, oathCode(secret))).code, 0);
  });

  it('refuses to judge for anybody but root', async () => {
    const { secret } = await world.enroll(alice);
    const notp = installNotp(world.folder);
    const ran = await runAs(alice, [notp, 'pam', '--config', world.config], {
      environment: { PAM_TYPE: 'auth', PAM_USER: alice.name },
      input: oathCode(secret),
    });
    assert.equal(ran.code, 1);
    assert.match(ran.stdout, /^notp: not permitted \(ref /);
  });

  it('passes the first-pass branch only in the auth phase before any other method has succeeded', async () => {
    assert.equal(await firstPass(world, {}), 0);
    assert.equal(await firstPass(world, { SSH_AUTH_INFO_0: '' }), 0);
    assert.equal(await firstPass(world, { SSH_AUTH_INFO_0: 'publickey ssh-ed25519 AAAA\n' }), 1);
    assert.equal(await firstPass(world, { PAM_TYPE: 'account' }), 1);
    assert.equal(await firstPass(world, { PAM_TYPE: undefined }), 1);
  });

  it('lets nobody in with a broken configuration, and records that where the defaults say', async () => {
    const { secret } = await world.enroll(alice);
    const broken = `${world.folder}/broken.toml`;
    fs.writeFileSync(broken, 'unenroled = "allow"\n', { mode: 0o644 });
    // The default places, empty, in a mount namespace of their own.
    const script =
      'mount -t tmpfs none /var/log && mkdir /var/log/notp && chown notp /var/log/notp && "$@"; echo $?; cat /var/log/notp/audit.log';
    const { stdout } = await run(['unshare', '--mount', 'sh', '-c', script, 'sh', ...SOURCE_NOTP, 'pam', '--config', broken], {
      environment: { PAM_TYPE: 'auth', PAM_USER: alice.name },
      input: oathCode(secret),
    });
    const [told = '', status, line = ''] = stdout.split('\n');
    assert.match(told, /^notp: the configuration cannot be used \(ref [0-9a-f]{8}\)$/);
    assert.equal(status, '1');
    const record = JSON.parse(line) as { reason: string; user: string; detail: string };
    assert.deepEqual([record.reason, record.user], ['bad_configuration', alice.name]);
    assert.match(record.detail, /unenroled/);
  });

  it('could be stopped by whoever started it, with the state in its hands, where it only had to refuse', async () => {
    const lock = spawn('python3', ['-c', LOCK, `${world.folder}/var/state.db`], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(lock.stdout, 'data');
    const words = ['setpriv', '--ruid', String(alice.uid), ...SOURCE_NOTP, 'pam', '--config', world.config];
    const [program = '', ...rest] = words;
    const environment = { PATH: process.env['PATH'], PAM_TYPE: 'account', PAM_USER: alice.name, PAM_SERVICE: 'sudo' };
    const child = spawn(program, rest, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    try {
      const holds = (): boolean => openFiles(child.pid).some((file) => file.endsWith('/state.db'));
      while (child.exitCode === null && !holds()) await sleep(20);
      const ids = /^Uid:\s+(.*)$/m.exec(fs.readFileSync(`/proc/${String(child.pid)}/status`, 'latin1'))?.[1];
      assert.deepEqual(new Set(ids?.split('\t')), new Set([String(world.service.uid)]));
      const { code, stderr } = await runAs(alice, ['kill', '-STOP', String(child.pid)]);
      assert.notEqual(code, 0, stderr);
    } finally {
      lock.stdin.end();
    }
    assert.deepEqual(await exited, [1, null]);
    assert.equal(world.lastRecord().reason, 'not_permitted');
  });

  it('says why where it is to ask on a terminal and there is none', async () => {
    await world.enroll(alice);
    await each([undefined, 'ssh', 'pts/../../etc/shadow', '/dev/null', 'pts/99999'], async (tty) => {
      const { code, stdout } = await world.pam(alice.name, '', { words: ['--prompt-tty'], environment: { PAM_TTY: tty } });
      assert.equal(code, 1, tty ?? 'no terminal');
      assert.equal(world.recordIn(stdout).reason, 'not_permitted', tty ?? 'no terminal');
    });
  });
});

async function firstPass(world: PamWorld, environment: NodeJS.ProcessEnv): Promise<number | null> {
  return (await world.pam('root', '', { environment, words: ['--first-pass'] })).code;
}

/** Holds the state until stdin ends. */
const LOCK = `
import sqlite3, sys
state = sqlite3.connect(sys.argv[1], isolation_level=None)
state.execute('BEGIN EXCLUSIVE')
print(flush=True)
sys.stdin.read()
`;

function openFiles(pid: number | undefined): readonly string[] {
  const folder = `/proc/${String(pid)}/fd`;
  try {
    return fs.readdirSync(folder).map((fd) => fs.readlinkSync(`${folder}/${fd}`));
  } catch {
    return [];
  }
}

/** The entry: whatever happens, 0 means accepted or done and nothing else. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { ownState, type OwnState } from './commands/own-state.ts';
import { run, sleep } from './support/process.ts';
import { installTree, lacks, oathCode, scratchFolder, SOURCE_NOTP } from './support/world.ts';

describe('the exit code', { skip: lacks({ programs: ['oathtool', 'bash'] }) }, () => {
  let own: OwnState;
  let secret: string;
  before(async () => {
    own = ownState('main');
    ({ secret } = await own.enrol());
  });

  it('is 0 for an accepted code, 1 for a refused one, 2 for wrong usage, 3 where nothing could be decided', async () => {
    const code = oathCode(secret);
    assert.equal((await own.verify(code)).code, 0);
    assert.equal((await own.verify(code)).code, 1);
    assert.equal((await own.verify(code, '..')).code, 2);
    const absent = await run([...SOURCE_NOTP, 'verify', '--config', path.join(own.folder, 'absent.toml')]);
    assert.equal(absent.code, 3);
    assert.match(absent.stderr, /absent\.toml: there is no such file/);
  });

  it('is not 0 where the answer cannot be written', async () => {
    const { recovery } = await own.enrol('unheard');
    const command = [...SOURCE_NOTP, 'verify', 'unheard', '--json', '--code-stdin', '--passphrase-file', own.passphraseFile];
    const { code, stderr } = await run(['bash', '-c', 'exec "$@" >/dev/full', 'bash', ...command, '--config', own.config], {
      input: `${recovery[0] ?? ''}\n`,
    });
    assert.equal(code, 3);
    assert.match(stderr, /^notp: error: the result cannot be written to stdout: no space left on device \(ENOSPC\)/);
    assert.equal((await run(['bash', '-c', 'exec "$@" >/dev/full', 'bash', ...SOURCE_NOTP, '--help'])).code, 3);
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGTSTP', 'SIGKILL'] as const) {
    it(`is not 0 when ${signal} comes while an answer is waited for`, async () => {
      const words = ['verify', '--code-stdin', '--config', own.config, '--passphrase-file', own.passphraseFile];
      const child = spawn(SOURCE_NOTP[0] ?? '', [...SOURCE_NOTP.slice(1), ...words], { stdio: ['pipe', 'ignore', 'ignore'] });
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
      await untilReading(child.pid ?? 0);
      child.kill(signal);
      assert.equal(await ended, signal === 'SIGKILL' ? null : 1);
    });
  }

  it('is not 0 where memory runs out', async () => {
    const [node = '', script = ''] = SOURCE_NOTP;
    const { code } = await run([
      'bash',
      '-c',
      'ulimit -c 0; exec "$@" 2>/dev/null',
      'bash',
      node,
      '--max-old-space-size=5',
      script,
      '--help',
    ]);
    assert.notEqual(code, 0);
  });

  it('does not depend on the working directory, which may be gone', async () => {
    const gone = path.join(own.folder, 'gone');
    fs.mkdirSync(gone);
    const command = [...SOURCE_NOTP, 'verify', 'nothing', '--code-stdin', '--config', own.config];
    const { code, stderr } = await run(['bash', '-c', 'cd "$0" && rmdir "$0" && exec "$@"', gone, ...command]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /not enrolled/);
  });
});

describe('the program as it is installed', () => {
  let notp: string;
  before(() => {
    notp = installTree(scratchFolder('main-installed'));
  });

  it('needs no PATH and no HOME, and takes nothing from NODE_OPTIONS', async () => {
    const { code, stdout, stderr } = await run([notp, '--version'], {
      clearEnvironment: true,
      environment: { NODE_OPTIONS: '--require=/nonexistent', NODE_PATH: '/nonexistent' },
    });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^notp \d/);
  });

  it('enrols when it is called notp-enroll, the user as its first word', async () => {
    const { code, stdout } = await run([`${notp}-enroll`, '--help']);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: notp-enroll \[options\] \[user\] \[context\]/);
    const nobody = await run([`${notp}-enroll`, 'no-such-user', 'ssh']);
    assert.equal(nobody.code, 2);
    assert.match(nobody.stderr, /there is no user "no-such-user"/);
    const named = await run([`${notp}-enroll`, '--user', 'no-such-user', 'ssh']);
    assert.match(named.stderr, /there is no user "no-such-user"/);
    assert.equal((await run([`${notp}-enroll`, '--user', 'root', 'ssh', 'more'])).code, 2);
  });

  it('makes its files private under any umask', { skip: lacks({ programs: ['bash'] }) }, async () => {
    const own = ownState('main-umask');
    const words = ['enroll', '--seal', 'passphrase', '--no-confirm', '--passphrase-file', own.passphraseFile, '--config', own.config];
    assert.equal((await run(['bash', '-c', 'umask 0; exec "$@"', 'bash', ...SOURCE_NOTP, ...words])).code, 0);
    const modes = ['', 'ssh', '.state.db', '.audit.log'].map((name) => fs.statSync(path.join(own.secrets, name)).mode & 0o777);
    assert.deepEqual(modes, [0o700, 0o600, 0o600, 0o600]);
  });
});

/** Waits until a process of ours is past its start and waits for stdin: then it catches signals. */
async function untilReading(pid: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(fs.readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? '0';
    // SIGTSTP (20) is caught by nothing but us.
    if ((BigInt(`0x${caught}`) & (1n << 19n)) !== 0n) return;
    await sleep(50);
  }
  throw new Error('it never came to wait');
}

it('bin/notp has Node.js use no compile cache that the environment names, for it would run whatever lies there', async () => {
  const folder = scratchFolder('compile-cache');
  const environment = { NODE_COMPILE_CACHE: path.join(folder, 'cache') };
  const notp = installTree(folder);
  assert.equal((await run([process.execPath, path.join(folder, 'dist/notp.cjs'), '--version'], { environment })).code, 0);
  assert.ok(fs.existsSync(environment.NODE_COMPILE_CACHE), 'the attack itself does not work');
  fs.rmSync(environment.NODE_COMPILE_CACHE, { recursive: true });
  assert.equal((await run([notp, '--version'], { environment })).stdout, 'notp 0.1.0\n');
  assert.ok(!fs.existsSync(environment.NODE_COMPILE_CACHE));
});

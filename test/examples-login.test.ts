/** The shipped sshd and PAM examples let people in as their comments say, with nothing changed but the path of notp. */
import * as assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { atEnd } from './support/cleanup.ts';
import { ROOT, run, runInTerminal, type Terminal } from './support/process.ts';
import { startSshd, type Sshd } from './support/sshd.ts';
import {
  addUser,
  type Enrolled,
  installNotp,
  lacks,
  oathCode,
  runAs,
  scratchFolder,
  serviceUser,
  type TestUser,
  writeConfig,
} from './support/world.ts';

const LOGIN_PASSWORD = 'login secret';
const NEEDS = { root: true, programs: ['sshd', 'ssh', 'sudo', 'oathtool', 'python3', 'chpasswd'] };

/** The example with another notp in place of /usr/bin/notp. */
function example(name: string, notp: string): string {
  return fs.readFileSync(path.join(ROOT, 'examples', name), 'utf8').replaceAll('/usr/bin/notp', notp);
}

async function answer(terminal: Terminal, question: RegExp, line: string): Promise<void> {
  await terminal.expect(question);
  terminal.send(`${line}\r`);
}

describe('the gate example', { skip: lacks({ ...NEEDS, withoutService: true }) }, () => {
  let user: TestUser;
  let sshd: Sshd;
  let enrolled: Enrolled;

  before(async () => {
    const folder = scratchFolder('example-gate');
    const notp = installNotp(folder);
    user = addUser();
    sshd = await startSshd(folder, [example('sshd_config.d/10-notp-gate.conf', notp), 'UsePAM yes']);
    sshd.authorize(user);
    const words = [notp, 'enroll', '--no-confirm', '--json', '--passphrase-file', '-'];
    enrolled = JSON.parse((await runAs(user, words, { input: 'correct horse\n' })).stdout) as Enrolled;
  });

  it('gives a shell whose environment holds nothing of the gate', async () => {
    const environment = { LC_NOTP: `correct horse ${oathCode(enrolled.secret)}` };
    const { code, stdout, stderr } = await sshd.ssh(user, ['env'], { environment, sshOptions: ['-o', 'SendEnv=LC_NOTP'] });
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stdout, /^(LC_NOTP|ZDOTDIR|XDG_\w+_HOME|SHELLOPTS|LD_\w+|NODE_OPTIONS|BASH_ENV|ENV)=/m);
    assert.match(stdout, new RegExp(`^HOME=${user.home}$`, 'm'));
  });

  it('keeps bash from reading ~/.bashrc before the code', async () => {
    fs.writeFileSync(path.join(user.home, '.bashrc'), 'echo slipped past\n');
    const { code, stdout } = await sshd.ssh(user, ['true'], { input: 'nothing that opens\n' });
    assert.equal(code, 1);
    assert.equal(stdout, '');
  });

  it('forwards nothing for a key without a code', async () => {
    const forward = ['-o', 'ExitOnForwardFailure=yes', '-N', '-W', `127.0.0.1:${String(sshd.port)}`];
    const { code, stdout, stderr } = await sshd.ssh(user, [], { sshOptions: forward });
    assert.equal(code, 255);
    assert.match(stderr, /stdio forwarding failed/);
    // An open forward would show the banner of sshd.
    assert.equal(stdout, '');
  });
});

describe('the PAM examples', { skip: lacks(NEEDS) }, () => {
  let user: TestUser;
  let sshd: Sshd;
  let enrolled: Enrolled;
  let enrol: () => Promise<Enrolled>;

  before(async () => {
    const folder = scratchFolder('example-pam');
    const notp = installNotp(folder);
    const config = ['--config', writeConfig(folder)];
    user = addUser();
    serviceUser();
    await run(['chpasswd'], { input: `${user.name}:${LOGIN_PASSWORD}\n` });
    assert.equal((await run([notp, 'host-key', 'init', ...config])).code, 0);
    enrol = async () => {
      const words = [notp, 'enroll', '--user', user.name, '--replace', '--no-confirm', '--json', ...config];
      return JSON.parse((await run(words)).stdout) as Enrolled;
    };
    // sshd takes the name it is called by for its PAM service, up to 9.7.
    const service = `notp-${randomBytes(4).toString('hex')}`;
    for (const [name, stack] of [
      [service, 'sshd-notp'],
      [`${service}-sudo`, 'sudo-notp'],
    ] as const) {
      const file = `/etc/pam.d/${name}`;
      atEnd(() => {
        fs.rmSync(file, { force: true });
      });
      fs.writeFileSync(file, example(`pam.d/${stack}`, notp).replaceAll(`${notp} pam`, `${notp} pam ${config.join(' ')}`));
    }
    const program = path.join(folder, service);
    fs.symlinkSync('/usr/sbin/sshd', program);
    sshd = await startSshd(folder, [example('sshd_config.d/10-notp-pam.conf', notp)], program);
    sshd.authorize(user);
    enrolled = await enrol();
    sudoRule(folder, user, `${service}-sudo`);
  });

  it('ask for a code after the key', async () => {
    const terminal = sshd.sshInTerminal(user, ['echo', 'in']);
    await answer(terminal, /Password: /, 'no code');
    await answer(terminal, /Password: /, oathCode(enrolled.secret));
    await terminal.expect(/^in\r$/m);
    assert.equal(await terminal.exited, 0);
  });

  it('ask for the password and then for a code where there is no key', async () => {
    enrolled = await enrol();
    const terminal = sshd.sshInTerminal(user, ['echo', 'in'], ['-t', '-o', 'PubkeyAuthentication=no']);
    await answer(terminal, /Password: /, LOGIN_PASSWORD);
    await answer(terminal, /Password: /, oathCode(enrolled.secret));
    await terminal.expect(/^in\r$/m);
    assert.equal(await terminal.exited, 0);
  });

  it('let nobody in by a code without the password', async () => {
    enrolled = await enrol();
    const terminal = sshd.sshInTerminal(user, ['echo', 'in'], ['-t', '-o', 'PubkeyAuthentication=no', '-o', 'NumberOfPasswordPrompts=1']);
    await answer(terminal, /Password: /, oathCode(enrolled.secret));
    assert.equal(await terminal.exited, 255);
    assert.doesNotMatch(terminal.output(), /^in\r$/m);
  });

  it('make sudo ask for the password and then for a code on the terminal', async () => {
    enrolled = await enrol();
    const terminal = runInTerminal([
      'setpriv',
      `--reuid=${String(user.uid)}`,
      `--regid=${String(user.gid)}`,
      '--init-groups',
      'sudo',
      'id',
    ]);
    await answer(terminal, /password for [^:]+: /, LOGIN_PASSWORD);
    await answer(terminal, /One-time code: /, oathCode(enrolled.secret));
    await terminal.expect(/uid=0\(root\)/);
    assert.equal(await terminal.exited, 0);
  });

  it('make sudo refuse without a terminal, after the right password', async () => {
    const words = ['setsid', '--wait', 'sudo', '-k', '-S', 'id'];
    const { code, stdout, stderr } = await runAs(user, words, { input: `${LOGIN_PASSWORD}\n` });
    assert.equal(code, 1);
    // A wrong password reads "Sorry, try again".
    assert.match(stderr, /PAM authentication error/);
    assert.equal(stdout, '');
  });
});

/** Lets `user` run everything by sudo, through the PAM service `service`. */
function sudoRule(folder: string, user: TestUser, service: string): void {
  const file = path.join('/etc/sudoers.d', path.basename(folder));
  atEnd(() => {
    fs.rmSync(file, { force: true });
  });
  const defaults = `Defaults:${user.name} pam_service=${service}, !pam_acct_mgmt, lecture=never\n`;
  fs.writeFileSync(file, `${defaults}${user.name} ALL=(ALL:ALL) ALL\n`, { mode: 0o440 });
}

/** `notp status` on one's own state: whether each enrolment logs in, what is left, what to do, and never a secret. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import {
  addUser,
  installNotp,
  lacks,
  oathCode,
  runAs,
  scratchFolder,
  untilFreshStep,
  type Enrolled,
  type TestUser,
} from '../../support/world.ts';
import { runInTerminal } from '../../support/process.ts';
import { assertRefused } from '../codes/own-codes.ts';
import { ownState, type OwnState } from '../own-state.ts';

const KEYS =
  'id user context state problem registered seal created last_accepted budget capacity next_try step_up codes_needed recovery_left remembered'.split(
    ' ',
  );

/** The one object that `notp status --json` prints. */
async function told(own: OwnState, context = 'ssh'): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await own.notp(['status', context, '--json']);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const facts = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(Object.keys(facts), KEYS);
  return facts;
}

describe('the status of one’s own enrolments', { skip: lacks({ programs: ['oathtool', 'python3'] }) }, () => {
  let own: OwnState;
  let ssh: Enrolled;
  before(async () => {
    own = ownState('status');
    ssh = await own.enrol();
    await own.enrol('deploy', ['--recovery', '1']);
  });

  it('of a new one has a full budget, all recovery codes and no login yet', async () => {
    const { created, user, ...facts } = await told(own);
    assert.match(String(created), /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(typeof user, 'string');
    const numbers = { budget: 5, capacity: 5, next_try: null, step_up: false, codes_needed: 1, recovery_left: 10, remembered: 0 };
    const rest = { state: 'active', problem: null, registered: true, seal: 'passphrase', last_accepted: null };
    assert.deepEqual(facts, { id: ssh.id, context: 'ssh', ...rest, ...numbers });
  });

  it('counts what was accepted, spent and tried in vain', async () => {
    await untilFreshStep();
    const since = Math.floor(Date.now() / 1000) * 1000;
    assert.equal((await own.verify(oathCode(ssh.secret))).code, 0);
    assert.equal((await own.verify(ssh.recovery[0] ?? '')).code, 0);
    assert.equal((await own.verify('nonsense')).code, 1);
    assert.equal((await own.verify(oathCode(ssh.secret, { offsetSeconds: -3000 }))).code, 1);
    const facts = await told(own);
    const at = Date.parse(String(facts['last_accepted']));
    assert.ok(at >= since && at <= Date.now(), String(facts['last_accepted']));
    assert.deepEqual([facts['recovery_left'], facts['budget'], facts['step_up']], [9, 4, false]);
  });

  it('without a context is all of them, a block or an object each, and changes nothing', async () => {
    const unchanged = own.snapshot();
    const { code, stdout, stderr } = await own.notp(['status']);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.match(stdout, /^deploy of \w+\n {2}state {11}active: it logs in\n[^]+\n\nssh of \w+\n {2}state /);
    assert.match(stdout, /recovery codes {2}1 left\n {2}next {12}make new recovery codes\n/);
    assert.ok(!stdout.includes('\x1b'));
    const lines = (await own.notp(['status', '--json'])).stdout.trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as Record<string, unknown>)['context']),
      ['deploy', 'ssh'],
    );
    for (const secret of [ssh.secret, ...ssh.recovery]) assert.ok(!(stdout + lines.join('')).includes(secret));
    assert.deepEqual(own.snapshot(), unchanged);
  });

  it('fits a terminal of 80 columns and one of 40, a dumb one too', async () => {
    for (const [columns, term] of [
      [80, 'xterm'],
      [40, 'xterm'],
      [40, 'dumb'],
    ] as const) {
      const command = ['env', `TERM=${term}`, process.execPath, path.resolve('src/main.ts'), 'status', '--config', own.config];
      const terminal = runInTerminal(command, { columns });
      assert.equal(await terminal.exited, 0);
      const lines = terminal.output().split('\r\n');
      assert.equal(lines.filter((line) => / of /.test(line) && !line.startsWith(' ')).length, 2);
      for (const line of lines.filter((each) => !/^ {2}run /.test(each))) assert.ok(line.length <= columns, line);
      assert.ok(!terminal.output().includes('\x1b'));
    }
  });

  it('says each way in which it does not log in', async () => {
    const other = ownState('status-broken');
    const first = await other.enrol();
    const old = fs.readFileSync(first.file);
    await other.enrol();
    const good = fs.readFileSync(first.file);
    const put = (bytes: Uint8Array, mode = 0o600): void => {
      fs.writeFileSync(first.file, bytes);
      fs.chmodSync(first.file, mode);
    };
    const state = async (): Promise<unknown[]> => {
      const facts = await told(other);
      return [facts['state'], facts['registered'], facts['seal'], facts['created']];
    };
    const none = [false, null, null];
    put(old);
    assert.deepEqual(await state(), ['stale', ...none]);
    put(good.subarray(0, 40));
    assert.deepEqual(await state(), ['bad', ...none]);
    put(good, 0o644);
    assert.match((await other.notp(['status'])).stdout, /^ {2}problem {9}\S+\/ssh has mode 0644, which lets\s+others in$/m);
    fs.rmSync(first.file);
    assert.deepEqual(await state(), ['missing', ...none]);
    put(good);
    assert.equal((await state())[0], 'active');
    assert.equal((await other.notp(['revoke', '--yes'])).code, 0);
    assert.deepEqual(await state(), ['revoked', ...none]);
  });

  it('where nobody is enrolled is exit code 1 with the next step, and makes nothing', async () => {
    const nobody = ownState('status-nobody');
    assertRefused(await nobody.notp(['status']), 1, /is not enrolled\nnotp: hint: notp-?\s?enroll/);
    assertRefused(await nobody.notp(['status', '--json']), 1, /is not enrolled/);
    assert.ok(!fs.existsSync(nobody.secrets));
    assertRefused(await own.notp(['status', 'other']), 1, /is not enrolled for other\nnotp: hint: enrolled: deploy, ssh/);
  });

  it('refuses what makes no sense', async () => {
    assertRefused(await own.notp(['status', '../x']), 2, /is not a context name/);
    assertRefused(await own.notp(['status', '--user', 'nobody-of-that-name']), 2, /there is no user "nobody-of-that-name"/);
    assertRefused(await own.notp(['status', 'ssh', '--all']), 2, /'--all' cannot be used with a context/);
    assertRefused(await own.notp(['status', '--user', 'root', '--all']), 2, /cannot be used with/);
    fs.writeFileSync(path.join(own.folder, 'bad.toml'), 'frob = 1\n');
    const broken = await own.notp(['status', '--config', path.join(own.folder, 'bad.toml')]);
    assertRefused(broken, 3, /unknown key "frob"/);
  });
});

describe('a user who is only a user', { skip: lacks({ root: true, withoutService: true }) }, () => {
  let alice: TestUser;
  let notp: string;
  let config: string;
  before(async () => {
    const folder = scratchFolder('status-user');
    notp = installNotp(folder);
    alice = addUser();
    config = path.join(folder, 'notp.toml');
    fs.writeFileSync(config, '[store]\nurl = "user"\n[audit]\njournal = false\n');
    fs.writeFileSync(path.join(alice.home, 'pass'), 'correct horse\n', { mode: 0o600 });
    fs.chownSync(path.join(alice.home, 'pass'), alice.uid, alice.gid);
    const words = ['--seal', 'passphrase', '--passphrase-file', 'pass', '--no-confirm', '--json'];
    assert.equal((await runAs(alice, [notp, 'enroll', '--config', config, ...words])).code, 0);
  });
  const as = (words: readonly string[]): ReturnType<typeof runAs> => {
    const [command = '', ...rest] = words;
    return runAs(alice, [notp, command, '--config', config, ...rest]);
  };

  it('sees, unlocks and lists what is theirs, by name too', async () => {
    assert.match((await as(['status', '--user', alice.name])).stdout, new RegExp(`^ssh of ${alice.name}\n {2}state +active`));
    assert.match((await as(['unlock'])).stderr, new RegExp(`^Unlocked: ${alice.name} has 5 tries with ssh again \\(5 were left\\)\n$`));
    assert.match((await as(['list', '--user', alice.name])).stdout, /^ssh {2}passphrase {2}\d{4}-\d\d-\d\d\n$/);
  });

  it('neither sees nor unlocks anybody else', async () => {
    assertRefused(await as(['status', '--user', 'root']), 1, /only root can look at .*\nnotp: hint: sudo notp status --user root/);
    assertRefused(await as(['unlock', '--user', 'root']), 1, /only root can unlock .*\nnotp: hint: sudo notp unlock --user root/);
    assertRefused(await as(['list', '--user', 'root']), 1, /only root can list .*\nnotp: hint: sudo notp list --user root/);
    for (const words of [
      ['list', '--all'],
      ['status', '--all'],
    ])
      assertRefused(await as(words), 1, /only root can list the enrolments of all users\nnotp: hint: run this with sudo/);
    assertRefused(await as(['metrics']), 1, /only root can read what the metrics are made of\nnotp: hint: run this with sudo/);
  });

  it('is looked after by root all the same, who is told that there is no state of all', async () => {
    const root = { name: 'root', uid: 0, gid: 0, home: '/root' };
    const asRoot = (...[command = '', ...words]: string[]): ReturnType<typeof runAs> =>
      runAs(root, [notp, command, '--config', config, ...words]);
    assert.match((await asRoot('status', '--user', alice.name)).stdout, new RegExp(`^ssh of ${alice.name}\n`));
    assert.match((await asRoot('list', '--user', alice.name)).stdout, /^ssh {2}passphrase /);
    assert.equal((await asRoot('unlock', '--user', alice.name, '--json')).code, 0);
    assert.equal(fs.statSync(path.join(alice.home, '.notp/.state.db')).uid, alice.uid);
    assertRefused(await asRoot('list', '--all'), 1, /each user of this host keeps their own state\nnotp: hint: notp status --user NAME/);
  });
});

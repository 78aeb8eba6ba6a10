/** Root's PAM door and the gate share one state: the judge of all decides at the one, the service of the user at the other. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { FIRST_PASS } from '../../../src/doctor/pam/stack.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { ROOT, type Ran } from '../../support/process.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

const STACK = `auth requisite pam_exec.so quiet expose_authtok stdout /usr/bin/notp pam
auth required pam_permit.so
account required pam_permit.so
`;

const PAM = ['PATH=/usr/bin:/bin', 'PAM_USER=alice', 'PAM_TYPE=auth', 'PAM_SERVICE=sudo', 'PAM_TTY=pts/9'];

const NEEDS = { ...SERVICE_NEEDS, programs: [...SERVICE_NEEDS.programs, 'pamtester'] };

describe("root's PAM door beside the service", { skip: lacks(NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;

  before(async () => {
    world = await bootService('pam', {
      // These tests refuse more often than a day's budget allows.
      toml: 'notices = false\n[policy]\nbudget = 50\n',
      prepare: (root) => {
        fs.writeFileSync(`${root}/etc/pam.d/notp-test`, STACK);
      },
    });
    alice = await world.addUser('alice');
    phone = await world.enroll(alice);
  });

  const pam = (proof: string): Promise<Ran> =>
    world.container.run(['notp', 'pam'], {
      environment: { PAM_USER: 'alice', PAM_TYPE: 'auth', PAM_SERVICE: 'sudo', PAM_RHOST: '192.0.2.7' },
      input: proof,
    });
  const socket = (): string => `notp@${String(alice.uid)}.socket`;

  it('accepts a code, and the gate refuses that one as replayed', async () => {
    const code = await phone.code();
    assert.deepEqual(await pam(code), { code: 0, signal: null, stdout: '', stderr: '' });
    const record = await world.lastLogin();
    assert.deepEqual([record?.door, record?.service, record?.rhost, record?.method], ['pam', 'sudo', '192.0.2.7', 'totp']);
    const again = await world.login(alice, code);
    assert.deepEqual([again.stdout, (await world.recordOf(again))?.reason], ['', 'replayed']);
  });

  it('refuses with a record, or says that there is none, however few open files its caller leaves it, and shows no stack', async () => {
    // With fewer, Node.js ends itself before a line of notp runs: by a missing library, an assertion or a signal.
    const NODES_OWN = 21;
    const ask = (soft: number, hard = soft): Promise<Ran> =>
      world.container.run(['prlimit', `--nofile=${String(soft)}:${String(hard)}`, 'env', '-i', ...PAM, 'notp', 'pam'], { input: '000000' });
    for (const files of [...Array.from({ length: 28 }, (_, i) => i + 3), 64]) {
      const { code, stdout, stderr } = await ask(files);
      assert.ok(code !== 0, String(files));
      if (files < NODES_OWN) continue;
      assert.doesNotMatch(stdout + stderr, /\n\s+at |node:|Error:/, String(files));
      assert.match(stdout, /^(notp: [^\n]+ \((?:ref [0-9a-f]{8}|no record of it could be made)\)\n)?$/, String(files));
      if (stdout.includes('(ref ')) assert.ok((await world.recordOf({ stderr: stdout })) !== undefined, String(files));
    }
    const { stdout } = await ask(22, 1024);
    assert.equal((await world.recordOf({ stderr: stdout }))?.reason, 'wrong_code', 'what its caller has lowered it raises');
  });

  it('refuses a code that the gate has accepted', async () => {
    const code = await phone.code();
    assert.equal((await world.login(alice, code)).stdout, 'alice\n');
    const again = await pam(code);
    assert.equal(again.code, 1);
    assert.match(again.stdout, /^notp: code already used.* \(ref [0-9a-f]{8}\)\n$/);
    assert.equal((await world.recordOf({ stderr: again.stdout }))?.reason, 'replayed');
  });

  it('lets people in where another user has filled /tmp, though the judge has to be started', async () => {
    await world.addUser('filler');
    const filled = `import os
os.mkdir("/tmp/filler")
try:
  for i in range(10**6): os.close(os.open("/tmp/filler/%d" % i, os.O_CREAT))
except OSError as error: print(error.strerror)`;
    await world.container.must(['mount', '-t', 'tmpfs', '-o', 'nr_inodes=500,mode=1777', 'none', '/tmp']);
    assert.equal(await world.container.must(['python3', '-c', filled], { as: 'filler' }), 'No space left on device\n');
    await world.container.must(['systemctl', 'stop', 'notp@judge.service', `notp@${String(alice.uid)}.service`]);
    const { code, stdout } = await pam(await phone.code());
    await world.container.must(['umount', '/tmp']);
    assert.deepEqual([code, stdout], [0, '']);
  });

  it('is in the journal what the filter for fail2ban looks for, and nothing that a user says is', async () => {
    const filter = fs.readFileSync(path.join(ROOT, 'examples/fail2ban/filter.d/notp.conf'), 'utf8');
    const [, match = 'none'] = /^journalmatch = (.*)$/m.exec(filter) ?? [];
    const refused = await world.recordOf({ stderr: (await pam('000000')).stdout });
    const atGate = await world.recordOf(await world.login(alice, '000000'));
    const forged = JSON.stringify({ ...refused, ref: 'forged' });
    for (const command of ['logger -t notp', `sh -c 'cat; echo _SYSTEMD_UNIT=notp@judge.service' | logger -t notp`])
      assert.equal((await world.login(alice, phone.recoveryCode(), { words: [command], input: `${forged}\n` })).code, 0);
    await world.container.must(['journalctl', '--sync']);
    const found = await world.container.must(['journalctl', '--no-pager', '--output=cat', ...match.split(' ')]);
    const refs = found.split('\n').flatMap((line) => (line.startsWith('{') ? [(JSON.parse(line) as { ref: string }).ref] : []));
    assert.deepEqual(
      [refused?.ref, atGate?.ref, 'forged'].map((ref) => refs.includes(ref ?? '')),
      [true, false, false],
    );
  });

  it('asks the judge: nobody else has judged', async () => {
    const recovery = phone.recoveryCode();
    assert.equal((await pam(recovery)).code, 0);
    const { ref } = (await world.lastLogin()) ?? {};
    const journal = await world.container.must(['journalctl', '--no-pager', '--output=cat', '--unit=notp@judge.service']);
    assert.equal(journal.includes(`"ref":"${String(ref)}"`), true);
    const again = await world.login(alice, recovery);
    assert.equal((await world.recordOf(again))?.reason, 'replayed');
  });

  it('serves PAM itself, as pam_exec runs it', async () => {
    const recovery = phone.recoveryCode();
    const tester = ['pamtester', 'notp-test', 'alice', 'authenticate'];
    const ran = await world.container.run(tester, { input: `${recovery}\n` });
    assert.deepEqual([ran.code, ran.stdout.trim().endsWith('successfully authenticated')], [0, true]);
    const again = await world.container.run(tester, { input: `${recovery}\n` });
    assert.equal(again.code, 1);
    assert.equal((await world.lastLogin())?.reason, 'replayed');
  });

  it("decides on the same state without the user's socket, while the gate names what is missing", async () => {
    await world.container.must(['systemctl', 'stop', socket(), `notp@${String(alice.uid)}.service`]);
    const code = await phone.code();
    assert.deepEqual([(await pam(code)).code, (await pam(code)).code], [0, 1]);
    const gate = await world.login(alice, phone.recoveryCode());
    assert.deepEqual([gate.code, gate.stdout], [1, '']);
    assert.match(gate.stderr, new RegExp(`there is no /run/notp/${String(alice.uid)}\\.sock`));
    await world.container.must(['systemctl', 'start', socket()]);
    const again = await world.login(alice, code);
    assert.equal((await world.recordOf(again))?.reason, 'replayed');
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
  });

  it('is refused where the judge does not listen: nothing else decides', async () => {
    await world.container.must(['systemctl', 'stop', 'notp-judge.socket', 'notp@judge.service']);
    const recovery = phone.recoveryCode();
    const ran = await pam(recovery);
    assert.deepEqual([ran.code, /^notp: .*\(ref [0-9a-f]{8}\)\n$/.test(ran.stdout)], [1, true], ran.stdout);
    const told = await world.container.must(['journalctl', '--no-pager', '--output=cat', '--identifier=notp']);
    assert.match(told, /"reason":"store_unavailable","detail":"[^"]*\/run\/notp\/judge\.sock/);
    await world.container.must(['systemctl', 'start', 'notp-judge.socket']);
    assert.equal((await pam(recovery)).code, 0);
  });

  it('goes on where its socket is started again while the judge runs: it stayed down, and nobody got in', async () => {
    assert.equal((await pam('')).code, 1);
    await world.container.untilUnit('notp@judge.service', 'active');
    await world.container.must(['systemctl', 'restart', 'notp-judge.socket']);
    await world.container.untilUnit('notp-judge.socket', 'active');
    assert.equal((await pam(phone.recoveryCode())).code, 0);
  });

  it('goes on where all sockets of users are stopped and started', async () => {
    await world.container.must(['systemctl', 'stop', `notp@${String(alice.uid)}.service`]);
    await world.container.must(['sh', '-c', "systemctl stop --all 'notp@*.socket'; systemctl start --all 'notp@*.socket'"]);
    await world.container.must(['systemctl', 'start', socket()]);
    assert.equal((await pam(phone.recoveryCode())).code, 0);
  });

  it('has its socket back by the next login that has shown a key, where somebody stopped it', async () => {
    await world.container.must(['systemctl', 'stop', 'notp-judge.socket', 'notp@judge.service']);
    const [shell, flag, script] = [...FIRST_PASS.matchAll(/\[([^\]]*)\]|(\S+)/g)].map(([word, inside]) => inside ?? word);
    const words = [shell ?? '', flag ?? '', script ?? ''];
    assert.equal((await world.container.run(words, { environment: { SSH_AUTH_INFO_0: 'publickey' } })).code, 1);
    await world.container.untilUnit('notp-judge.socket', 'active');
    assert.equal((await pam(phone.recoveryCode())).code, 0);
  });

  it('asks for a code after the uid of a user of setup has changed: with key and password alone the user was in', async () => {
    const dora = await world.addUser('dora');
    await world.enroll(dora);
    await world.container.must(['chpasswd'], { input: 'dora:pw-dora\n' });
    await world.container.must(['notp', 'setup', 'pam', '--user', 'dora', '--apply', '--force', '--confirm-within', 'never']);
    // A method has succeeded before, so PAM is to ask for the code.
    const words = ['pamtester', '-E', 'SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA', 'sshd'];
    const password = async (user: string): Promise<boolean> =>
      (await world.container.run([...words, user, 'authenticate'], { input: 'pw-dora\n' })).code === 0;
    const doctor = async (): Promise<string[]> => {
      const { stdout } = await world.container.run(['notp', 'doctor', '--json']);
      const findings = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Finding);
      return findings.filter(({ severity, user, id }) => severity === 'fail' && user === 'dora' && id === 'P7').map(({ detail }) => detail);
    };
    assert.equal(await password('dora'), false);
    await world.container.must(['usermod', '-u', '39999', 'dora']);
    assert.equal(await password('dora'), false);
    await world.container.must(['usermod', '-l', 'dora2', 'dora']);
    await world.container.must(['usermod', '-u', String(dora.uid), 'dora2']);
    assert.equal(await password('dora2'), false);
    await world.container.must(['usermod', '-l', 'dora', 'dora2']);
    // Where PAM goes by the uid alone, doctor says whom it does not ask.
    const gate = world.outside('/etc/ssh/sshd_config.d/notp.conf');
    const forced = fs.readFileSync(gate, 'utf8');
    fs.rmSync(gate);
    assert.deepEqual(await doctor(), []);
    await world.container.must([
      'sed',
      '-i',
      '/user in dora/d; s/auth_err=ignore ignore=ignore default=1/auth_err=4 default=ignore/',
      '/etc/pam.d/sshd',
    ]);
    assert.equal(await password('dora'), false);
    await world.container.must(['usermod', '-u', '39999', 'dora']);
    assert.equal(await password('dora'), true, 'this is the way past');
    assert.match((await doctor()).join(), /neither uid 39999 nor the name "dora"/);
    fs.writeFileSync(gate, forced);
  });

  it("is in nobody's hands but root's", async () => {
    assert.equal(await world.container.must(['stat', '--format=%U %a', '/run/notp/judge.sock']), 'root 600\n');
    const words = ['python3', '-c', "import socket; socket.socket(socket.AF_UNIX).connect('/run/notp/judge.sock')"];
    const ran = await world.container.run(['setpriv', '--reuid=alice', '--regid=alice', '--init-groups', ...words]);
    assert.match(ran.stderr, /PermissionError/);
  });

  it('chains the records of both into one', async () => {
    const records = await world.records();
    assert.deepEqual(
      records.map(({ seq }) => seq),
      records.map((_, i) => i + 1),
    );
  });
});

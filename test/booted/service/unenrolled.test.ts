/** `enrol_by` of a rule: the service lets in who was never enrolled, and says so; nobody else decides that. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { sshInTerminal } from '../../support/container-ssh.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

describe('users without an enrolment, behind the service', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;

  before(async () => {
    world = await bootService('allow', { toml: 'rule = [{ ask = "code", enrol_by = 2099-01-01 }]\n' });
  });

  const enableSocket = ({ uid }: TestUser): Promise<string> =>
    world.container.must(['systemctl', 'enable', '--now', '--quiet', `notp@${String(uid)}.socket`]);

  it('are let in where they have a socket, without a question, and it is recorded', async () => {
    const alice = await world.addUser('alice');
    await enableSocket(alice);
    assert.equal((await world.login(alice, '')).stdout, 'alice\n');
    const record = await world.lastLogin();
    assert.deepEqual([record?.event, record?.method, record?.user, record?.uid], ['login.accepted', 'unenrolled', 'alice', alice.uid]);
    const terminal = sshInTerminal(world.container, alice, ['id -un']);
    assert.equal(await terminal.exited, 0);
    assert.match(terminal.output(), /^notp: until [^\r\n]+ you get in without a code; [^\r\n]+\r\nalice\r\n$/);
  });

  it('are refused where they have none, for nobody could tell who is enrolled', async () => {
    const bob = await world.addUser('bob');
    const ran = await world.login(bob, '');
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.match(ran.stderr, /not enrolled for one-time codes.*\n.*ask an administrator to run notp-enroll for you/);
  });

  it('do not pass for verified on the command line', async () => {
    const ran = await world.container.run(['notp', 'verify', '--code-stdin'], { as: 'alice', input: '000000\n' });
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.match(ran.stderr, /not enrolled/);
  });

  it('are asked as soon as they are enrolled, also where their sealed file is deleted', async () => {
    const carol = await world.addUser('carol');
    await enableSocket(carol);
    assert.equal((await world.login(carol, '')).stdout, 'carol\n');
    const phone = await world.enroll(carol);
    assert.equal((await world.login(carol, '')).stdout, '');
    assert.equal((await world.login(carol, phone.recoveryCode())).stdout, 'carol\n');
    await world.container.must(['rm', '-r', '/home/carol/.notp']);
    const ran = await world.login(carol, '');
    assert.deepEqual([ran.stdout, (await world.recordOf(ran))?.reason], ['', 'bad_secret_file']);
  });

  it('are not those whose account got another name, by either door', async () => {
    const erin = await world.addUser('erin');
    const phone = await world.enroll(erin);
    const pam = ['env', '-i', 'PAM_USER=erica', 'PAM_TYPE=auth', 'PAM_SERVICE=sudo', 'notp', 'pam'];
    // As usermod -l does, which wants nobody to be logged in.
    const rename = async (from: string, to: string): Promise<string> =>
      await world.container.must(['sed', '-i', `s/^${from}:/${to}:/`, '/etc/passwd', '/etc/shadow']);
    await rename('erin', 'erica');
    try {
      assert.equal((await world.login({ ...erin, name: 'erica' }, '')).stdout, '');
      assert.equal((await world.lastLogin())?.reason, 'stale_enrolment');
      assert.notEqual((await world.container.run(pam, { input: 'hello' })).code, 0);
      assert.deepEqual([(await world.lastLogin())?.door, (await world.lastLogin())?.reason], ['pam', 'stale_enrolment']);
      await world.container.must(['notp', 'revoke', '--user', 'erin', '--yes']);
    } finally {
      await rename('erica', 'erin');
    }
    assert.equal((await world.login(erin, phone.recoveryCode())).stdout, '');
  });

  it('are not those whom root has revoked and invited again', async () => {
    const fred = await world.addUser('fred');
    await world.enroll(fred);
    await world.container.must(['notp', 'revoke', '--user', 'fred', '--yes']);
    await world.container.must(['notp-enroll', 'fred', '--pending']);
    const ran = await world.login(fred, '');
    assert.deepEqual([ran.stdout, (await world.recordOf(ran))?.reason], ['', 'stale_enrolment']);
  });

  it('are not those whom root has revoked', async () => {
    const dora = await world.addUser('dora');
    await world.enroll(dora);
    await world.container.must(['notp', 'revoke', '--user', 'dora', '--yes']);
    assert.equal((await world.login(dora, '')).stdout, '');
    await enableSocket(dora);
    for (const file of ['kept', 'deleted']) {
      const ran = await world.login(dora, '');
      assert.deepEqual([ran.stdout, (await world.recordOf(ran))?.reason], ['', 'revoked'], file);
      await world.container.must(['rm', '-rf', '/home/dora/.notp']);
    }
  });
});

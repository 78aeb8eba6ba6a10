/** What the service remembers of accepted codes, out of the user's reach: the connection, and for a while the address and key. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { atEnd } from '../../support/cleanup.ts';
import { CLIENT_KEY, NODE_INSIDE } from '../../support/container-root.ts';
import { sshCommand, sshIn, sshInTerminal } from '../../support/container-ssh.ts';
import { sleep, type Ran } from '../../support/process.ts';
import { changing } from '../../support/row-macs.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

const TRUSTING = '[[rule]]\nask = "code"\nremember = "1h"\n';
const SECOND_KEY = '/root/.ssh/second';

describe('the memory of the service', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;

  before(async () => {
    world = await bootService('trust', { toml: TRUSTING });
    alice = await world.addUser('alice');
    phone = await world.enroll(alice);
    await world.container.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', SECOND_KEY]);
    await world.container.must(['sh', '-c', `cat ${SECOND_KEY}.pub >>/home/alice/.ssh/authorized_keys`]);
  });

  /** A login without a code: refused where it is asked for one. Gives the method or the reason of the record. */
  async function withoutCode(key = CLIENT_KEY): Promise<string | undefined> {
    const { code, stdout } = await world.container.run([...sshCommand(alice, [], key), 'id -un']);
    const { method, reason } = (await world.lastLogin()) ?? {};
    assert.deepEqual([code, stdout], method === undefined ? [1, ''] : [0, 'alice\n']);
    return method ?? reason;
  }

  async function withCode(): Promise<void> {
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
  }

  const sql = (statement: string): Promise<string> =>
    world.container.must([NODE_INSIDE, '-e', changing('/var/lib/notp/state.db', statement)]);

  it('trusts nobody before a code', async () => {
    assert.equal(await withoutCode(), 'no_proof');
  });

  it('trusts the same address and key after a code, for the configured time', async () => {
    await withCode();
    assert.equal(await withoutCode(), 'remembered');
    const terminal = sshInTerminal(world.container, alice, ['id -un']);
    assert.equal(await terminal.exited, 0);
    assert.equal(terminal.output(), 'alice\r\n');
  });

  it('asks whoever comes with another key', async () => {
    assert.equal(await withoutCode(SECOND_KEY), 'no_proof');
    assert.equal(await withoutCode(), 'remembered');
  });

  it('asks at the command line and at the PAM door all the same', async () => {
    const environment = { PAM_USER: 'alice', PAM_TYPE: 'auth', PAM_SERVICE: 'sshd', PAM_RHOST: '127.0.0.1' };
    assert.equal((await world.container.run(['notp', 'pam'], { environment, input: '' })).code, 1);
    assert.equal((await world.container.run(['notp', 'verify', '--code-stdin'], { as: 'alice', input: '\n' })).code, 1);
  });

  it('trusts no time in the future and none that is long ago', async () => {
    await sql(`UPDATE peer SET accepted_ms = ${String(Date.now() + 600_000)} WHERE user = 'alice'`);
    assert.equal(await withoutCode(), 'no_proof');
    await sql(`UPDATE peer SET accepted_ms = ${String(Date.now() - 3_601_000)} WHERE user = 'alice'`);
    assert.equal(await withoutCode(), 'no_proof');
    await sql(`UPDATE peer SET accepted_ms = ${String(Date.now() - 3_500_000)} WHERE user = 'alice'`);
    assert.equal(await withoutCode(), 'remembered');
  });

  it('trusts no row that somebody wrote who has no host key', async () => {
    await withCode();
    assert.equal(await withoutCode(), 'remembered');
    const sooner = "UPDATE peer SET accepted_ms = accepted_ms - 1 WHERE user = 'alice'";
    const program = `new (require('node:sqlite').DatabaseSync)('/var/lib/notp/state.db').exec(${JSON.stringify(sooner)})`;
    await world.container.must([NODE_INSIDE, '-e', program]);
    assert.equal(await withoutCode(), 'no_proof');
  });

  it('trusts nobody where the configuration does not say so', async () => {
    await withCode();
    await world.configure('');
    assert.equal(await withoutCode(), 'no_proof');
    await world.configure(TRUSTING);
    assert.equal(await withoutCode(), 'remembered');
  });

  it('does not trust for a new enrolment whom it trusted for the one before', async () => {
    phone = await world.enroll(alice, ['--replace']);
    assert.equal(await withoutCode(), 'no_proof');
    await withCode();
    assert.equal(await withoutCode(), 'remembered');
  });

  it('is shown by status, and ended by forget: by root, and by the user without a code', async () => {
    const remembered = async (as?: string): Promise<unknown> => {
      const words = as === undefined ? ['notp', 'status', '--user', 'alice', '--json'] : ['notp', 'status', '--json'];
      return (JSON.parse(await world.container.must(words, as === undefined ? {} : { as })) as Record<string, unknown>)['remembered'];
    };
    assert.deepEqual([await remembered(), await remembered('alice')], [1, 1]);
    await world.container.must(['notp', 'forget', 'alice']);
    assert.equal(await withoutCode(), 'no_proof');
    assert.deepEqual([await remembered(), await remembered('alice')], [0, 0]);
    await withCode();
    assert.equal(await withoutCode(), 'remembered');
    await world.container.must(['notp', 'forget'], { as: 'alice' });
    assert.equal(await withoutCode(), 'no_proof');
    const known = (await world.records()).length;
    await world.container.must(['notp', 'forget'], { as: 'alice' });
    assert.equal((await world.records()).length, known, 'nothing more is recorded');
    await world.addUser('bob');
    const other = await world.container.run(['notp', 'forget', 'alice'], { as: 'bob' });
    assert.deepEqual([other.code, /only root can forget for somebody else/.test(other.stderr)], [1, true]);
    await withCode();
  });

  it('asks once for each connection', async () => {
    await world.configure('');
    const shared = ['-S', '/tmp/shared', '-o', 'SendEnv=LC_NOTP'];
    const master = sshInTerminal(world.container, alice, [], { sshOptions: ['-M', '-N', ...shared] });
    const mux = (...words: string[]): Promise<Ran> => sshIn(world.container, alice, words, { sshOptions: shared });
    const control = (command: string): Promise<Ran> => sshIn(world.container, alice, [], { sshOptions: [...shared, '-O', command] });
    for (let tries = 0; (await control('check')).code !== 0; tries++) {
      assert.ok(tries < 100, 'the connection does not open');
      await sleep(50);
    }
    atEnd(async () => {
      await control('exit');
      await master.exited;
    });
    assert.equal((await mux('id -un')).code, 1);
    const first = await sshIn(world.container, alice, ['id -un'], { sshOptions: shared, environment: { LC_NOTP: phone.recoveryCode() } });
    assert.equal(first.stdout, 'alice\n');
    assert.equal((await mux('id -un')).stdout, 'alice\n');
    const record = await world.lastLogin();
    assert.deepEqual([record?.event, record?.method, record?.door], ['login.accepted', 'same_connection', 'gate']);
    // The service has gone and comes back: it is in the state, not in its memory.
    await world.container.must(['systemctl', 'stop', 'notp@*.service']);
    assert.equal((await mux('id -un')).stdout, 'alice\n');
    assert.equal(await withoutCode(), 'no_proof');
  });
});

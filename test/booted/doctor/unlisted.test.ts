/** Accounts of a directory service, which knows them and lists none: doctor and setup are led to them by the Match lines of sshd. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { afterEach, before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { CLIENT_KEY } from '../../support/container-root.ts';
import { lacks, must, type TestUser } from '../../support/world.ts';
import { assertDone, bootHost, loginOnceUp, type Host } from '../setup/world.ts';

const MODULE = path.join(import.meta.dirname, '../../support/nss_spellings.c');
const OTHER = '/etc/ssh/sshd_config.d/05-match.conf';
const FOR_GOOD = ['--apply', '--confirm-within', 'never'];
/** Of the module, in its group "contractors". */
const ADBOB: TestUser = { name: 'adbob', uid: 3001, gid: 3001, home: '/home/u3001' };
const EXEMPT = { gate: 'ForceCommand none', pam: 'AuthenticationMethods publickey' };
const ID = { gate: 'FC1', pam: 'P2' };

describe('accounts that nobody lists', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs, 'gcc'] }) }, () => {
  let host: Host;
  before(async () => {
    host = await bootHost('doctor-unlisted');
    await host.enrol(host.alice);
    await host.container.must(['groupadd', '--users', 'alice', 'ops']);
    const library = path.join(host.container.root, 'usr/lib', must(['gcc', '-print-multiarch']).trim(), 'libnss_spellings.so.2');
    must(['gcc', '-shared', '-fPIC', '-o', library, MODULE]);
    const sources = host.read('/etc/nsswitch.conf').replace(/^(passwd|group):.*$/gm, '$1: files spellings');
    host.write('/etc/nsswitch.conf', sources);
    const install = `install -d -m 700 -o 3001 -g 3001 ${ADBOB.home} ${ADBOB.home}/.ssh; install -m 600 -o 3001 -g 3001 ${CLIENT_KEY}.pub ${ADBOB.home}/.ssh/authorized_keys`;
    await host.container.must(['sh', '-c', `${install}; echo 'adbob:*:20000:0:99999:7:::' >>/etc/shadow`]);
    await host.container.must(['systemctl', 'restart', 'ssh']);
  });
  afterEach(async () => {
    await host.clear();
    await host.container.run(['rm', '-f', OTHER, '/run/nss-no-members']);
    await host.container.must(['systemctl', 'reload', 'ssh']);
  });

  const match = async (criterion: string, line: string): Promise<void> => {
    host.write(OTHER, `Match ${criterion}\n  ${line}\nMatch all\n`);
    await host.container.must(['systemctl', 'reload', 'ssh']);
  };
  const doctor = async (): Promise<string[]> => (await host.container.run(['notp', 'doctor', '--json'])).stdout.split('\n');
  const found = async (id: string): Promise<string[]> => (await doctor()).filter((line) => line.startsWith(`{"id":"${id}"`));

  for (const door of ['gate', 'pam'] as const)
    it(`are a way around the ${door} where a Match line exempts them, by their group or by name: doctor said nothing, and setup was applied`, async () => {
      for (const criterion of ['Group contractors', 'Group ops,contractors', 'User adbob', 'User CORP\\adbob', 'User adbob,ann*']) {
        await match(criterion, EXEMPT[door]);
        const { code, stderr } = await host.setup(door, ...FOR_GOOD);
        assert.equal(code, 1, `${criterion}: ${stderr}`);
        assert.match(stderr, new RegExp(`^notp: error: ${ID[door]}: Accounts log in without a code: .*: 1 account: .*adbob: `, 'm'));
      }
      await host.container.must(['rm', OTHER]);
      assertDone(await host.setup(door, ...FOR_GOOD));
      assert.notEqual((await loginOnceUp(host, ADBOB, ['true'])).code, 0);
      await match('Group contractors', EXEMPT[door]);
      assertDone(await loginOnceUp(host, ADBOB, ['true']));
      assert.match((await found(ID[door])).join('\n'), /"severity":"fail","title":"Accounts log in without a code.*1 account: adbob/);
    });

  it('are a way around the code too where a setup is for their group: it was a remark', async () => {
    await match('Group contractors', EXEMPT.gate);
    const { code, stderr } = await host.setup('gate', '--group', 'contractors', '--group', 'ops', ...FOR_GOOD);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^notp: error: FC1: .*1 account: adbob/m);
  });

  it('are said not to be known where a wildcard exempts them, or a group whose entry names nobody', async () => {
    assertDone(await host.setup('gate', ...FOR_GOOD));
    assert.match((await found('others-unseen')).join('\n'), /"severity":"info".*not list were checked only where a Match line names them/);
    await match('User ext-*', EXEMPT.gate);
    assert.match(
      (await found('others-unseen')).join('\n'),
      /"severity":"warn".*not known: a user called ext-\w* would log in without a code/,
    );
    await match('User ext-*', 'X11Forwarding no');
    assert.match((await found('others-unseen')).join('\n'), /"severity":"info"/);
    await match('Group contract*', EXEMPT.gate);
    assert.match((await found('others-unseen')).join('\n'), /"severity":"warn".*not known: Match group contract\*/);
    await host.container.must(['touch', '/run/nss-no-members']);
    await match('Group contractors', EXEMPT.gate);
    assert.match((await found('others-unseen')).join('\n'), /"severity":"warn".*not known: Match group contractors/);
  });
});

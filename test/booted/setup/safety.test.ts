/** `notp setup` never leaves a host half set up: what is broken stops it, and what somebody changed is not lost. */
import assert from 'node:assert/strict';
import { afterEach, before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import type { Ran } from '../../support/process.ts';
import { lacks } from '../../support/world.ts';
import { assertAsBefore, assertDone, bootHost, snapshot, type Host } from './world.ts';

const DROP_IN = '/etc/ssh/sshd_config.d/10-notp-gate.conf';
const OTHER = '/etc/ssh/sshd_config.d/05-other.conf';
const MAIN = '/etc/ssh/sshd_config';

describe('notp setup', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs, 'faketime'] }) }, () => {
  let host: Host;
  let untouched: Readonly<Record<string, string>>;
  before(async () => {
    host = await bootHost('setup-safety');
    await host.enrol(host.alice);
    untouched = snapshot(host);
  });
  afterEach(async () => {
    await host.clear();
    await host.container.run(['rm', '-f', OTHER]);
    assertAsBefore(host, untouched);
  });

  it('changes nothing where sshd does not take its configuration as it is, and says what sshd says', async () => {
    host.write(OTHER, 'NoSuchWord yes\n');
    const refused = await host.setup('gate', '--apply');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /sshd does not accept its configuration: .*05-other\.conf.*NoSuchWord/s);
    await host.container.must(['rm', OTHER]);
    assertAsBefore(host, untouched);
  });

  it('puts everything back where sshd does not take what was written', async () => {
    const main = host.read(MAIN);
    // Read a second time, in a Match block, where not every word may stand.
    host.write(MAIN, `${main}Match User nobody\nInclude ${DROP_IN.replace('gate', '*')}\n`);
    const files = snapshot(host);
    const refused = await host.setup('gate', '--apply');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /PermitUserEnvironment.*every file is as it was before/s);
    assertAsBefore(host, files);
    host.write(MAIN, main);
  });

  it('puts everything back where doctor finds a way around what was written', async () => {
    host.write(OTHER, 'Match Address 127.0.0.1\n  ForceCommand none\nMatch all\n');
    const files = snapshot(host);
    const refused = await host.setup('gate', '--apply');
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, /FC\d+.*all files were restored/s);
    assertAsBefore(host, files);
    assertDone(await host.login(host.alice, ['true']));
  });

  it('leaves nothing that sshd has not read where it is refused: doctor failed, with every file as before', async () => {
    host.write(OTHER, 'Match Address 127.0.0.1\n  ForceCommand none\nMatch all\n');
    await host.container.must(['systemctl', 'reload', 'ssh']);
    assert.equal((await host.setup('gate', '--apply')).code, 1);
    const { stdout } = await host.container.run(['notp', 'doctor', '--json']);
    assert.match(stdout, /^\{"id":"sshd-reload","severity":"ok"/m);
  });

  for (const [line, id] of [
    ['SetEnv EDITOR=vi', 'FC9'],
    ['PermitUserRC yes', 'FC10'],
  ] as const) {
    it(`puts everything back where an earlier "${line}" overrules what was written, and names it`, async () => {
      host.write(OTHER, `# ours\n${line}\n`);
      const files = snapshot(host);
      const refused = await host.setup('gate', '--apply');
      assert.equal(refused.code, 1, refused.stderr);
      assert.match(
        refused.stderr,
        new RegExp(`${id} .*sshd uses only the first ${line.split(' ')[0] ?? ''}: remove it from .*${OTHER}:2,`, 's'),
      );
      assertAsBefore(host, files);
    });
  }

  it('is refused where sshd_config does not read the folder for everybody, and names the line that is missing', async () => {
    const main = host.read(MAIN);
    const include = `Include ${DROP_IN.replace(/[^/]+$/, '*.conf')}\n`;
    for (const without of [main.replace(include, ''), `Match User nobody\n${include}Match all\n${main.replace(include, '')}`]) {
      host.write(MAIN, without);
      const refused = await host.setup('gate', '--apply');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /make this the first line of \/etc\/ssh\/sshd_config: Include/);
    }
    host.write(MAIN, main);
  });

  it('is refused where root, who is not enrolled, may log in from one network alone, and comes from there or from nobody knows where: only a client from outside was asked about', async () => {
    host.write(OTHER, 'Match User root Address 127.0.0.2\n  PermitRootLogin yes\nMatch User root\n  PermitRootLogin no\nMatch all\n');
    const from = async (address: string | undefined, door: string): Promise<Ran> => {
      const environment = address === undefined ? {} : { SSH_CONNECTION: `${address} 40000 127.0.0.1 22` };
      return await host.container.run(['notp', 'setup', door, '--apply', '--confirm-within', 'never'], { environment });
    };
    const files = snapshot(host);
    for (const door of ['gate', 'pam'])
      for (const address of ['127.0.0.2', undefined]) {
        const refused = await from(address, door);
        assert.equal(refused.code, 1);
        assert.match(refused.stderr, /lock you out: root: not enrolled: notp-enroll root/);
      }
    assertAsBefore(host, files);
    assertDone(await from('127.0.0.3', 'gate'));
  });

  for (const plant of ['ln -s .ssh .ssh', 'mkdir -p .ssh/authorized_keys', 'mkdir .ssh; mkfifo .ssh/authorized_keys'])
    it(`gate names keys of a user that cannot be read (${plant}), and with --force passes them: one enrolled user kept root from it`, async () => {
      await host.container.must(['sh', '-c', `mv .ssh .kept; ${plant}`], { as: 'alice' });
      const refused = await host.setup('gate', '--apply');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /^notp: error: FC13 \(alice\): The keys of a user cannot be read/m);
      const forced = await host.setup('gate', '--apply', '--force', '--confirm-within', 'never');
      assertDone(forced);
      assert.match(forced.stderr, /^notp: hint: notp doctor still fails: FC13 \(alice\): The keys of a user cannot be read/m);
      await host.container.must(['sh', '-c', 'rm -r .ssh; mv .kept .ssh'], { as: 'alice' });
    });

  it('overwrites nothing that somebody has changed since, and with --force keeps that aside', async () => {
    assertDone(await host.setup('gate', '--user', 'bob', '--apply', '--confirm-within', 'never'));
    host.write(DROP_IN, '# mine\n');
    const refused = await host.setup('undo');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /somebody has changed \/etc\/ssh\/sshd_config\.d\/10-notp-gate\.conf/);
    assert.equal(host.read(DROP_IN), '# mine\n');
    const forced = await host.setup('undo', '--force');
    assertDone(forced);
    const [, folder = ''] = /the changed version is in (\S+)/.exec(forced.stderr) ?? [];
    assert.equal(await host.container.must(['cat', `${folder}/0.changed`]), '# mine\n');
  });

  it('counts a changed mode as changed, and puts the old one back', async () => {
    host.write('/etc/pam.d/sudo', host.read('/etc/pam.d/sudo'), 0o600);
    const files = snapshot(host);
    assertDone(await host.setup('sudo', '--user', 'bob', '--apply', '--confirm-within', 'never'));
    assert.match(snapshot(host)['etc/pam.d/sudo'] ?? '', /^100600 /);
    await host.container.must(['chmod', '640', '/etc/pam.d/sudo']);
    assert.match((await host.setup('undo')).stderr, /somebody has changed \/etc\/pam\.d\/sudo /);
    assertDone(await host.setup('undo', '--force'));
    assertAsBefore(host, files);
    await host.container.must(['chmod', '644', '/etc/pam.d/sudo']);
  });

  it('undoes several setups at once, the newest first', async () => {
    for (const words of [
      ['gate', '--user', 'bob'],
      ['sudo', '--user', 'bob'],
      ['gate', '--user', 'bob', '--user', 'nobody'],
    ])
      assertDone(await host.setup(...words, '--apply', '--confirm-within', 'never'));
    const undone = await host.setup('undo', '--json');
    assertDone(undone);
    const doors = undone.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { door: string }).door);
    assert.deepEqual(doors, ['gate', 'sudo', 'gate']);
    assert.match((await host.setup('undo')).stderr, /there is no setup to undo/);
  });

  for (const clocks of [
    ['+2h', '+0', '-3d'],
    ['-1d', '+1d', '+0'],
    ['+0', '-1h', '+1h'],
  ])
    it(`undoes setups to the byte whose clocks were at ${clocks.join(', ')}: undo said that somebody had changed the files, and --force left a block of notp`, async () => {
      const scopes = [['bob'], ['bob', 'nobody'], ['nobody']];
      for (const [i, users] of scopes.entries()) {
        const clock = ['faketime', '--exclude-monotonic', '-f', clocks[i] ?? ''];
        const words = ['pam', ...users.flatMap((user) => ['--user', user]), '--apply', '--confirm-within', 'never'];
        assertDone(await host.container.run([...clock, 'notp', 'setup', ...words]));
      }
      assertDone(await host.setup('undo'));
      assertAsBefore(host, untouched);
      assert.match((await host.setup('undo')).stderr, /there is no setup to undo/);
    });
});

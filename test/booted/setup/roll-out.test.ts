/** A setup that comes after another, or over lines by hand: what fails the rules of its door for somebody in its scope is refused, however old. */
import assert from 'node:assert/strict';
import { afterEach, before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { addContainerUser } from '../../support/container-ssh.ts';
import { lacks } from '../../support/world.ts';
import { assertAsBefore, assertDone, bootHost, loginOnceUp, snapshot, type Host } from './world.ts';

const OTHER = '/etc/ssh/sshd_config.d/05-match.conf';
const BY_HAND = '/etc/ssh/sshd_config.d/50-mine.conf';
const SECOND = '/etc/ssh/second';
const FOR_GOOD = ['--apply', '--confirm-within', 'never'];
const BOB = ['--user', 'bob'];

describe('notp setup', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs] }) }, () => {
  let host: Host;
  let untouched: Readonly<Record<string, string>>;
  before(async () => {
    host = await bootHost('setup-roll-out');
    await host.enrol(host.alice);
    await host.enrol(host.bob);
    await host.container.must(['groupadd', 'ops']);
    await host.container.must(['gpasswd', '--add', 'bob', 'ops']);
    untouched = snapshot(host);
  });
  afterEach(async () => {
    await host.clear();
    await host.container.run(['sh', '-c', '[ ! -e /run/second.pid ] || kill "$(cat /run/second.pid)"']);
    await host.container.run(['rm', '-f', OTHER, BY_HAND, SECOND, '/run/second.pid']);
    await host.container.must(['systemctl', 'reload', 'ssh']);
    assertAsBefore(host, untouched);
  });

  const lines = async (file: string, ...text: string[]): Promise<void> => {
    host.write(file, `${text.join('\n')}\n`);
    await host.container.must(['systemctl', 'reload', 'ssh']);
  };

  /** Asserts that a setup is refused for alice by one of the rules, and that nothing of it stays. */
  const isRefused = async (id: string, ...words: string[]): Promise<void> => {
    const files = snapshot(host);
    const { code, stderr } = await host.setup(...words, ...FOR_GOOD);
    assert.equal(code, 1, stderr);
    assert.match(stderr, new RegExp(`^notp: error: ${id} \\(alice\\): .*all files were restored`, 'ms'));
    assertAsBefore(host, files);
  };

  for (const [door, first, then, match, id] of [
    ['gate', BOB, [], alicesLine('ForceCommand none'), 'FC1'],
    ['gate', BOB, ['--user', 'alice', ...BOB], alicesLine('ForceCommand none'), 'FC1'],
    ['gate', ['--group', 'ops'], [], alicesLine('ForceCommand none'), 'FC1'],
    ['pam', BOB, [], alicesLine('AuthenticationMethods publickey'), 'P2'],
    ['pam', BOB, [], ['Match User alice', '  PasswordAuthentication yes', '  AuthenticationMethods password publickey', 'Match all'], 'P2'],
    ['pam', BOB, [], alicesLine('KbdInteractiveAuthentication no'), 'P1'],
  ] as const)
    it(`${[door, ...then].join(' ')} after ${first.join(' ')} is refused where "${match.join(' ')}" leads alice past the code: it was applied without a word`, async () => {
      await lines(OTHER, ...match);
      assertDone(await host.setup(door, ...first, ...FOR_GOOD));
      await isRefused(id, door, ...then);
      assertDone(await loginOnceUp(host, host.alice, ['true']));
      assertDone(await host.setup('undo'));
      await isRefused(id, door, ...then);
    });

  for (const [hole, id] of [
    ['ForceCommand none', 'FC1'],
    ['DisableForwarding no', 'FC3'],
    ['PermitTunnel yes', 'FC6'],
    ['AcceptEnv *', 'FC8'],
    ['ExposeAuthInfo no', 'FC13'],
  ] as const)
    it(`gate over a gate by hand is refused where alice has ${hole}, unless forced, which names it`, async () => {
      await lines(BY_HAND, 'ForceCommand /usr/bin/notp gate', 'ExposeAuthInfo yes');
      await lines(OTHER, ...alicesLine(hole));
      await isRefused(id, 'gate');
      const forced = await host.setup('gate', '--force', ...FOR_GOOD);
      assertDone(forced);
      assert.match(forced.stderr, new RegExp(`^notp: hint: notp doctor still fails: ${id} \\(alice\\): `, 'm'));
    });

  for (const [door, hole, id] of [
    ['gate', 'ForceCommand none', 'FC1'],
    ['pam', 'AuthenticationMethods publickey', 'P2'],
  ] as const)
    it(`${door} for a group is refused where a Match line exempts a member who is not enrolled, and doctor fails for one that comes later: it was a remark`, async () => {
      const exemption = ['Match User carol', `  ${hole}`, 'Match all'];
      await addContainerUser(host.container, 'carol');
      await host.container.must(['gpasswd', '--add', 'carol', 'ops']);
      await lines(OTHER, ...exemption);
      const { code, stderr } = await host.setup(door, '--group', 'ops', ...FOR_GOOD);
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`^notp: error: ${id}: Accounts log in without a code: .*: 1 account: carol: `, 'm'));
      await lines(OTHER, '# none');
      assertDone(await host.setup(door, '--group', 'ops', ...FOR_GOOD));
      await lines(OTHER, ...exemption);
      const { stdout } = await host.container.run(['notp', 'doctor', '--json']);
      assert.match(stdout, new RegExp(`^\\{"id":"${id}","severity":"fail","title":"Accounts log in without a code`, 'm'));
      await host.container.must(['userdel', '--remove', 'carol']);
    });

  it('gate for everybody is refused where another sshd asks nobody', async () => {
    host.write(SECOND, 'Port 2222\nListenAddress 127.0.0.1\nPidFile /run/second.pid\n');
    await host.container.must(['/usr/sbin/sshd', '-f', SECOND]);
    const { code, stderr } = await host.setup('gate', ...FOR_GOOD);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^notp: error: no-gate: Nothing asks for a code at sshd: sshd \(pid \d+\) with \/etc\/ssh\/second/m);
  });

  it('says before it writes who will be refused, and why: nobody was named', async () => {
    for (const name of ['dave', 'erin', 'frank']) await addContainerUser(host.container, name);
    await host.container.must(['notp-enroll', 'erin', '--pending']);
    host.write('/etc/notp/notp.toml', '[[rule]]\nusers = ["frank"]\nask = "nothing"\nreason = "ticket OPS-12"\n');
    const told = [
      /^notp: hint: 1 account that can log in now will be refused, as they are not enrolled: dave\n/m,
      /^notp: hint: 1 account that can log in now will be refused, as their enrolment is invited: erin\n/m,
      /^notp: hint: to enrol them first: notp-enroll NAME, or notp-enroll --batch for many\n/m,
    ];
    for (const door of ['gate', 'pam']) {
      const shown = await host.setup(door);
      for (const each of told) assert.match(shown.stderr, each);
      const applied = await host.setup(door, ...FOR_GOOD);
      assertDone(applied);
      for (const each of told) assert.match(applied.stderr.slice(0, applied.stderr.indexOf('Wrote ')), each);
      assertDone(await host.setup('undo'));
      assert.doesNotMatch((await host.setup(door, ...BOB)).stderr, /refused/);
    }
    await host.container.must(['rm', '/etc/notp/notp.toml']);
    await host.container.must(['notp', 'revoke', '--user', 'erin', '--yes']);
    for (const name of ['dave', 'erin', 'frank']) await host.container.must(['userdel', '--remove', name]);
  });

  it('sudo says before it writes who can use sudo and will be refused: it named nobody', async () => {
    for (const name of ['dave', 'erin', 'frank']) await addContainerUser(host.container, name);
    await host.container.must(['gpasswd', '--add', 'dave', 'sudo']);
    await host.container.must(['gpasswd', '--add', 'bob', 'sudo']);
    host.write('/etc/sudoers.d/erin', 'erin ALL=(ALL) NOPASSWD: ALL\n', 0o440);
    const told = /^notp: hint: 1 account that can use sudo now will be refused there, as they are not enrolled: dave\n/m;
    assert.match((await host.setup('sudo')).stderr, told);
    const applied = await host.setup('sudo', ...FOR_GOOD);
    assertDone(applied);
    assert.match(applied.stderr.slice(0, applied.stderr.indexOf('Wrote ')), told);
    assertDone(await host.setup('undo'));
    await host.container.must(['rm', '/etc/sudoers.d/erin']);
    await host.container.must(['gpasswd', '--delete', 'bob', 'sudo']);
    for (const name of ['dave', 'erin', 'frank']) await host.container.must(['userdel', '--remove', name]);
  });

  it('is refused for whoever meets the other door already, unless forced: each login asked for two codes', async () => {
    for (const [first, second] of [
      ['pam', 'gate'],
      ['gate', 'pam'],
    ] as const) {
      assertDone(await host.setup(first, ...FOR_GOOD));
      const files = snapshot(host);
      const { code, stderr } = await host.setup(second, ...FOR_GOOD);
      assert.equal(code, 1, stderr);
      assert.match(stderr, /^notp: error: both-doors: .*\nnotp: hint: notp setup undo first, or leave them out/m);
      assertAsBefore(host, files);
      assertDone(await host.setup('undo'));
    }
    assertDone(await host.setup('pam', '--user', 'alice', ...FOR_GOOD));
    assertDone(await host.setup('gate', ...BOB, ...FOR_GOOD));
    assertDone(await host.setup('gate', '--force', ...FOR_GOOD));
    assertDone(await host.setup('undo'));
  });

  it('is for the members of a group with a blank in its name, and for nobody else', async () => {
    const groups = host.read('/etc/group');
    host.write('/etc/group', `${groups}domain users:x:31999:bob\n`);
    for (const door of ['gate', 'pam']) {
      assertDone(await host.setup(door, '--group', 'domain users', ...FOR_GOOD));
      assertDone(await loginOnceUp(host, host.alice, ['true']));
      assert.notEqual((await loginOnceUp(host, host.bob, ['true'])).code, 0);
      assertDone(await host.setup('undo'));
    }
    host.write('/etc/group', groups);
  });

  it('is kept from by nothing that does not concern it: users outside of its scope, and other doors', async () => {
    const sudo = host.read('/etc/pam.d/sudo');
    await lines(BY_HAND, 'Match User bob', '  ForceCommand /usr/bin/notp gate', '  ExposeAuthInfo yes', '  PermitTunnel yes', 'Match all');
    host.write('/etc/pam.d/sudo', `${sudo}auth sufficient pam_exec.so seteuid quiet /usr/bin/notp pam --prompt-tty\n`);
    // Alice needs no code at sshd, bob's gate is open by hand, and so is sudo.
    assertDone(await host.setup('pam', '--user', 'alice', ...FOR_GOOD));
    assertDone(await host.setup('undo'));
    await lines(BY_HAND, ...alicesLine('ForceCommand none'));
    // Nor by those whom doctor does not know, as they are not enrolled.
    for (const whom of [BOB, ['--group', 'ops'], ['--user', 'nobody']]) {
      assertDone(await host.setup('gate', ...whom, ...FOR_GOOD));
      assertDone(await host.setup('undo'));
    }
    host.write('/etc/pam.d/sudo', sudo);
    assertDone(await host.setup('sudo', ...FOR_GOOD));
  });
});

function alicesLine(line: string): string[] {
  return ['Match User alice', `  ${line}`, 'Match all'];
}

/** Match blocks: doctor asks sshd about every user from everywhere that the configuration tells apart, and about nothing twice. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { addSecondName, addUser, must, type TestUser } from '../../support/world.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { detailOf, example, NEEDS, sshdWorld, wrong, type SshdWorld } from './sshd-world.ts';

describe('Match blocks', { skip: NEEDS }, () => {
  let world: SshdWorld;
  let alice: TestUser;
  let bob: TestUser;
  before(() => {
    world = sshdWorld();
    [alice, bob] = [addUser(), addUser()];
  });
  const examine = async (lines: readonly string[], names = [alice.name, bob.name]): ReturnType<SshdWorld['examine']> =>
    await world.examine(world.write(lines, 'gate'), { names });

  it('that take the gate from a user by name are named for that user alone', async () => {
    assert.deepEqual(wrong((await examine([`Match User ${bob.name}`, 'ForceCommand none', 'Match all'])).findings), [`FC1 ${bob.name}`]);
  });

  it('that take it from a group are named for its members, supplementary groups too', async () => {
    must(['usermod', '-a', '-G', 'games', bob.name]);
    const { findings } = await examine(['Match Group games,nosuchgroup', 'ForceCommand none', 'Match all']);
    assert.deepEqual(wrong(findings), [`FC1 ${bob.name}`]);
  });

  for (const criteria of ['Group games', 'User %n']) {
    it(`that look at ${criteria.replace('%n', 'a user')} are asked about each name of a uid: a second name, in no group, was let in without a code`, async () => {
      const carol = addUser();
      must(['usermod', '-a', '-G', 'games', carol.name]);
      const second = addSecondName(carol);
      const lines = example('gate')
        .split('\n')
        .map((line) => `>${line}`);
      const block = [
        `>Match ${criteria.replace('%n', carol.name)}`,
        '>ForceCommand /usr/bin/notp gate',
        ...lines.filter((line) => !/^>(#|Permit|Match|ForceCommand)/.test(line)),
      ];
      const seen = async (): Promise<Finding[]> =>
        (await world.examine(world.write(block), { names: [carol.name] })).findings.filter(({ id }) => id === 'spelling');
      const [past] = await seen();
      assert.equal(past?.severity, 'fail');
      assert.match(past.detail, new RegExp(`^"${second}" is the same account.* FC1: `));
      if (criteria.startsWith('User')) return;
      must(['usermod', '-a', '-G', 'games', second]);
      assert.deepEqual(await seen(), []);
    });
  }

  it('that negate and use wildcards are read as sshd reads them', async () => {
    const lines = [`Match User !${alice.name},notp-t*`, 'ForceCommand none', 'Match all'];
    assert.deepEqual(wrong((await examine(lines)).findings), [`FC1 ${bob.name}`]);
  });

  for (const [what, pattern, from] of [
    ['loopback', '127.0.0.0/8', '127.0.0.1'],
    ['loopback of IPv6', '::1', '::1'],
    ['a network', '10.1.0.0/16', '10.1.0.0'],
    ['a network of IPv6', '2001:db8:77::/48', '2001:db8:77::'],
    ['a wildcard', '172.20.*', '172.20.0.0'],
    ['a network but for its beginning', '10.0.0.0/8,!10.0.0.0/24', '10.0.1.0'],
    ['one address that begins a network', '10.0.0.0/32', '10.0.0.0'],
    ['everything but a network', '*,!10.0.0.0/8', '203.0.113.7'],
  ] as const) {
    it(`that exempt ${what} are named with the address`, async () => {
      const { findings } = await examine([`Match Address ${pattern}`, 'ForceCommand none', 'Match all'], [alice.name]);
      assert.deepEqual(wrong(findings), [`FC14 ${alice.name}`]);
      assert.ok(detailOf(findings, 'FC14').includes(from), detailOf(findings, 'FC14'));
    });
  }

  it('that exempt a host by name are named', async () => {
    const { findings } = await examine(['Match Host *.office.example', 'ForceCommand none', 'Match all'], [alice.name]);
    assert.match(detailOf(findings, 'FC14'), /q\.office\.example/);
  });

  it('that exempt a host in a network are named', async () => {
    const { findings } = await examine(['Match Host *.office.example Address 10.0.0.0/8', 'ForceCommand none', 'Match all'], [alice.name]);
    assert.match(detailOf(findings, 'FC14'), /q\.office\.example \(10\.0\.0\.0\)/);
  });

  it('that exempt a routing domain are named', async () => {
    const { findings } = await examine(['Match RDomain mgmt', 'ForceCommand none', 'Match all'], [alice.name]);
    assert.match(detailOf(findings, 'FC14'), /in routing domain mgmt/);
  });

  it('whose addresses nobody can tell are named, and nothing is said to be the same everywhere', async () => {
    const { findings } = await examine(['Match Address 10.*.7?8', 'ForceCommand none', 'Match all'], [alice.name]);
    assert.deepEqual(wrong(findings), ['FC14']);
    assert.match(detailOf(findings, 'FC14'), /Match address 10\.\*\.7\?8$/);
  });

  it('of a port of its own are asked about', async () => {
    const { findings } = await examine(['Port 22', 'Port 2222', 'Match LocalPort 2222', 'ForceCommand none', 'Match all'], [alice.name]);
    assert.deepEqual(wrong(findings), [`FC14 ${alice.name}`]);
  });

  it('count in their order: the first that says something wins', async () => {
    const gate = ['Match User *', 'ForceCommand /usr/bin/notp gate'];
    const none = [`Match User ${bob.name}`, 'ForceCommand none'];
    assert.deepEqual(wrong((await examine([...gate, ...none, 'Match all'])).findings), []);
    assert.deepEqual(wrong((await examine([...none, ...gate, 'Match all'])).findings), [`FC1 ${bob.name}`]);
  });

  it('in files that are included count too, from a relative name and within a block', async () => {
    const inner = path.join(world.folder, 'inner.conf');
    fs.writeFileSync(inner, 'match address=192.168.7.0/24\n  forcecommand=none\n');
    fs.writeFileSync(path.join(world.folder, 'outer.conf'), `Include "${world.folder}/inn*.conf"\n`);
    const { findings } = await examine([`Include ${world.folder}/outer.conf`, 'Match all'], [alice.name]);
    assert.match(detailOf(findings, 'FC14'), /from 192\.168\.7\.0:/);
  });

  it('are asked about once for all users whom they do not tell apart', async () => {
    const names = [alice.name, bob.name, 'daemon', 'games', 'nobody'];
    assert.equal((await examine([], names)).asked, 1);
    assert.equal((await examine([`>Match User ${bob.name}`, '>  Banner none'], names)).asked, 2);
    const { asked } = await examine(['>Match Group games', '>  Banner none'], names);
    assert.equal(asked, 2);
  });
});

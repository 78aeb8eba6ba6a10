/** Users come from the passwd database and from nowhere else. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { describe, it } from 'node:test';
import { clientAddress } from '../../src/system/ssh/session.ts';
import { groupsByName, groupsOf, isRoot, realUid, realUser, userByName, userByUid, usersByName } from '../../src/system/users.ts';
import { addSecondName, addUser, lacks, must } from '../support/world.ts';

describe('a user', () => {
  it('is found by name and by uid, as getent(1) finds them', () => {
    const root = userByName('root');
    assert.deepEqual(root, userByUid(0));
    const [name, , uid, gid, , home, shell] = must(['getent', 'passwd', 'root']).trim().split(':');
    assert.deepEqual(root, { name, uid: Number(uid), gid: Number(gid), home, shell });
  });

  for (const name of ['', '0', '00', '+0', '../elsewhere/evil', '-h', 'root\n', 'root:x', 'no-such-user-here', 'x'.repeat(300)]) {
    it(`is not found by ${JSON.stringify(name.slice(0, 20))}`, () => {
      assert.equal(userByName(name), undefined);
    });
  }

  it('and others are found at once, by their names alone, and those that there are not are left out', () => {
    const names = ['root', '0', 'no-such-user-here', '-h', 'daemon', ...Array.from({ length: 500 }, (_, i) => `no-such-user-${String(i)}`)];
    const found = usersByName(names);
    assert.deepEqual([...found.keys()].toSorted(), ['daemon', 'root']);
    assert.deepEqual(found.get('daemon'), userByName('daemon'));
    assert.equal(usersByName([]).size, 0);
  });

  it('is an error where the uid has no entry', () => {
    assert.throws(() => userByUid(4_000_000_000), { code: 'failed', message: /uid 4000000000 has no entry/ });
  });

  it('who runs this is told by the kernel, not by the environment', () => {
    const before = { HOME: process.env['HOME'], USER: process.env['USER'], LOGNAME: process.env['LOGNAME'] };
    Object.assign(process.env, { HOME: '/evil', USER: 'mallory', LOGNAME: 'mallory' });
    try {
      assert.equal(realUser().uid, process.getuid?.());
      assert.notEqual(realUser().home, '/evil');
      assert.equal(realUser().name, must(['id', '-un']).trim());
    } finally {
      for (const [key, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[key];
        else process.env[key] = value;
      }
    }
  });

  it('is root or not by the effective uid', { skip: lacks({ root: true }) }, () => {
    assert.equal(realUid(), 0);
    assert.equal(isRoot(), true);
    process.seteuid?.(12_345);
    try {
      assert.equal(isRoot(), false);
      assert.equal(realUid(), 0);
    } finally {
      process.seteuid?.(0);
    }
  });
});

function groupsOfId(name: string): string[] {
  const { stdout } = spawnSync('id', ['-Gnz', '--', name], { encoding: 'utf8' });
  return stdout.split('\0').filter((group) => group !== '');
}

describe('the groups of users', { skip: lacks({ root: true }) }, () => {
  it('are those that id(1) names, of each their own, however many are asked for', () => {
    const { name } = addUser();
    must(['usermod', '--groups', 'daemon,bin', name]);
    const users = ['root', name, 'daemon'].flatMap((each) => userByName(each) ?? []);
    const expected = new Map(users.map((user) => [user.name, must(['id', '-Gn', user.name]).trim().split(' ')]));
    assert.deepEqual(expected.get(name)?.toSorted(), ['bin', 'daemon', name].toSorted());
    assert.deepEqual(groupsByName(users.map((user) => user.name)), expected);
    for (const user of users) assert.deepEqual(groupsOf(user), expected.get(user.name));
    const crowd = Array.from({ length: 450 }, (_, i) => userByName(i % 2 === 0 ? name : 'daemon') ?? userByUid(0));
    assert.deepEqual(groupsByName(crowd.map((user) => user.name)), new Map([name, 'daemon'].map((each) => [each, expected.get(each)])));
  });

  it('are those of id(1) for each of many names: of one uid by two names, of nobody, and of all that this host has', () => {
    const user = addUser();
    const second = addSecondName(user);
    must(['usermod', '--append', '--groups', 'daemon,bin', second]);
    // Throw-away users of other tests come and go meanwhile.
    const here = (fs.readFileSync('/etc/passwd', 'utf8').match(/^[a-z_][^:]*(?=:)/gm) ?? []).filter((each) => !each.startsWith('notp'));
    const names = [user.name, second, 'no-such-user-here', '1', 'a b', ...here];
    assert.ok(names.length > 20);
    assert.deepEqual(groupsByName(names), new Map(names.map((name) => [name, groupsOfId(name)])));
    assert.deepEqual(groupsByName(names).get(second)?.toSorted(), ['bin', 'daemon', user.name].toSorted());
  });

  it('are none for a name that is nobody, and those of the others are theirs still', () => {
    const found = groupsByName(['no-such-user-here', 'root', 'daemon']);
    assert.deepEqual(
      [...found],
      [
        ['no-such-user-here', []],
        ['root', groupsOf(userByUid(0))],
        ['daemon', ['daemon']],
      ],
    );
    assert.equal(groupsByName([]).size, 0);
  });
});

describe('the SSH session', () => {
  it('has the address that sshd tells', () => {
    assert.equal(clientAddress({ SSH_CONNECTION: '2001:db8::1 51234 10.0.0.1 22' }), '2001:db8::1');
    assert.equal(clientAddress({}), undefined);
  });
});

/** Whom a setup is for: a group that holds for one name of an account and not for another is none to go by. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { scopeOf } from '../../src/setup/concerned.ts';
import type { Scope } from '../../src/setup/scope.ts';
import { atEnd } from '../support/cleanup.ts';
import { addSecondName, addUser, lacks, must, type TestUser } from '../support/world.ts';

/** A group of its own: other tests add users to those that are there. */
const GROUP = `notp-g${randomBytes(4).toString('hex')}`;

describe('the scope of a setup', { skip: lacks({ root: true }) }, () => {
  let alice: TestUser;
  let second: string;
  before(() => {
    alice = addUser();
    second = addSecondName(alice);
    must(['groupadd', GROUP]);
    atEnd(() => {
      must(['groupdel', GROUP]);
    });
    must(['usermod', '-a', '-G', GROUP, alice.name]);
  });

  it('is refused by group where a second name of the uid is in none, which let it in without a code at every door', () => {
    for (const door of ['gate', 'pam', 'sudo'] as const)
      assert.throws(() => scope(door), {
        code: 'refused',
        message: new RegExp(
          `^"${second}" and "${alice.name}" are both uid ${String(alice.uid)}, and only "${alice.name}" is in the group "${GROUP}"`,
        ),
        hint: `put each name of the account into the group: gpasswd -a ${second} ${GROUP}`,
      });
    // By their uid, or all of their names, they are asked anyway.
    assert.deepEqual(scope('pam', [alice.name]).groups, [GROUP]);
    must(['gpasswd', '-a', second, GROUP]);
    assert.deepEqual(scope('gate'), { users: [], groups: [GROUP] });
    must(['gpasswd', '-d', alice.name, GROUP]);
    assert.throws(() => scope('gate'), { hint: new RegExp(`gpasswd -a ${alice.name} ${GROUP}$`) });
  });
});

function scope(door: 'gate' | 'pam' | 'sudo', users: readonly string[] = []): Scope {
  return scopeOf(door, { users, groups: [GROUP] });
}

/** The conditions of a setup as libpam and doctor read them: whom they exempt from what follows. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { opensWithoutCode } from '../../src/doctor/pam/paths.ts';
import { pamStack } from '../../src/doctor/pam/stack.ts';
import { pamConditions, type Scope } from '../../src/setup/scope.ts';
import { groupsOf, userByUid } from '../../src/system/users.ts';
import { pamService } from '../doctor/pam/pam-files.ts';
import { run } from '../support/process.ts';
import { addUser, lacks, type TestUser } from '../support/world.ts';

describe('the conditions of a setup', { skip: lacks({ root: true, programs: ['pamtester'] }) }, () => {
  let user: TestUser;
  let other: TestUser;
  before(() => {
    [user, other] = [addUser(), addUser()];
  });

  /** What libpam and doctor say of `user`, whose code is never right. */
  const exempts = async (scope: Scope): Promise<boolean> => {
    const code = 'auth requisite pam_exec.so quiet expose_authtok /nonexistent/notp pam';
    const name = pamService([...pamConditions(scope, 1), code, 'auth required pam_permit.so', ''].join('\n'));
    const asked = await run(['pamtester', name, user.name, 'authenticate', 'setcred'], { input: '000000\n' });
    const who = { name: user.name, uid: user.uid, groups: groupsOf(userByUid(user.uid)) };
    const opens = opensWithoutCode(pamStack(name, 'auth') ?? [], { firstPass: false, exempt: who });
    assert.equal(asked.code === 0, opens, `libpam and doctor must agree: ${asked.stdout}${asked.stderr}`);
    return opens;
  };

  it('ask whoever has the uid or the name that was set up: with a changed uid, and so no code, the password let them in', async () => {
    assert.equal(await exempts(listed(user.name, user.uid)), false);
    assert.equal(await exempts(listed(user.name, 3_999_999)), false, 'the uid has changed');
    assert.equal(await exempts(listed('former-name', user.uid)), false, 'the name has changed');
    assert.equal(await exempts(listed(other.name, other.uid)), true, 'somebody else');
  });

  it('ask whoever is in a group of the setup, beside users and alone', async () => {
    const groups = groupsOf(userByUid(user.uid));
    const others = [{ name: other.name, uid: other.uid, spellings: [other.name] }];
    for (const users of [[], others]) {
      assert.equal(await exempts({ users, groups: ['root', ...groups] }), false);
      assert.equal(await exempts({ users, groups: ['root'] }), true);
    }
  });
});

function listed(name: string, uid: number): Scope {
  return { users: [{ name, uid, spellings: [name, 'no-such-user'] }], groups: [] };
}

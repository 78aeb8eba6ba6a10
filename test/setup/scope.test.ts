/** Whom a setup concerns, as sshd and PAM are told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canMatch, describeScope, isEverybody, matchCriteria, pamConditions } from '../../src/setup/scope.ts';

const EVERYBODY = { users: [], groups: [] };
const ALICE = { name: 'alice', uid: 1000, spellings: ['alice'] };
const BOB = { name: 'bob', uid: 1001, spellings: ['bob', 'robert'] };
const BOTH = { users: [ALICE, BOB], groups: ['ops'] };

describe('the scope of a setup', () => {
  it('is everybody where nobody is named', () => {
    assert.equal(isEverybody(EVERYBODY), true);
    assert.equal(isEverybody({ users: [], groups: ['ops'] }), false);
    assert.deepEqual(matchCriteria(EVERYBODY), []);
    assert.deepEqual(pamConditions(EVERYBODY, 4), []);
  });

  it('gives users and groups a Match line each, since on one line both would have to hold', () => {
    assert.deepEqual(matchCriteria(BOTH), ['User alice,bob,robert', 'Group ops']);
  });

  it('skips the code in PAM only on a clear no to uid, name and group: after a change of the uid no code was asked for', () => {
    const [who, uid = '', name = ''] = pamConditions({ users: [ALICE], groups: [] }, 4);
    assert.equal(who, '# uid 1000: alice');
    assert.match(uid, /^auth +\[auth_err=ignore ignore=ignore default=1\] pam_succeed_if\.so quiet uid in 1000$/);
    assert.match(name, /^auth +\[auth_err=4 default=ignore\] pam_succeed_if\.so quiet user in alice$/);
    const [group = ''] = pamConditions({ users: [], groups: ['ops', 'dev'] }, 1);
    assert.match(group, /\[auth_err=1 default=ignore\] pam_succeed_if\.so quiet user ingroup ops:dev$/);
  });

  it('asks PAM each question only where those before it say no', () => {
    const lines = pamConditions(BOTH, 4).filter((line) => !line.startsWith('#'));
    assert.equal(lines.length, 3);
    assert.match(lines[0] ?? '', /\[auth_err=ignore ignore=ignore default=2\] pam_succeed_if\.so quiet uid in 1000:1001$/);
    assert.match(lines[1] ?? '', /\[auth_err=ignore ignore=ignore default=1\] pam_succeed_if\.so quiet user in alice:bob:robert$/);
    assert.match(lines[2] ?? '', /\[auth_err=4 default=ignore\] pam_succeed_if\.so quiet user ingroup ops$/);
  });

  it('leaves a name that PAM cannot be told of to its uid', () => {
    const lines = pamConditions({ users: [{ name: 'a:b', uid: 7, spellings: ['a:b'] }], groups: [] }, 1);
    assert.deepEqual(lines.slice(1), ['auth       [auth_err=1 default=ignore] pam_succeed_if.so quiet uid in 7']);
  });

  it('writes names with blanks, and names that are not ASCII byte by byte', () => {
    const scope = { users: [{ name: 'jo doe', uid: 7, spellings: ['jo doe', 'josé'] }], groups: ['domain users'] };
    assert.deepEqual(matchCriteria(scope), ['User "jo doe,jos\xc3\xa9"', 'Group "domain users"']);
    assert.match(pamConditions({ ...scope, users: [] }, 4)[0] ?? '', / user ingroup \[domain users\]$/);
    assert.deepEqual(pamConditions({ users: [{ ...ALICE, name: 'josé' }], groups: [] }, 4)[0], '# uid 1000: jos\xc3\xa9');
  });

  it('has no way to write what sshd reads as a pattern, a list, a quote or a word more', () => {
    for (const name of ['a*', 'a?', '!a', 'a,b', 'a"b', "a'b", '#a', 'a=b', 'a:b', ' a', 'a ', 'a\\', 'a\\\\b', 'a\\ b', 'a]', '[a'])
      assert.equal(canMatch(name), false, name);
    for (const name of ['alice', 'CORP\\sam', 'jo doe', 'josé', 'adann@corp.example', '20231234', 'machine$'])
      assert.equal(canMatch(name), true, name);
  });

  it('is told to a person', () => {
    assert.equal(describeScope(EVERYBODY), 'everybody');
    assert.equal(describeScope(BOTH), 'the users alice, bob and the groups ops');
  });
});

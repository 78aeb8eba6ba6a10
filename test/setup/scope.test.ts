/** Whom a setup concerns, as sshd and PAM are told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeScope, isEverybody, matchCriteria, pamConditions } from '../../src/setup/scope.ts';

const EVERYBODY = { users: [], groups: [] };
const BOTH = { users: ['alice', 'bob'], groups: ['ops'] };

describe('the scope of a setup', () => {
  it('is everybody where nobody is named', () => {
    assert.equal(isEverybody(EVERYBODY), true);
    assert.equal(isEverybody({ users: [], groups: ['ops'] }), false);
    assert.deepEqual(matchCriteria(EVERYBODY), []);
    assert.deepEqual(pamConditions(EVERYBODY, 4), []);
  });

  it('gives users and groups a Match line each, since on one line both would have to hold', () => {
    assert.deepEqual(matchCriteria(BOTH), ['User alice,bob', 'Group ops']);
  });

  it('skips the code in PAM on a clear no alone', () => {
    const [line = ''] = pamConditions({ users: ['alice'], groups: [] }, 4);
    assert.match(line, /^auth +\[auth_err=4 default=ignore\] pam_succeed_if\.so quiet user in alice$/);
    const [group = ''] = pamConditions({ users: [], groups: ['ops', 'dev'] }, 1);
    assert.match(group, /\[auth_err=1 default=ignore\] pam_succeed_if\.so quiet user ingroup ops:dev$/);
  });

  it('asks PAM about the groups only where the users say no', () => {
    const lines = pamConditions(BOTH, 4);
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? '', /\[auth_err=ignore ignore=ignore default=1\] pam_succeed_if\.so quiet user in alice:bob$/);
    assert.match(lines[1] ?? '', /\[auth_err=4 default=ignore\] pam_succeed_if\.so quiet user ingroup ops$/);
  });

  it('is told to a person', () => {
    assert.equal(describeScope(EVERYBODY), 'everybody');
    assert.equal(describeScope(BOTH), 'the users alice, bob and the groups ops');
  });
});

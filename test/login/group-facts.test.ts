/** What the rules know of the groups of an account that has two names, and of groups that nobody knows. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { groupFacts } from '../../src/login/ruling.ts';
import { userByName } from '../../src/system/users.ts';
import { rulingOn, type Ask, type Rule } from '../../src/verdict/rules.ts';
import { addSecondName, addUser, lacks, must, type TestUser } from '../support/world.ts';

const rule = (ask: Ask, ...users: readonly string[]): Rule => ({ ask, users, line: 1 });
const REST: Rule = { ask: 'nothing', line: 2 };

describe('the groups of a rule', { skip: lacks({ root: true }) }, () => {
  let user: TestUser;
  before(() => {
    user = addUser();
    must(['usermod', '--groups', 'daemon', addSecondName(user)]);
  });

  const ask = (...rules: readonly Rule[]): Ask => {
    const known = { service: 'sudo', address: undefined, keyType: undefined, host: 'web1', firstFactor: true };
    return rulingOn(rules, { user: user.name, ...groupFacts({ rules }, userByName(user.name)), ...known }).ask;
  };

  it('are those of all names of an account: one name alone let in, and another alone was not refused', () => {
    assert.equal(ask(rule('refuse', '@daemon'), REST), 'refuse');
    assert.equal(ask(rule('nothing', '@daemon')), 'code');
    assert.equal(ask(rule('nothing', `@${user.name}`)), 'nothing');
    assert.equal(ask(rule('refuse', '@bin'), REST), 'nothing');
  });

  it('are unknown where no database knows the group', () => {
    assert.equal(ask(rule('refuse', '@no-such-group-here'), REST), 'refuse');
    assert.equal(ask(rule('nothing', '@no-such-group-here')), 'code');
    assert.equal(ask(rule('refuse', '@4711'), REST), 'refuse', 'a number is no gid');
  });

  it('are not looked up where no rule names one, and are unknown of nobody', () => {
    assert.deepEqual(groupFacts({ rules: [REST] }, userByName(user.name)), { groups: [], otherGroups: [] });
    assert.deepEqual(groupFacts({ rules: [rule('nothing', '@daemon')] }, undefined), { groups: [], otherGroups: [] });
  });
});

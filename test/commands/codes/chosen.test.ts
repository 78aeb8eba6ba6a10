/** What a name means: itself before its spelling in another case, and that before what begins so. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { meantBy, meantByAll } from '../../../src/commands/codes/chosen.ts';

const NAMES = ['AWS', 'aws-root', 'git', 'github', 'gitlab', 'GitTea'];

it('the name that is spelled so is meant alone', () => {
  assert.deepEqual(meantBy('git', NAMES), ['git']);
  for (const name of NAMES) assert.deepEqual(meantBy(name, NAMES), [name]);
});

it('then those that differ in case alone, and then those that begin so', () => {
  assert.deepEqual(meantBy('aws', NAMES), ['AWS']);
  assert.deepEqual(meantBy('GITH', NAMES), ['github']);
  assert.deepEqual(meantBy('gi', NAMES), ['git', 'github', 'gitlab', 'GitTea']);
});

it('a name that means none stays as it is, to be refused', () => {
  assert.deepEqual(meantBy('bank', NAMES), ['bank']);
  assert.deepEqual(meantBy('bank', []), ['bank']);
});

it('several names give each secret once', () => {
  assert.deepEqual(meantByAll(['git', 'gi', 'aws-'], NAMES), ['git', 'github', 'gitlab', 'GitTea', 'aws-root']);
});

it('a login is meant by its name where the store keeps its file', () => {
  assert.deepEqual(meantByAll(['ssh'], ['ssh-keys'], ['ssh']), ['ssh']);
  assert.deepEqual(meantByAll(['ss'], ['ssh-keys'], ['ssh']), ['ssh-keys']);
});

it('whatever is given, something is meant, and each name is found by its own beginning', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9]{1,5}$/), { minLength: 1 });
  fc.assert(
    fc.property(names, fc.nat(), fc.nat(), (all, which, length) => {
      const name = all[which % all.length] ?? '';
      const part = name.slice(0, 1 + (length % name.length));
      const meant = meantBy(part, all);
      assert.ok(meant.length > 0);
      for (const each of meant) assert.ok(each.toLowerCase().startsWith(part.toLowerCase()));
      if (!all.some((each) => each !== name && each.toLowerCase() === part.toLowerCase()) && meant[0]?.toLowerCase() !== part.toLowerCase())
        assert.ok(meant.includes(name));
    }),
  );
});

/** What doctor asks sshd about stands for all that the lists of Match lines mean, whatever is negated beside a wildcard. */
import * as assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { addressesOf } from '../../../src/doctor/sshd/addresses.ts';
import { representatives } from '../../../src/doctor/sshd/representatives.ts';
import { matchesPattern } from '../../../src/system/ssh/patterns.ts';
import { addUser, must, type TestUser } from '../../support/world.ts';
import { NEEDS, sshdWorld, wrong, type SshdWorld } from './sshd-world.ts';

/** A list of patterns as ssh_config(5) has it. */
function listMatches(name: string, list: readonly string[]): boolean {
  const matches = (negated: boolean): boolean =>
    list.some((pattern) => pattern.startsWith('!') === negated && matchesPattern(name, pattern.replace(/^!/, '')));
  return matches(false) && !matches(true);
}

function positive(list: readonly string[]): string[] {
  return list.map((pattern) => pattern.replace(/^!/, ''));
}

/** Every name of up to five letters. */
const NAMES = Array.from({ length: 5 })
  .reduce<string[]>((names) => [...new Set(names.flatMap((name) => ['', 'a', 'b', '.', 'c'].map((letter) => name + letter)))], [''])
  .filter((name) => name !== '');

describe('the names that stand for patterns', () => {
  it('are one for a wildcard alone, and a second one where the first is negated', () => {
    assert.deepEqual(representatives(['*.office.test']), ['x.office.test']);
    assert.deepEqual(representatives(['*.corp', 'x.corp']), ['q.corp', 'x.corp']);
    assert.deepEqual(representatives(['*', 'a*', '*b']), ['x', 'ax', 'xb', 'axb']);
    assert.deepEqual(representatives(['host']), ['host']);
    assert.deepEqual(representatives([]), []);
  });

  it('match each list that any name matches', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '?', '*'), minLength: 1, maxLength: 4 });
    const oneStar = pattern.filter((each) => each.split('*').length <= 2);
    const list = fc.tuple(fc.array(oneStar, { minLength: 1, maxLength: 2 }), fc.array(pattern, { maxLength: 4 }));
    fc.assert(
      fc.property(list, fc.array(pattern, { maxLength: 3 }), ([some, none], others) => {
        const patterns = [...some, ...none.map((each) => `!${each}`)];
        if (!NAMES.some((name) => listMatches(name, patterns))) return;
        const asked = representatives([...new Set([...positive(patterns), ...others])]);
        assert.ok(
          asked.some((name) => listMatches(name, patterns)),
          `${patterns.join()} is asked about as ${asked.join()}`,
        );
      }),
      { numRuns: 3000 },
    );
  });

  it('are few, and found in time, where there are many patterns with many stars', () => {
    const many = Array.from({ length: 100 }, (_, i) => `*${'a*'.repeat(i % 20)}${String(i)}.example`);
    assert.ok(representatives(many).length <= 2000);
  });
});

describe('the addresses that stand for patterns', () => {
  it('match each list of one wildcard with some negated ones that addresses match', () => {
    const part = fc.constantFrom('*', '?', '1?', '10', '1*', '20');
    const pattern = fc.tuple(part, part, fc.constantFrom('*', '*.*', '1.*')).map((parts) => ['10', ...parts].join('.'));
    const octets = [0, 1, 2, 5, 9, 10, 11, 15, 20, 42, 100, 192];
    const universe = octets
      .flatMap((a) => octets.map((b) => `10.${String(a)}.${String(b)}`))
      .flatMap((start) => [`${start}.1`, `${start}.20`]);
    fc.assert(
      fc.property(
        pattern,
        fc.array(fc.constantFrom('10.1.*', '10.?.*', '10.0.0.0', '10.1*', '*.1', '10.1.1.1'), { maxLength: 2 }),
        (one, none) => {
          const list = [one, ...none.map((each) => `!${each}`)];
          if (!universe.some((address) => listMatches(address, list))) return;
          const asked = positive(list).flatMap((each) => addressesOf(each, positive(list)));
          // Where none can be told of, unasked() names it.
          if (addressesOf(one, positive(list)).length === 0) return;
          assert.ok(
            asked.some((address) => listMatches(address, list)),
            `${list.join()} is asked about as ${asked.join()}`,
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a Match line with a negated pattern', { skip: NEEDS }, () => {
  let world: SshdWorld;
  let alice: TestUser;
  before(() => {
    world = sshdWorld();
    alice = addUser();
    must(['usermod', '-a', '-G', 'games', alice.name]);
  });

  for (const criterion of [
    'Host *.corp.example,!x.corp.example',
    'Host *.Corp.Example,!X.corp.example,!q.corp.example',
    'Host *.corp.example,!?.corp.example,!??.corp.example',
    'Host a*,!ax Host *b',
    'Address 10.?.*,!10.1.*',
    'Address 10.*,!10.?.*,!11.*',
    'Address *,!1*,!*:*,!2*,!127.*',
    'LocalAddress 10.?.*,!10.1.*',
    'User *,!root',
    'User %,!x*',
    'Group ga*,!game',
  ]) {
    it(`is seen to take the gate away, for sshd itself does what it says: ${criterion}`, async () => {
      const lines = [`Match ${criterion.replace('%', alice.name)}`, 'ForceCommand none', 'Match all'];
      const { findings } = await world.examine(world.write(lines, 'gate'), { names: [alice.name] });
      assert.notDeepEqual(wrong(findings), [], criterion);
    });
  }
});

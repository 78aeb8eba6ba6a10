/** The rules: a table of decisions, and properties against a naive evaluation. Nothing unknown ever opens a door. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { whatOf, whoOf } from '../../src/verdict/rule-words.ts';
import {
  concernsService,
  covers,
  fitOf,
  identityOf,
  groupsNamed,
  mayLetIn,
  nameOf,
  rulingOn,
  type Ask,
  type Facts,
  type Rule,
  type Ruling,
} from '../../src/verdict/rules.ts';

const FACTS: Facts = {
  user: 'alice',
  groups: ['alice', 'ops'],
  otherGroups: ['alicia', 'dev'],
  service: 'sshd',
  address: '10.1.2.3',
  keyType: 'ssh-ed25519',
  host: 'web1',
  firstFactor: true,
};
const code = (more: Partial<Rule> = {}): Rule => ({ ask: 'code', line: 1, ...more });
const nothing = (more: Partial<Rule> = {}): Rule => ({ ask: 'nothing', reason: 'test', line: 1, ...more });
const refuse = (more: Partial<Rule> = {}): Rule => ({ ask: 'refuse', line: 1, ...more });
const OFFICE = { from: ['10.0.0.0/8'] };
const NO_ADDRESS = { address: undefined };
const HOUR = { rememberMs: 3_600_000 };

/** Rules, what is different from FACTS, and the answer: `code+` where the rule's remember counts. */
const TABLE: readonly (readonly [string, readonly Rule[], Partial<Facts>, Ask | 'code+'])[] = [
  ['no rule', [], {}, 'code'],
  ['a rule without any key fits everybody', [nothing()], {}, 'nothing'],
  ['the first that fits decides', [refuse({ users: ['bob'] }), nothing(), refuse()], {}, 'nothing'],
  ['a user by name', [nothing({ users: ['bob', 'alice'] })], {}, 'nothing'],
  ['another user', [nothing({ users: ['alic'] })], {}, 'code'],
  ['a user by group', [nothing({ users: ['@ops'] })], {}, 'nothing'],
  ['a group is no user', [nothing({ users: ['ops', '@alicia'] })], {}, 'code'],
  ['a group that nobody could look up', [nothing({ users: ['@ops'] })], { groups: [] }, 'code'],
  ['sudo -i, by a rule for sudo', [refuse({ services: ['sudo'] }), nothing()], { service: 'sudo-i' }, 'refuse'],
  ['su -, by a rule for su', [refuse({ services: ['su'] }), nothing()], { service: 'su-l' }, 'refuse'],
  ['sudo, not by a rule for sudo -i', [refuse({ services: ['sudo-i'] }), nothing()], { service: 'sudo' }, 'nothing'],
  ['a group that no database knows', [nothing({ users: ['@far'] })], {}, 'code'],
  ['a group that no database knows, refused', [refuse({ users: ['@far'] }), nothing()], {}, 'refuse'],
  ['a known group beside one that no database knows', [nothing({ users: ['@far', '@ops'] })], {}, 'nothing'],
  ['another group than the one that no database knows', [refuse({ users: ['@dev'] }), nothing()], {}, 'nothing'],
  ['a name beside a group that nobody could look up', [nothing({ users: ['@ops', 'alice'] })], { groups: [] }, 'nothing'],
  ['the service', [nothing({ services: ['sudo', 'sshd'] })], {}, 'nothing'],
  ['another service', [nothing({ services: ['sudo'] })], {}, 'code'],
  ['the network', [nothing(OFFICE)], {}, 'nothing'],
  ['the network, from IPv4 in IPv6', [nothing(OFFICE)], { address: '::ffff:10.1.2.3' }, 'nothing'],
  ['another network', [nothing(OFFICE)], { address: '192.0.2.7' }, 'code'],
  ['the type of the key', [nothing({ keys: ['sk-*', 'ssh-ed25519'] })], {}, 'nothing'],
  ['a hardware key', [nothing({ keys: ['sk-*'] })], { keyType: 'sk-ssh-ed25519@openssh.com' }, 'nothing'],
  ['another type of key', [nothing({ keys: ['sk-*'] })], {}, 'code'],
  ['no key is a key of no type', [nothing({ keys: ['*'] })], { keyType: '' }, 'code'],
  ['the host', [nothing({ hosts: ['web*'] })], {}, 'nothing'],
  ['another host', [nothing({ hosts: ['db*'] })], {}, 'code'],
  ['all keys of a rule', [nothing({ users: ['@ops'], services: ['sshd'], ...OFFICE, keys: ['ssh-*'], hosts: ['web?'] })], {}, 'nothing'],
  ['all keys of a rule but one', [nothing({ users: ['@ops'], services: ['sshd'], ...OFFICE, keys: ['sk-*'] })], {}, 'code'],
  // What is unknown.
  ['nothing is not for an unknown address', [nothing(OFFICE)], NO_ADDRESS, 'code'],
  ['a refusal is also for an unknown address', [refuse(OFFICE)], NO_ADDRESS, 'refuse'],
  ['a refusal is not for a known other one', [refuse(OFFICE)], { address: '192.0.2.7' }, 'code'],
  ['a code is, and nothing after it', [code(OFFICE), nothing()], NO_ADDRESS, 'code'],
  ['a code is, and a refusal after it holds', [code(OFFICE), refuse()], NO_ADDRESS, 'refuse'],
  ['a code is, and a refusal after it is for others', [code(OFFICE), refuse({ users: ['bob'] })], NO_ADDRESS, 'code'],
  ['nobody is remembered from an unknown address', [code({ ...OFFICE, ...HOUR })], NO_ADDRESS, 'code'],
  ['nor by the rule after it', [code(OFFICE), code({ ...HOUR })], NO_ADDRESS, 'code'],
  ['remembered from a known one', [code({ ...OFFICE, ...HOUR })], {}, 'code+'],
  ['an unknown account', [nothing({ users: ['alice'] })], { user: undefined, groups: [] }, 'code'],
  ['an unknown service', [nothing({ services: ['sshd'] })], { service: undefined }, 'code'],
  ['an unknown key', [nothing({ keys: ['*'] })], { keyType: undefined }, 'code'],
  // Without a first factor.
  ['nothing', [nothing()], { firstFactor: false }, 'code'],
  ['nothing, and a refusal after it', [nothing(), refuse()], { firstFactor: false }, 'refuse'],
  ['remember', [code(HOUR)], { firstFactor: false }, 'code'],
  ['a refusal', [refuse()], { firstFactor: false }, 'refuse'],
  ['a code, and nothing after it', [code(), refuse()], { firstFactor: false }, 'code'],
];

const wordOf = ({ ask, rememberMs }: Ruling): string => (rememberMs === undefined ? ask : `${ask}+`);

describe('the rules', () => {
  for (const [what, rules, facts, answer] of TABLE)
    it(`${what}: ${answer}`, () => {
      assert.equal(wordOf(rulingOn(rules, { ...FACTS, ...facts })), answer);
    });

  it('name the rule that decided', () => {
    const [one, two, three] = [code(OFFICE), nothing({ users: ['bob'] }), refuse({ services: ['sudo'] })];
    const lineOf = (facts: Partial<Facts>): Rule | undefined => rulingOn([one, two, three], { ...FACTS, ...facts }).rule;
    assert.equal(lineOf({}), one);
    assert.equal(lineOf({ address: '192.0.2.7', user: 'bob' }), two);
    assert.equal(lineOf({ ...NO_ADDRESS, user: 'bob' }), one, 'the one that perhaps fits');
    assert.equal(lineOf({ address: '192.0.2.7', service: 'sudo' }), three);
    assert.equal(lineOf({ address: '192.0.2.7' }), undefined);
    assert.deepEqual(rulingOn([code({ enrolByMs: 5, ...HOUR })], FACTS), {
      ask: 'code',
      rule: code({ enrolByMs: 5, ...HOUR }),
      enrolByMs: 5,
      ...HOUR,
    });
  });
});

// A small world, in which all values that a fact may have can be tried.
const USERS = ['alice', 'bob'];
const GROUPS: readonly string[] = ['ops', 'dev'];
const SERVICES = ['sshd', 'sudo'];
const ADDRESSES = ['10.1.2.3', '192.0.2.7', '2001:db8::1'];
const KEYS = ['', 'ssh-ed25519', 'sk-ssh-ed25519@openssh.com'];
const some = (values: readonly string[]): fc.Arbitrary<string[] | undefined> =>
  fc.option(fc.subarray([...values], { minLength: 1 }), { nil: undefined });
const RULE: fc.Arbitrary<Rule> = fc
  .record({
    users: some([...USERS, '@ops', '@dev']),
    services: some(SERVICES),
    from: some(['10.0.0.0/8', '10.1.2.3', '::/0']),
    keys: some(['sk-*', 'ssh-*']),
    hosts: some(['web*', 'db']),
    ask: fc.constantFrom<Ask>('code', 'nothing', 'refuse'),
    rememberMs: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    enrolByMs: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
  })
  .map(({ ask, rememberMs, enrolByMs, ...named }) => {
    const mercies = ask === 'code' ? { rememberMs, enrolByMs } : {};
    return Object.fromEntries(
      Object.entries({ ask, line: 1, ...named, ...mercies }).filter(([, value]) => value !== undefined),
    ) as unknown as Rule;
  });
const RULES = fc.array(RULE, { maxLength: 5 });
const KNOWN: fc.Arbitrary<Facts> = fc
  .record({
    user: fc.constantFrom(...USERS),
    groups: fc.subarray([...GROUPS]),
    otherGroups: fc.constant(GROUPS),
    service: fc.constantFrom(...SERVICES),
    address: fc.constantFrom(...ADDRESSES),
    keyType: fc.constantFrom(...KEYS),
    host: fc.constantFrom('web1', 'db'),
    firstFactor: fc.constant(true),
  })
  .map((facts) => ({ ...facts, otherGroups: GROUPS.filter((group) => !facts.groups.includes(group)) }));
const UNKNOWN = fc.record({
  unknown: fc.subarray(['user', 'service', 'address', 'keyType']),
  unknownGroups: fc.subarray([...GROUPS]),
  firstFactor: fc.boolean(),
});

type Unknown = typeof UNKNOWN extends fc.Arbitrary<infer T> ? T : never;

/** `known` without what is unknown. */
function without(known: Facts, { unknown, unknownGroups, firstFactor }: Unknown): Facts {
  const isKnown = (group: string): boolean => !unknownGroups.includes(group);
  const facts = { ...known, ...Object.fromEntries(unknown.map((fact) => [fact, undefined])), firstFactor };
  return { ...facts, groups: known.groups.filter(isKnown), otherGroups: known.otherGroups.filter(isKnown) };
}

/** As the manual says it, for a login of which everything is known. */
function naive(rules: readonly Rule[], facts: Facts): Rule | undefined {
  const { user = '', groups, service = '', address = '', keyType = '', host } = facts;
  const isIn = (network: string): boolean =>
    network === '10.0.0.0/8' ? address.startsWith('10.') : network === '::/0' ? address.includes(':') : network === address;
  return rules.find(
    (rule) =>
      (rule.users?.some((name) => name === user || groups.some((group) => name === `@${group}`)) ?? true) &&
      (rule.services?.includes(service) ?? true) &&
      (rule.from?.some(isIn) ?? true) &&
      (rule.keys?.some((type) => keyType.startsWith(type.slice(0, -1))) ?? true) &&
      (rule.hosts?.some((name) => (name === 'db' ? host === 'db' : host.startsWith('web'))) ?? true),
  );
}

/** The known groups, and perhaps any of those of which it is unknown whether the user is in them. */
function possibleGroups({ groups, otherGroups }: Facts): (readonly string[])[] {
  const unknown = GROUPS.filter((group) => ![...groups, ...otherGroups].includes(group));
  return unknown.reduce<(readonly string[])[]>((all, group) => all.flatMap((each) => [each, [...each, group]]), [groups]);
}

const values = <T>(known: T | undefined, all: readonly T[]): readonly T[] => (known === undefined ? all : [known]);

/** All logins that may be the one of which only `facts` are known. */
function possible(facts: Facts): Facts[] {
  return values(facts.user, USERS).flatMap((user) =>
    possibleGroups(facts).flatMap((groups) =>
      values(facts.service, SERVICES).flatMap((service) =>
        values(facts.address, ADDRESSES).flatMap((address) =>
          values(facts.keyType, KEYS).map((keyType) => {
            const otherGroups = GROUPS.filter((group) => !groups.includes(group));
            return { ...facts, user, groups, otherGroups, service, address, keyType };
          }),
        ),
      ),
    ),
  );
}

const rank = ({ ask }: Ruling): number => ['nothing', 'code', 'refuse'].indexOf(ask);

describe('the rules, on any login', () => {
  it('decide as the first that fits, where everything is known', () => {
    fc.assert(
      fc.property(RULES, KNOWN, (rules, facts) => {
        const rule = naive(rules, facts);
        const { ask = 'code', rememberMs, enrolByMs } = rule ?? {};
        const ruling = rulingOn(rules, facts);
        assert.equal(ruling.rule, rule);
        assert.deepEqual([ruling.ask, ruling.rememberMs, ruling.enrolByMs], [ask, rememberMs, enrolByMs]);
      }),
      { numRuns: 2000 },
    );
  });

  it('are at least as strict as on each login that it may be, where something is unknown', () => {
    fc.assert(
      fc.property(RULES, KNOWN, UNKNOWN, (rules, known, rest) => {
        const facts = without(known, rest);
        const ruling = rulingOn(rules, facts);
        for (const each of possible({ ...facts, firstFactor: true })) {
          const told = rulingOn(rules, each);
          assert.ok(rank(ruling) >= rank(told), `${ruling.ask}, and ${told.ask} with ${JSON.stringify(each)}`);
          // What a rule adds to a code counts only where each of them has it.
          if (ruling.rememberMs !== undefined && told.ask === 'code') assert.equal(told.rememberMs, ruling.rememberMs);
          if (ruling.enrolByMs !== undefined && told.ask === 'code') assert.equal(told.enrolByMs, ruling.enrolByMs);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('never let anybody in by a rule of which a fact is unknown, nor without a first factor', () => {
    fc.assert(
      fc.property(RULES, KNOWN, UNKNOWN, (rules, known, rest) => {
        const facts = without(known, rest);
        const { firstFactor } = facts;
        const { ask, rule, rememberMs, enrolByMs } = rulingOn(rules, facts);
        if (ask !== 'nothing' && rememberMs === undefined && enrolByMs === undefined) return;
        assert.ok(firstFactor && rule !== undefined && fitOf(rule, facts) === 'yes');
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a rule that is never reached', () => {
  it('is one that fits only where an earlier one fits', () => {
    fc.assert(
      fc.property(RULE, RULE, KNOWN, (earlier, later, facts) => {
        if (covers(earlier, later)) assert.ok(fitOf(later, facts) === 'no' || fitOf(earlier, facts) === 'yes');
      }),
      { numRuns: 3000 },
    );
  });

  it('is found by users, services, networks, and patterns', () => {
    const both: readonly (readonly [Partial<Rule>, Partial<Rule>, boolean])[] = [
      [{}, {}, true],
      [{}, { users: ['alice'] }, true],
      [{ users: ['alice'] }, {}, false],
      [{ users: ['alice', '@ops'] }, { users: ['@ops'], ...OFFICE }, true],
      [{ users: ['alice'] }, { users: ['alice', 'bob'] }, false],
      [{ services: ['sshd', 'sudo'] }, { services: ['sudo'] }, true],
      [OFFICE, { from: ['10.1.0.0/16', '10.2.3.4'] }, true],
      [OFFICE, { from: ['10.1.0.0/16', '192.0.2.7'] }, false],
      [{ services: ['sudo'] }, { services: ['sudo-i'] }, true],
      [{ services: ['sudo-i'] }, { services: ['sudo'] }, false],
      [{ keys: ['sk-*'] }, { keys: ['sk-ssh-ed25519@openssh.com'] }, true],
      [{ keys: ['sk-*'] }, { keys: ['sk-*'] }, true],
      [{ hosts: ['*'] }, { hosts: ['web*'] }, true],
      [{ hosts: ['web?'] }, { hosts: ['web*'] }, false],
    ];
    for (const [earlier, later, isCovered] of both)
      assert.equal(covers(code(earlier), code(later)), isCovered, JSON.stringify([earlier, later]));
  });
});

describe('a rule', () => {
  it('may let somebody in, by itself, after a code, or before the enrolment', () => {
    for (const rule of [nothing(), code(HOUR), code({ enrolByMs: 1 })]) assert.ok(mayLetIn(rule));
    for (const rule of [code(), refuse()]) assert.ok(!mayLetIn(rule));
  });

  it('concerns the services that it names, or all', () => {
    assert.ok(concernsService(code(), 'sshd'));
    assert.ok(concernsService(code({ services: ['sudo', 'sshd'] }), 'sshd'));
    assert.ok(!concernsService(code({ services: ['sudo'] }), 'sshd'));
  });

  it('needs the groups of a user only where one names a group', () => {
    assert.deepEqual(groupsNamed([code(), nothing({ users: ['alice', '@ops'] }), refuse({ users: ['@dev', '@ops'] })]), ['ops', 'dev']);
    assert.deepEqual(groupsNamed([code(), nothing({ users: ['alice'] })]), []);
  });

  it('is the same wherever it stands and whatever its reason, and another one with other logins', () => {
    assert.equal(identityOf(code({ users: ['alice'], line: 1, ...HOUR })), identityOf(code({ users: ['alice'], line: 9, reason: 'x' })));
    const others = [code(), code({ users: ['bob'] }), code({ services: ['alice'] }), code({ users: ['alice'], ...OFFICE })];
    assert.equal(new Set(others.map(identityOf)).size, others.length);
  });

  it('is told in words', () => {
    assert.equal(nameOf(refuse({ line: 12 })), 'the rule in line 12 of notp.toml');
    assert.equal(nameOf(refuse({ line: 12, inStore: true })), 'the rule in line 12 of the rules in the store');
    assert.equal(nameOf(nothing({ line: 3, reason: 'OPS-12' })), 'the rule in line 3 of notp.toml (OPS-12)');
    assert.equal(whoOf(code()), 'everybody');
    assert.equal(
      whoOf(code({ users: ['alice', 'bob', '@ops'], services: ['sshd', 'sudo'], ...OFFICE, keys: ['sk-*'], hosts: ['web*'] })),
      'alice, bob and @ops at sshd or sudo from 10.0.0.0/8 with a key of type sk-* on web*',
    );
    assert.equal(whatOf(nothing()), 'no code (test)');
    assert.equal(whatOf(refuse()), 'refused');
    assert.equal(whatOf(code()), 'a code');
    const spans = [86_400_000, 43_200_000, 5_400_000, 1_000, 1].map((rememberMs) => /for (\w+)/.exec(whatOf(code({ rememberMs })))?.[1]);
    assert.deepEqual(spans, ['1d', '12h', '90m', '1s', '1ms']);
    assert.equal(whatOf(code({ enrolByMs: 0 })), 'a code; until 1970-01-01T00:00:00.000Z nobody must be enrolled');
  });
});

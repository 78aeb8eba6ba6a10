/** Grants: a table of decisions, and properties against a naive evaluation. Nothing unknown ever fits a bound. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  digestOfKey,
  fingerprintOf,
  fitOfBound,
  fitOfBounds,
  grantFor,
  isInForce,
  nameOfGrant,
  whoseGrant,
  type Grant,
  type GrantFacts,
} from '../../src/verdict/grants.ts';

const KEY = 'ab'.repeat(32);
const GRANT: Grant = {
  ...{ id: '1a2b3c4d', user: 'alice', uid: 1000, madeMs: 1_000, untilMs: 2_000 },
  ...{ from: '', key: '', service: '', reason: 'phone lost' },
};
const FACTS: GrantFacts = { user: 'alice', uid: 1000, service: 'sshd', address: '10.1.2.3', firstFactor: true, keyDigest: KEY };

/** What is different from GRANT and from FACTS, the time, and whether it lets in. */
const TABLE: readonly (readonly [string, Partial<Grant>, Partial<GrantFacts>, number, boolean])[] = [
  ['without bounds', {}, {}, 1_500, true],
  ['from its first millisecond', {}, {}, 1_000, true],
  ['not before it was made', {}, {}, 999, false],
  ['to its last millisecond', {}, {}, 1_999, true],
  ['not when it is over', {}, {}, 2_000, false],
  ['not another user', {}, { user: 'bob' }, 1_500, false],
  ['not another account that got the name', {}, { uid: 1001 }, 1_500, false],
  ['not an account of unknown uid', {}, { uid: undefined }, 1_500, false],
  ['not an unknown account', {}, { user: undefined }, 1_500, false],
  ['not without a first factor', {}, { firstFactor: false }, 1_500, false],
  ['without bounds, where nothing else is known', {}, { service: undefined, address: undefined, keyDigest: undefined }, 1_500, true],
  ['from its address', { from: '10.1.2.3' }, {}, 1_500, true],
  ['from its address as one of IPv6', { from: '10.1.2.3' }, { address: '::ffff:10.1.2.3' }, 1_500, true],
  ['from its network', { from: '10.0.0.0/8' }, {}, 1_500, true],
  ['not from another address', { from: '10.1.2.4' }, {}, 1_500, false],
  ['not from an unknown address', { from: '0.0.0.0/0' }, { address: undefined }, 1_500, false],
  ['with its key', { key: KEY }, {}, 1_500, true],
  ['not with another key', { key: KEY }, { keyDigest: 'cd'.repeat(32) }, 1_500, false],
  ['not with an unknown key', { key: KEY }, { keyDigest: undefined }, 1_500, false],
  ['at its service', { service: 'sshd' }, {}, 1_500, true],
  ['at sudo -i, by one for sudo', { service: 'sudo' }, { service: 'sudo-i' }, 1_500, true],
  ['not at another service', { service: 'sudo' }, {}, 1_500, false],
  ['not at an unknown service', { service: 'sshd' }, { service: undefined }, 1_500, false],
];

describe('a grant', () => {
  for (const [what, grant, facts, nowMs, isIn] of TABLE)
    it(`lets in ${what}`, () => {
      const found = grantFor([{ ...GRANT, ...grant }], { ...FACTS, ...facts }, nowMs);
      assert.equal(found?.id, isIn ? GRANT.id : undefined);
    });

  it('is the first of several that counts', () => {
    const over = { ...GRANT, id: '00000001', untilMs: 1_200 };
    const later = { ...GRANT, id: '00000002' };
    assert.equal(grantFor([over, GRANT, later], FACTS, 1_500), GRANT);
    assert.equal(grantFor([], FACTS, 1_500), undefined);
  });

  it('is named with its reason, and with what it is about', () => {
    assert.equal(nameOfGrant(GRANT), 'grant 1a2b3c4d (phone lost)');
    assert.equal(whoseGrant(GRANT), 'alice');
    const bound = { ...GRANT, from: '10.0.0.0/8', service: 'sshd', key: KEY };
    assert.equal(whoseGrant(bound), `alice at sshd from 10.0.0.0/8 with the key ${fingerprintOf(KEY)}`);
  });
});

describe('the fingerprint of a key', () => {
  it('is in the form of ssh-keygen, and is read back', () => {
    assert.equal(fingerprintOf('00'.repeat(32)), `SHA256:${'A'.repeat(43)}`);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const hex = Buffer.from(bytes).toString('hex');
        assert.match(fingerprintOf(hex), /^SHA256:[A-Za-z0-9+/]{43}$/);
        assert.equal(digestOfKey(fingerprintOf(hex)), hex);
      }),
    );
  });

  it('is nothing else', () => {
    const right = fingerprintOf(KEY);
    // The last digit has two bits that no digest has.
    for (const wrong of [
      '',
      KEY,
      'SHA256:',
      'SHA256:abc',
      `${right}=`,
      `${right} `,
      ` ${right}`,
      `${right.slice(0, -1)}/`,
      right.toLowerCase(),
    ])
      assert.equal(digestOfKey(wrong), undefined, wrong);
  });
});

// A small world, in which all values that a fact may have can be tried.
const USERS = ['alice', 'bob'];
const UIDS = [1000, 1001];
const ADDRESSES = ['10.1.2.3', '10.1.2.4', '2001:db8::1'];
const KEYS = ['ab'.repeat(32), 'cd'.repeat(32)];
const SERVICES = ['sshd', 'sudo'];
const TIMES = [0, 1, 2, 3];
/** Which addresses are in which network. */
const NETWORKS: Readonly<Record<string, readonly string[]>> = {
  '': ADDRESSES,
  '10.1.2.3': ['10.1.2.3'],
  '10.1.2.0/24': ['10.1.2.3', '10.1.2.4'],
  '::/0': ['2001:db8::1'],
};
const someGrant: fc.Arbitrary<Grant> = fc.record({
  id: fc.constantFrom('00000001', '00000002'),
  user: fc.constantFrom(...USERS),
  uid: fc.constantFrom(...UIDS),
  madeMs: fc.constantFrom(...TIMES),
  untilMs: fc.constantFrom(...TIMES),
  from: fc.constantFrom(...Object.keys(NETWORKS)),
  key: fc.constantFrom('', ...KEYS),
  service: fc.constantFrom('', ...SERVICES),
  reason: fc.constant('test'),
});
const known: fc.Arbitrary<Required<GrantFacts>> = fc.record({
  user: fc.constantFrom(...USERS),
  uid: fc.constantFrom(...UIDS),
  service: fc.constantFrom(...SERVICES),
  address: fc.constantFrom(...ADDRESSES),
  keyDigest: fc.constantFrom(...KEYS),
  firstFactor: fc.boolean(),
});

/** Whether anything lets the login in, read as a person would. */
function isLetIn(grants: readonly Grant[], facts: GrantFacts, nowMs: number): boolean {
  for (const { user, uid, madeMs, untilMs, from, key, service } of grants) {
    if (!facts.firstFactor || user !== facts.user || uid !== facts.uid || nowMs < madeMs || nowMs >= untilMs) continue;
    if (from !== '' && !(facts.address !== undefined && NETWORKS[from]?.includes(facts.address) === true)) continue;
    if (key !== '' && key !== facts.keyDigest) continue;
    if (service !== '' && service !== facts.service) continue;
    return true;
  }
  return false;
}

describe('grants', () => {
  const grants = fc.array(someGrant, { maxLength: 4 });
  const now = fc.constantFrom(...TIMES);

  it('let in as a person reads them', () => {
    fc.assert(
      fc.property(grants, known, now, (all, facts, nowMs) => {
        assert.equal(grantFor(all, facts, nowMs) !== undefined, isLetIn(all, facts, nowMs));
      }),
      { numRuns: 2_000 },
    );
  });

  it('let in nobody by what is unknown who would not be let in by what it is', () => {
    const hidden = fc.subarray(['user', 'uid', 'service', 'address', 'keyDigest'] as const);
    fc.assert(
      fc.property(grants, known, now, hidden, (all, facts, nowMs, keys) => {
        const less: GrantFacts = { ...facts, ...Object.fromEntries(keys.map((key) => [key, undefined])) };
        if (grantFor(all, less, nowMs) !== undefined) assert.ok(grantFor(all, facts, nowMs) !== undefined);
        assert.equal(grantFor(all, less, nowMs) !== undefined, isLetIn(all, less, nowMs));
      }),
      { numRuns: 2_000 },
    );
  });

  it('fit within all bounds, or say of which one that is unknown', () => {
    fc.assert(
      fc.property(someGrant, known, fc.subarray(['service', 'address', 'keyDigest'] as const), (grant, facts, keys) => {
        const less: GrantFacts = { ...facts, ...Object.fromEntries(keys.map((key) => [key, undefined])) };
        const fits = (['from', 'key', 'service'] as const).map((bound) => fitOfBound(bound, grant, less));
        const expected = fits.includes('no') ? 'no' : fits.includes('unknown') ? 'unknown' : 'yes';
        assert.equal(fitOfBounds(grant, less), expected);
        for (const nowMs of TIMES)
          assert.equal(
            grantFor([grant], less, nowMs) !== undefined,
            expected === 'yes' && facts.firstFactor && grant.user === facts.user && grant.uid === facts.uid && isInForce(grant, nowMs),
          );
      }),
    );
  });
});

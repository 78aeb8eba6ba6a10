/** Addresses and networks: both families, IPv4 written as IPv6, and everything that is neither. */
import assert from 'node:assert/strict';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isAddress, isInNetwork, isWithin, networkProblem } from '../../src/verdict/address.ts';

const V4 = fc.ipV4();
const V6 = fc.ipV6();

describe('an address', () => {
  it('is what Node.js takes for one, and nothing else', () => {
    const texts = fc.oneof(V4, V6, fc.string(), fc.stringMatching(/^[\da-f.:]{0,20}$/), fc.stringMatching(/^\d{1,4}(\.\d{1,4}){3}$/));
    fc.assert(
      fc.property(texts, (text) => text.includes('%') || isAddress(text) === (isIP(text) !== 0)),
      { numRuns: 2000 },
    );
    for (const name of [
      '',
      'localhost',
      'UNKNOWN',
      '10.0.0.1.example.org',
      '10.0.0',
      '010.0.0.1',
      '10.0.0.1 ',
      '1:2',
      '::ffff:10.0.0',
      '[::1]',
      '::1]@x[',
    ])
      assert.ok(!isAddress(name), name);
  });

  it('may have a zone, which says nothing about it', () => {
    assert.ok(isAddress('fe80::1%eth0'));
    assert.ok(isInNetwork('fe80::1%eth0', 'fe80::/10'));
  });
});

describe('a network', () => {
  const TABLE: readonly (readonly [string, string, boolean])[] = [
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.0.0.0', '10.0.0.0/8', false],
    ['9.255.255.255', '10.0.0.0/8', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.8', '192.0.2.7', false],
    ['203.0.113.7', '0.0.0.0/0', true],
    ['::ffff:10.1.2.3', '10.0.0.0/8', true],
    ['::ffff:a01:203', '10.0.0.0/8', true],
    ['10.1.2.3', '::ffff:10.0.0.0/104', true],
    ['11.1.2.3', '::ffff:10.0.0.0/104', false],
    ['2001:db8::1', '2001:db8::/32', true],
    ['2001:DB8:0::1', '2001:db8::1', true],
    ['2001:db9::1', '2001:db8::/32', false],
    // The families are apart: an IPv4 address is in no network of IPv6, however large.
    ['10.1.2.3', '::/0', false],
    ['::ffff:10.1.2.3', '::/0', false],
    ['::1', '0.0.0.0/0', false],
    ['::1', '::/0', true],
    ['localhost', '0.0.0.0/0', false],
    ['', '::/0', false],
    ['10.1.2.3', 'localhost', false],
  ];
  it('contains the addresses that begin with its bits', () => {
    for (const [address, network, isIn] of TABLE) assert.equal(isInNetwork(address, network), isIn, `${address} in ${network}`);
  });

  it('contains what a list of Node.js contains', () => {
    const networks = fc.oneof(fc.tuple(V4, fc.integer({ min: 0, max: 32 })), fc.tuple(V6, fc.integer({ min: 0, max: 128 })));
    fc.assert(
      fc.property(networks, fc.oneof(V4, V6), ([base, length], address) => {
        const network = `${base}/${String(length)}`;
        if (networkProblem(network) !== undefined) return;
        const list = new BlockList();
        list.addSubnet(base, length, isIPv6(base) ? 'ipv6' : 'ipv4');
        const isSameFamily = isIPv6(base) === isIPv6(address);
        assert.equal(isInNetwork(address, network), isSameFamily && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'));
      }),
    );
  });

  it('is within another one where that contains all of it', () => {
    for (const [inner, outer, isIn] of [
      ['10.0.0.0/8', '10.0.0.0/8', true],
      ['10.1.0.0/16', '10.0.0.0/8', true],
      ['10.0.0.0/8', '10.1.0.0/16', false],
      ['10.1.2.3', '10.0.0.0/8', true],
      ['::ffff:10.1.0.0/112', '10.0.0.0/8', true],
      ['::1', '0.0.0.0/0', false],
      ['x', '0.0.0.0/0', false],
      ['::1', 'x', false],
    ] as const)
      assert.equal(isWithin(inner, outer), isIn, `${inner} within ${outer}`);
  });

  it('is refused where it is malformed, or has bits beyond its length', () => {
    for (const right of ['0.0.0.0/0', '10.0.0.0/8', '10.1.2.3', '10.1.2.3/32', '::', '::/0', '2001:db8::/32', '::ffff:10.0.0.0/104'])
      assert.equal(networkProblem(right), undefined, right);
    for (const wrong of [
      '',
      '/8',
      '10.0.0.0/',
      '10.0.0.0/33',
      '::/129',
      '10.0.0.0/08',
      '10.0.0.0/8/8',
      '10.0.0.0/-1',
      '10.*',
      'web',
      'fe80::1%eth0',
      '10.0.0/8',
    ])
      assert.equal(networkProblem(wrong), 'is no address or network', wrong);
    assert.equal(networkProblem('10.1.2.3/8'), 'has bits beyond its length of 8');
    assert.equal(networkProblem('2001:db8::1/32'), 'has bits beyond its length of 32');
  });
});

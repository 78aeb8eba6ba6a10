/** The small parsers of doctor: sshd's output, its patterns and words, the addresses that a pattern means, and what counts as the gate. */
import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'node:test';
import { matchesPattern } from '../../../src/system/ssh/patterns.ts';
import { is, opensshVersion, parseEffective, setting, words } from '../../../src/doctor/sshd/effective.ts';
import { gateProgram, meansGate } from '../../../src/doctor/sshd/gate-command.ts';
import { wordsOf } from '../../../src/doctor/sshd/files.ts';
import { addressesOf } from '../../../src/doctor/sshd/addresses.ts';
import { unasked, vantages } from '../../../src/doctor/sshd/vantage.ts';

describe('the output of sshd -T', () => {
  const effective = parseEffective('Port 22\nAcceptEnv LANG\nacceptenv LC_* X\nForceCommand /a b  c\nBanner\n');

  it('is read by key in any case, with values as they stand', () => {
    assert.equal(setting(effective, 'forcecommand'), '/a b  c');
    assert.deepEqual(words(effective, 'acceptenv'), ['LANG', 'LC_*', 'X']);
    assert.deepEqual([is(effective, 'port', '22'), is(effective, 'banner', 'none'), setting(effective, 'unknown')], [true, false, '']);
  });

  it('is of a version that sshd names in several ways', () => {
    assert.equal(opensshVersion('OpenSSH_9.2, OpenSSL 3.0.19 27 Jan 2026'), 9_002);
    assert.equal(opensshVersion('unknown option -- V\nOpenSSH_8.4p1 Debian-5+deb11u3'), 8_004);
    assert.ok((opensshVersion('OpenSSH_10.0p2') ?? 0) > (opensshVersion('OpenSSH_9.9p1') ?? Infinity));
    assert.equal(opensshVersion('dropbear'), undefined);
  });
});

describe('patterns and words of sshd_config', () => {
  it('match as ssh_config(5) says: * and ? alone are special', () => {
    const yes = [
      ['LD_PRELOAD', 'LD_*'],
      ['LD_PRELOAD', 'L?_PRE*D'],
      ['a.b', 'a.b'],
      ['x', '*'],
    ] as const;
    const no = [
      ['LD_PRELOAD', 'LD_'],
      ['axb', 'a.b'],
      ['ab', 'a[b]'],
      ['LANG', 'lang'],
    ] as const;
    for (const [name, pattern] of yes) assert.ok(matchesPattern(name, pattern), pattern);
    for (const [name, pattern] of no) assert.ok(!matchesPattern(name, pattern), pattern);
  });

  it('end however many stars a pattern has: one with 25 took longer than a login', () => {
    assert.ok(!matchesPattern('a'.repeat(1000), `${'*a'.repeat(250)}b`));
    assert.ok(matchesPattern(`${'a'.repeat(1000)}b`, `${'*a'.repeat(250)}*b**`));
    const piece = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '.'), maxLength: 8 });
    fc.assert(fc.property(piece, piece, (name, pattern) => matchesPattern(name, pattern) === expression(pattern).test(name)));
  });

  it('are parted by blanks, the keyword also by "=", with quotes of both kinds and comments', () => {
    assert.deepEqual(wordsOf('  Match User="a b",c Address 10.0.0.0/8 # none'), ['Match', 'User=a b,c', 'Address', '10.0.0.0/8']);
    assert.deepEqual(wordsOf('include=/etc/x.conf'), ['include', '/etc/x.conf']);
    assert.deepEqual(wordsOf(String.raw`SetEnv 'A=b c'd "e'" f\ g "h`), ['SetEnv']);
    assert.deepEqual(wordsOf(String.raw`SetEnv 'A=b c'd "e'" f\ g h#`), ['SetEnv', 'A=b cd', "e'", 'f g', 'h#']);
    assert.deepEqual(wordsOf('# Match all'), []);
  });

  it('mean addresses that sshd can be asked about', () => {
    const meant = {
      '10.0.0.0/8': ['10.0.0.0', '11.0.0.0'],
      '10.1.2.3/32': ['10.1.2.3', '10.1.2.4'],
      '0.0.0.0/0': ['0.0.0.0'],
      '255.255.255.255': ['255.255.255.255'],
      '192.168.*': ['192.168.0.0', '192.169.0.0'],
      '2001:db8::/32': ['2001:db8::', '2001:db9::'],
      '2001:db8:0:ff00::/56': ['2001:db8:0:ff00::', '2001:db8:1::'],
      '::1': ['::1', '::2'],
      'ff00::/8': ['ff00::'],
      '10.0.0.?': ['10.0.0.1'],
      '10.2?.*': ['10.21.1.1'],
      '2001:db8:*': ['2001:db8:1::1'],
    };
    for (const [pattern, addresses] of Object.entries(meant)) assert.deepEqual(addressesOf(pattern, [pattern]), addresses, pattern);
    for (const pattern of ['host.example', '', '300.1.1.1', 'x/8', '10.*.7?8'])
      assert.deepEqual(addressesOf(pattern, [pattern]), [], pattern);
  });

  it('need one connection where no Match line looks at where it comes from', () => {
    const given = { ports: [22, 2222], own: ['192.0.2.2', 'fd00::2'] };
    assert.equal(vantages([{ name: 'user', patterns: ['a'] }], given).length, 1);
    const addresses = vantages([{ name: 'address', patterns: ['10.0.0.0/8', '!10.0.0.0/8'] }], given).map(({ address }) => address);
    assert.deepEqual(addresses, ['203.0.113.7', '2001:db8::7', '127.0.0.1', '::1', '192.0.2.2', 'fd00::2', '10.0.0.0', '11.0.0.0']);
    assert.deepEqual(
      vantages([{ name: 'localport', patterns: ['22'] }], given).map(({ localPort }) => localPort),
      [22, 2222],
    );
  });

  it('are named where no connection stands for them', () => {
    const sessions = { name: 'sessiontype', patterns: ['shell', 'exec'] };
    const known = ['user', 'group', 'host', 'rdomain', 'localport'].map((name) => ({ name, patterns: ['x'] }));
    assert.deepEqual(unasked([...known, sessions, { name: 'address', patterns: ['10.0.0.0/8', '!10.*.7?8'] }]), [
      'sessiontype shell,exec',
      'address 10.*.7?8',
    ]);
  });
});

describe('a forced command', () => {
  it('is the gate where a shell makes nothing more of it', () => {
    assert.equal(gateProgram('/usr/bin/notp gate'), '/usr/bin/notp');
    assert.equal(gateProgram('/opt/notp-1.0/bin/notp gate --config /etc/notp/other.toml'), '/opt/notp-1.0/bin/notp');
  });

  for (const command of [
    '/usr/bin/notp gate; sh',
    '/usr/bin/notp gate || sh',
    '/usr/bin/notp gate $X',
    '/usr/bin/notp gate & sh',
    'notp gate',
    '/usr/bin/notp gate\n sh',
    '/usr/bin/env notp gate',
    '/usr/bin/notp gate --config x',
    '"/a b/notp" gate',
  ]) {
    it(`is meant for the gate and is more in ${JSON.stringify(command)}`, () => {
      assert.deepEqual([meansGate(command), gateProgram(command)], [true, undefined]);
    });
  }

  it('is another one otherwise', () => {
    for (const command of ['none', '/bin/sh', '/usr/bin/notp verify', '/usr/bin/mynotp gate', 'internal-sftp'])
      assert.equal(meansGate(command), false, command);
  });
});

function expression(pattern: string): RegExp {
  const source = pattern
    .replaceAll('.', String.raw`\.`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}

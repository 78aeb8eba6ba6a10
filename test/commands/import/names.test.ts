/** Several imported secrets get names that tell them apart, and that contexts may have. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { contextNames } from '../../../src/commands/import/names.ts';
import { isContextName } from '../../../src/otp/names.ts';
import type { CredentialNames, Credential } from '../../../src/otp/uri.ts';
import { credentials, names as labels } from '../../otp/credentials.ts';

function of(names: CredentialNames): Credential {
  return { type: 'totp', secret: new Uint8Array(10), algorithm: 'SHA1', digits: 6, periodSeconds: 30, ...names };
}

/** The names that secrets of these issuers and accounts get. */
function named(given: string, ...all: readonly (readonly [issuer: string, account: string])[]): string[] {
  return [
    ...contextNames(
      given,
      all.map(([issuer, account]) => of({ issuer, account })),
    ).keys(),
  ];
}

describe('the name of an imported secret', () => {
  it('is the given one where it is alone, whatever it is for', () => {
    assert.deepEqual(named('github', ['GitHub', 'alice']), ['github']);
    assert.deepEqual(named('x'.repeat(64), ['', '']), ['x'.repeat(64)]);
  });

  it('has issuer and account added where there are several', () => {
    const all = [
      ['GitHub', 'alice'],
      ['Google', 'alice@gmail.com'],
      ['', 'bob'],
      ['AWS', ''],
    ] as const;
    assert.deepEqual(named('phone', ...all), ['phone-GitHub-alice', 'phone-Google-alice-gmail.com', 'phone-bob', 'phone-AWS']);
  });

  it('has "-" for what no context may have, and nothing for what has nothing else', () => {
    const all = [
      ['Big Corp: Sales & Co', '../../etc/passwd'],
      ['Bücher', 'jürgen'],
      ['世界', 'alice'],
      ['世界', '😀'],
      ['--', ' - '],
    ] as const;
    const wanted = ['p-Big-Corp-Sales-Co-..-..-etc-passwd', 'p-B-cher-j-rgen', 'p-alice', 'p', 'p-2'];
    assert.deepEqual(named('p', ...all), wanted);
  });

  it('has a number where it is taken, also where that number is taken itself', () => {
    const same = ['Bank', 'alice'] as const;
    assert.deepEqual(named('p', same, same, ['Bank', 'alice-2'], same), [
      'p-Bank-alice',
      'p-Bank-alice-2',
      'p-Bank-alice-2-2',
      'p-Bank-alice-3',
    ]);
  });

  it('has at most 64 characters, and is told apart by a number where they were cut off', () => {
    const long = 'a'.repeat(100);
    const names = named('phone', ['Bank', `${long}1`], ['Bank', `${long}2`], ['Bank', `${long}3`]);
    const start = `phone-Bank-${'a'.repeat(64)}`;
    assert.deepEqual(names, [start.slice(0, 64), `${start.slice(0, 62)}-2`, `${start.slice(0, 62)}-3`]);
    const given = 'g'.repeat(64);
    const many = named(given, ...Array.from({ length: 120 }, () => ['Bank', 'alice'] as const));
    assert.deepEqual([many[0], many[1], many[119]], [given, `${given.slice(0, 62)}-2`, `${given.slice(0, 60)}-120`]);
  });

  it('is one that contexts may have, another for each secret, in their order, whatever they are for', () => {
    const given = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/).filter(isContextName);
    const account = fc.record({ issuer: labels, account: labels }, { noNullPrototype: true }).map(of);
    const several = fc.array(fc.oneof(account, credentials, fc.constant(of({ issuer: 'Bank', account: 'alice' }))), { maxLength: 12 });
    fc.assert(
      fc.property(given, several, (name, all) => {
        const found = contextNames(name, all);
        assert.deepEqual([...found.values()], all);
        for (const context of found.keys()) {
          assert.ok(isContextName(context), context);
          assert.ok(context.startsWith(name.slice(0, 60)));
        }
      }),
    );
  });
});

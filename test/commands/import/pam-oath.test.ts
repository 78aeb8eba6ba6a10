/** What the import of a users file tells: which token becomes which login, the summary, and the refusals that come before any work. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { hasFailures, summaryOf, type Ended, type Outcome } from '../../../src/commands/import/pam-oath-summary.ts';
import { placed } from '../../../src/commands/import/pam-oath-one.ts';
import { parsePamOath, type PamOathToken } from '../../../src/otp/pam-oath.ts';
import type { User } from '../../../src/system/users.ts';
import { assertRefused, ownCodes, type OwnCodes } from '../codes/own-codes.ts';

const KEY = '3132333435363738393031323334353637383930';
const read = (text: string): readonly PamOathToken[] => parsePamOath(text, Date.UTC(2026, 0)).tokens;
const userOf = (name: string): User => ({ name, uid: 1, gid: 1, home: `/home/${name}`, shell: '/bin/sh' });

const endedAs = (outcome: Outcome, lines: string): Ended[] => read(lines).map((token) => ({ token, outcome }));
const many = (count: number, password: string): string =>
  Array.from({ length: count }, (_, i) => `HOTP user${String(i)} ${password} ${KEY}\n`).join('');

describe('the tokens of a users file', () => {
  const users = new Map(['alice', 'bob'].map((name) => [name, userOf(name)]));
  const text = ['alice', 'bob', 'alice', 'carol', 'alice'].map((name) => `HOTP ${name} - ${KEY}\n`).join('');

  it('become the logins of the contexts in their order, and of those beyond it is said what notp.toml lacks', () => {
    const told = placed(read(text), users, ['ssh', 'ssh-2']).map((each) => ('why' in each ? `${each.ended}: ${each.why}` : each.context));
    assert.deepEqual(told, [
      'ssh',
      'ssh',
      'ssh-2',
      'failed: there is no such user',
      'skipped: it is token 3 of this user, and notp.toml has no context for it: context = ["ssh", "ssh-2", "ssh-3"]',
    ]);
  });
});

describe('the summary', () => {
  const imported: Outcome = { kind: 'imported', context: 'ssh' };
  it('counts, and names each line that was left with its number', () => {
    const { mistakes } = parsePamOath(`HOTP alice - ${KEY}\nMOTP bob\nHOTP carol - 00\n`, 0);
    const ended = [
      ...endedAs(imported, `HOTP alice - ${KEY}`),
      ...endedAs({ kind: 'already', context: 'ssh' }, `HOTP dave - ${KEY}`),
      ...endedAs({ kind: 'failed', why: 'there is no such user' }, `\n\n\n\nHOTP erin - ${KEY}`),
      ...endedAs({ kind: 'skipped', why: 'too many' }, `\nHOTP alice - ${KEY}`),
    ];
    const lines = summaryOf(ended, mistakes, { from: '/etc/users.oath', dryRun: false, total: 4 }).split('\n');
    assert.deepEqual(lines, [
      'Imported 1 of 6 tokens of /etc/users.oath',
      'Already there, unchanged: 1',
      'Skipped: 1',
      '  line 2: alice: too many',
      'Failed: 3',
      '  line 2: its type must be one of HOTP, HOTP/E, HOTP/T30 and HOTP/T60, the last three also with /6, /7 or /8',
      '  line 3: carol: its key has 1 bytes, but notp accepts 10 to 128',
      '  line 5: erin: there is no such user',
      '',
    ]);
    assert.equal(hasFailures(ended, mistakes), true);
    assert.equal(hasFailures(ended.slice(0, 2), []), false);
    assert.equal(hasFailures(ended.slice(2, 3), []), true);
    assert.equal(hasFailures([], mistakes), true);
  });

  it('of many failures shows the first, and says how many more there are', () => {
    const told = summaryOf(endedAs({ kind: 'failed', why: 'no' }, many(25, '-')), [], { from: 'stdin', dryRun: true, total: 25 });
    assert.match(told, /^Would import 0 of 25 tokens of stdin\nFailed: 25\n {2}line 1: user0: no\n/);
    assert.match(told, / {2}line 20: user19: no\n {2}and 5 more\n$/);
  });

  it('warns once of all passwords that are asked for no more, with ten names', () => {
    const one = summaryOf(endedAs(imported, many(1, 'pin1')), [], { from: 'stdin', dryRun: false, total: 1 });
    assert.match(
      one,
      /\nWARNING: 1 token had a password of its own in the file, but notp does not ask for it:\n {2}user0\n {2}they now log in [^\n]*\n$/,
    );
    const more = summaryOf(endedAs(imported, many(12, 'pin1')), [], { from: 'stdin', dryRun: false, total: 12 });
    assert.match(more, /\nWARNING: 12 tokens had a password of their own [^\n]*\n {2}user0, [^\n]*, user9 and 2 more\n/);
    const without = [...endedAs(imported, many(3, '-')), ...endedAs({ kind: 'failed', why: 'no' }, many(3, 'pin1'))];
    assert.doesNotMatch(summaryOf(without, [], { from: 'stdin', dryRun: false, total: 6 }), /WARNING|pin1/);
  });
});

describe('an import of logins', () => {
  let own: OwnCodes;
  before(() => {
    own = ownCodes('import-usage');
  });

  it('with options that are not for it is wrong usage', async () => {
    for (const [words, said] of [
      [['--from', 'pam-oath', 'ssh'], /the logins of a users file get the contexts of notp.toml/],
      [['--from', 'pam-oath', '--seal', 'passphrase'], /are sealed with the key of the host/],
      [['--from', 'pam-oath', '--digits', '8'], /a users file already has these parameters/],
      [['--from', 'google-authenticator', '--digits', '8'], /a google-authenticator file already has these parameters/],
      [['--from', 'google-authenticator', 'github', '--user', 'root'], /--user, --seal and --dry-run are for logins/],
      [['--from', 'uri', 'github', '--dry-run'], /--user, --seal and --dry-run are for logins/],
      [['--from', 'google-authenticator', '--user', 'notp-nobody'], /there is no user "notp-nobody"/],
      [[], /the secret needs a name/],
    ] as const)
      assertRefused(await own.notp(['import', ...words]), 2, said);
    assert.deepEqual(own.files(), {});
  });

  it('of a host without its own state is refused, and says what is missing', async () => {
    assertRefused(
      await own.notp(['import', '--from', 'pam-oath'], { input: `HOTP root - ${KEY}` }),
      3,
      /the state of this host, which does not exist/,
    );
    const file = path.join(own.folder, 'none');
    assertRefused(
      await own.notp(['import', '--from', 'google-authenticator', '--seal', 'host', '--file', file]),
      1,
      /host-sealed secret needs/,
    );
  });
});

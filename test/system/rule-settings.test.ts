/** `[[rule]]` in notp.toml: what is taken, and each mistake with its line and its fix. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultConfig, parseConfig } from '../../src/system/config.ts';
import type { Rule } from '../../src/verdict/rules.ts';

const FILE = '/x/notp.toml';
const rulesOf = (text: string): readonly Rule[] => parseConfig(text, FILE).rules;

describe('rules', () => {
  it('are none by default', () => {
    assert.deepEqual(defaultConfig().rules, []);
  });

  it('are taken in their order, with their lines', () => {
    const text = `unenrolled = "deny"
[[rule]]
users    = ["deploy", "@ops", "CORP\\\\sam"]
services = ["sshd", "sudo"]
from     = ["10.0.0.0/8", "2001:db8::/32", "::ffff:192.0.2.0/120", "192.0.2.7"]
keys     = ["sk-ssh-ed25519@openssh.com", "sk-*"]
hosts    = ["web*"]
ask      = "code"
remember = "12h"
enrol_by = 2027-01-15T12:00:00+01:00
reason   = "ticket OPS-12"

[gate]
tries = 2
[[rule]] # the second
ask = "nothing"
services = [
  "cron",
]
reason = "no person"
[[ 'rule' ]]
ask = "refuse"
`;
    assert.deepEqual(rulesOf(text), [
      {
        ask: 'code',
        users: ['deploy', '@ops', 'CORP\\sam'],
        services: ['sshd', 'sudo'],
        from: ['10.0.0.0/8', '2001:db8::/32', '::ffff:192.0.2.0/120', '192.0.2.7'],
        keys: ['sk-ssh-ed25519@openssh.com', 'sk-*'],
        hosts: ['web*'],
        rememberMs: 43_200_000,
        enrolByMs: Date.UTC(2027, 0, 15, 11),
        reason: 'ticket OPS-12',
        line: 2,
      },
      { ask: 'nothing', services: ['cron'], reason: 'no person', line: 15 },
      { ask: 'refuse', line: 21 },
    ]);
    assert.deepEqual(rulesOf('rule = [{ ask = "refuse", users = ["bob"] }, { ask = "code" }]').length, 2);
  });

  it('let in until the end of the day that they name, by the clock of the host', () => {
    const [day, local, zoned] = ['2027-01-15', '2027-01-15T12:30:00', '2027-01-15T12:30:00Z'].map(
      (when) => rulesOf(`[[rule]]\nask = "code"\nenrol_by = ${when}\n`)[0]?.enrolByMs,
    );
    assert.deepEqual(
      [day, local, zoned],
      [new Date(2027, 0, 16).getTime(), new Date(2027, 0, 15, 12, 30).getTime(), Date.UTC(2027, 0, 15, 12, 30)],
    );
  });

  it('may come after each other where the earlier one fits less', () => {
    assert.equal(rulesOf('[[rule]]\nask="code"\nusers=["alice"]\n[[rule]]\nask="refuse"\n').length, 2);
  });
});

/** The lines of a rule, the line and the message of the error, and the beginning of its fix. */
const MISTAKES: readonly (readonly [string, number, RegExp, RegExp])[] = [
  ['[[rule]]', 1, /a rule must say ask = "code", "nothing" or "refuse"$/, /^ask = "code"/],
  ['[[rule]]\nusers = ["a"]\nask = "never"', 3, /a rule must say ask/, /./],
  [
    '[[rule]]\nask = "code"\nuser = ["a"]',
    3,
    /unknown key "user" in \[\[rule\]\]$/,
    /^known here: users, services, from, keys, hosts, ask/,
  ],
  ['[[rule]]\nask = "nothing"', 2, /"nothing" must say why$/, /^reason = /],
  ['[[rule]]\nask = "nothing"\nreason = " "', 3, /reason must be 1 to 200 printable/, /^reason = /],
  ['[[rule]]\nask = "nothing"\nreason = "a\\nb"', 3, /reason must be 1 to 200 printable/, /./],
  [`[[rule]]\nask = "nothing"\nreason = "${'x'.repeat(201)}"`, 3, /reason must be 1 to 200 printable/, /./],
  ['[[rule]]\nask = "nothing"\nreason = "x"\nremember = "1h"', 4, /remember is only for ask = "code"$/, /^delete it/],
  ['[[rule]]\nask = "refuse"\nenrol_by = 2027-01-15', 3, /enrol_by is only for ask = "code"$/, /^delete it/],
  ['[[rule]]\nask = "code"\nenrol_by = "2027-01-15"', 3, /enrol_by must be a date, without quotes$/, /^enrol_by = 2027-01-15$/],
  // These were 2 March and 1 May.
  ...['2027-02-30', '2027-04-31T12:00:00Z', '2027-02-29 12:00:00'].map(
    (day) => [`[[rule]]\nask = "code"\nenrol_by = ${day}`, 3, /enrol_by: there is no day 2027-0[24]-\d\d$/, /^enrol_by = /] as const,
  ),
  ['rule = [{ ask = "code", reason = "#1", "enrol_by" = 2027-02-30 }]', 1, /there is no day 2027-02-30$/, /./],
  ['[[rule]]\nask = "code"\nenrol_by = 12:00:00', 3, /enrol_by must be a date/, /./],
  ...['"0s"', '"31d"', '"1w"', '12', '"12"', 'true'].map(
    (time) => [`[[rule]]\nask = "code"\nremember = ${time}`, 3, /remember must be a time such as/, /^remember = "12h"$/] as const,
  ),
  ...['users', 'services', 'from', 'keys', 'hosts'].flatMap((key) =>
    ['"x"', '[]', '[1]', `[${'"x",'.repeat(257)}]`].map(
      (value) =>
        [
          `[[rule]]\nask = "code"\n${key} = ${value}`,
          3,
          new RegExp(`${key} must be a list of 1 to 256 texts$`),
          new RegExp(`^${key} = \\[`),
        ] as const,
    ),
  ),
  ['[[rule]]\nask = "code"\nusers = ["a:b"]', 3, /users: "a:b" is no name$/, /@ops is a group/],
  ['[[rule]]\nask = "code"\nusers = ["@"]', 3, /users: "@" is no name$/, /./],
  ['[[rule]]\nask = "code"\nservices = ["gate"]', 3, /services: "gate" is called "sshd" here/, /^services = /],
  ['[[rule]]\nask = "code"\nservices = ["a/b"]', 3, /services: "a\/b" is no name of a PAM service$/, /./],
  ['[[rule]]\nask = "code"\nfrom = ["10.0.0.0/8", "web"]', 3, /from: "web" is no address or network$/, /^from = /],
  ['[[rule]]\nask = "code"\nfrom = ["10.1.2.3/8"]', 3, /from: "10.1.2.3\/8" has bits beyond its length of 8$/, /./],
  ['[[rule]]\nask = "code"\nkeys = ["ssh ed25519"]', 3, /keys: "ssh ed25519" is no type of a key$/, /./],
  ['[[rule]]\nask = "code"\nhosts = ["a b"]', 3, /hosts: "a b" is no host name$/, /./],
  [
    '[[rule]]\nask = "code"\n[[rule]]\nask = "refuse"\nusers = ["a"]',
    3,
    /this rule is never reached: .* by the rule in line 1$/,
    /^put it before/,
  ],
  ['[rule]\nask = "code"', 1, /rules must be tables$/, /\[\[rule\]\]/],
  ['rule = "code"', 1, /rules must be tables$/, /./],
  ['rule = [1]', 1, /rules must be tables$/, /./],
  ['\n[[rule]]\nask = "code"\nusers = ["a"]\n'.repeat(257), 2, /more than 256 rules$/, /./],
];

describe('a mistake in a rule', () => {
  for (const [text, line, what, fix] of MISTAKES)
    it(`in ${JSON.stringify(text.slice(0, 70))} is told with its line and its fix`, () => {
      assert.throws(
        () => rulesOf(text),
        (error: Error & { code?: string; hint?: string }) => {
          assert.equal(error.code, 'bad_configuration');
          assert.ok(error.message.startsWith(`${FILE}:${String(line)}: `), error.message);
          assert.match(error.message, what);
          assert.match(error.hint ?? '', fix);
          return true;
        },
      );
    });
});

describe('what drafts of notp had as settings', () => {
  it('is refused, with the rule that does the same', () => {
    const [allow, trust] = ['unenrolled = "allow"', '[gate]\ntrust = "12h"'].map((text) => {
      try {
        parseConfig(text, FILE);
      } catch (error) {
        return error as Error & { hint?: string };
      }
      return undefined;
    });
    assert.match(allow?.message ?? '', /notp\.toml:1: unenrolled must be one of "deny", "enroll"$/);
    assert.match(allow?.hint ?? '', /^write a rule: \[\[rule\]\], .* enrol_by = 2027-01-15/);
    assert.match(trust?.message ?? '', /notp\.toml:2: unknown key "trust" in \[gate\]$/);
    assert.match(trust?.hint ?? '', /^write a rule: \[\[rule\]\], .* remember = "12h"$/);
  });
});

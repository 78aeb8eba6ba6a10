/** Doctor lists all rules that let somebody in without a code, and why. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { storedRules, type StoredRules } from '../../../src/login/stored-rules.ts';
import { examineRules, examineStored, letsInUnenrolled } from '../../../src/doctor/host/rules.ts';
import { fitOf, rulingOn, type Ask, type Facts, type Rule } from '../../../src/verdict/rules.ts';

const NOW_MS = 1_800_000_000_000;
const at = { atPam: false, nowMs: NOW_MS };
const FACTS: Facts = {
  ...{ user: 'alice', groups: ['ops'], otherGroups: [], service: 'sshd', address: '10.1.2.3', keyType: 'ssh-ed25519' },
  ...{ host: 'web1', firstFactor: true },
};

const OPEN = 'ask = "nothing"\nreason = "test"';
const refusing = (users: readonly string[]): readonly Rule[] => [{ ask: 'refuse', users, line: 3 }];

const kept = (text: string, doubt?: 'forged'): Promise<StoredRules> =>
  storedRules({ keptRules: () => Promise.resolve({ text, asOfMs: NOW_MS, ...(doubt === undefined ? {} : { doubt }) }) });
const examine = (stored: StoredRules | undefined): unknown[] =>
  examineStored(stored, { ruleGroups: ['ops'] }).map(({ severity, detail, fix }) => [severity, severity === 'ok' ? '' : detail, fix]);

describe('doctor', () => {
  it('says that no rule lets anybody in where none does', () => {
    const rules: readonly Rule[] = [
      { ask: 'code', line: 1 },
      { ask: 'refuse', line: 2 },
      { ask: 'code', enrolByMs: NOW_MS, line: 3 },
    ];
    assert.deepEqual(
      examineRules({ rules }, at).map(({ id, severity }) => [id, severity]),
      [['rules', 'ok']],
    );
    assert.ok(!letsInUnenrolled({ rules }, NOW_MS));
  });

  it('lists who gets in and why, and warns of users who are not enrolled', () => {
    const rules: readonly Rule[] = [
      { ask: 'nothing', users: ['backup'], reason: 'OPS-12', line: 2 },
      { ask: 'code', rememberMs: 3_600_000, line: 6 },
    ];
    const [finding] = examineRules({ rules }, at);
    assert.equal(finding?.severity, 'info');
    assert.equal(
      finding.detail,
      'line 2: backup: no code (OPS-12); line 6: everybody: a code, which counts for 1h with the same key and address',
    );
    const later: readonly Rule[] = [...rules, { ask: 'code', enrolByMs: NOW_MS + 1, line: 9 }];
    assert.equal(examineRules({ rules: later }, at)[0]?.severity, 'warn');
    assert.ok(letsInUnenrolled({ rules: later }, NOW_MS));
  });

  it('fails where a rule refuses a group that no database knows, and so everybody', () => {
    const [, finding] = examineRules({ rules: refusing(['@no-such-group-here', 'alice']) }, at);
    assert.deepEqual([finding?.id, finding?.severity, finding?.detail], ['rule-groups', 'fail', 'line 3: @no-such-group-here and alice']);
    assert.equal(examineRules({ rules: refusing(['@root', 'alice']) }, at).length, 1);
    assert.equal(examineRules({ rules: [{ ask: 'nothing', users: ['@no-such-group-here'], line: 3 }] }, at).length, 1);
  });

  it('says why the rules in the store count for nothing, and which groups the doors do not look up', async () => {
    const put = 'put them there again: notp rules put FILE';
    assert.deepEqual(examine(undefined), []);
    assert.deepEqual(examine(await storedRules({ keptRules: () => Promise.resolve(undefined) })), [
      ['fail', 'nobody has put rules into the store', put],
    ]);
    assert.deepEqual(examine(await kept('', 'forged')), [
      ['fail', 'they were changed outside notp, or are under a host key that is not here', put],
    ]);
    assert.deepEqual(examine(await kept('[[rule]]\nask = 1')), [
      ['fail', 'rules:2: a rule must say ask = "code", "nothing" or "refuse"', put],
    ]);
    assert.equal((examine(await kept('[[rule]]\nusers = ["@ops"]\nask = "code"'))[0] as string[])[0], 'ok');
    const [severity, detail, fix] = examine(await kept('[[rule]]\nusers = ["@ops", "@dba"]\nask = "code"'))[0] as string[];
    assert.deepEqual([severity, fix], ['warn', 'in notp.toml: rule_groups = ["ops","dba"]']);
    assert.match(detail ?? '', /^dba: it is unknown who is in them/);
  });

  it('lists every rule of the store by which any login gets in, of those that the login itself reads there', async () => {
    const ask = fc.constantFrom(
      'ask = "refuse"',
      'ask = "code"',
      'ask = "code"\nremember = "1s"',
      'ask = "code"\nenrol_by = 2099-01-01',
      OPEN,
    );
    const facts = fc.constantFrom(
      '',
      'users = ["alice"]',
      'users = ["@ops"]',
      'hosts = ["web*"]',
      'from = ["10.0.0.0/8"]',
      'keys = ["sk-*"]',
    );
    const mistake = fc.constantFrom('', '', '', 'when = "night"', '[rule]');
    const text = fc
      .tuple(fc.array(fc.tuple(facts, ask), { maxLength: 4 }), mistake)
      .map(([some, last]) => [...some.flatMap((lines) => ['[[rule]]', ...lines]), last].join('\n'));
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom('web1', 'db1'), fc.option(fc.constant('forged' as const)), async (put, host, doubt) => {
        const { rules, wrong } = await kept(put, doubt ?? undefined);
        if (doubt !== null) assert.notEqual(wrong, undefined);
        const { ask: asked, rule: by, rememberMs, enrolByMs = 0 } = rulingOn(rules, { ...FACTS, host });
        if (wrong !== undefined) assert.deepEqual([asked, by], ['code', undefined]);
        if (asked === 'refuse' || (asked === 'code' && rememberMs === undefined && enrolByMs <= NOW_MS)) return;
        const told = examineRules({ rules }, at)[0]?.detail ?? '';
        assert.match(`; ${told}`, new RegExp(`; line ${String(by?.line)}: `));
      }),
    );
  });

  it('lists every rule by which any login gets in', () => {
    const rule: fc.Arbitrary<Rule> = fc
      .record({
        ask: fc.constantFrom<Ask>('code', 'nothing', 'refuse'),
        users: fc.constantFrom(['alice'], ['bob'], ['@ops']),
        how: fc.nat(3),
      })
      .map(({ ask, users, how }) => ({
        ...{ ask, users, line: 0 },
        ...(ask === 'code' && how % 2 === 1 ? { rememberMs: 1_000 } : {}),
        ...(ask === 'code' && how > 1 ? { enrolByMs: NOW_MS + how - 2 } : {}),
      }));
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 6 }), fc.constantFrom('alice', 'bob', 'carol'), (some, user) => {
        const rules = some.map((each, i) => ({ ...each, line: i + 1 }));
        const { ask, rule: by, rememberMs, enrolByMs = 0 } = rulingOn(rules, { ...FACTS, user });
        if (ask === 'refuse' || (ask === 'code' && rememberMs === undefined && enrolByMs <= NOW_MS)) return;
        assert.ok(by !== undefined && fitOf(by, { ...FACTS, user }) === 'yes');
        const told = examineRules({ rules }, at)[0]?.detail ?? '';
        assert.match(`; ${told}`, new RegExp(`; line ${String(by.line)}: `));
      }),
    );
  });
});

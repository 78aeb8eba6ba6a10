/** Accounts without an enrolment whom rules let in: from somewhere, with some key, and only as the doors would. */
import * as assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { letInBy, letInByTouch } from '../../src/doctor/let-in.ts';
import type { Enrolment, KeptGrant } from '../../src/store/store.ts';
import { defaultConfig } from '../../src/system/config.ts';
import type { User } from '../../src/system/users.ts';
import type { Rule } from '../../src/verdict/rules.ts';

const NOW = 1_000_000;
const CAROL: User = { name: 'carol', uid: 4_000_001, gid: 4_000_001, home: '/nonexistent', shell: '/bin/sh' };
const rule = (more: Partial<Rule>): Rule => ({ ask: 'code', line: 1, ...more });
const nothing = (more: Partial<Rule> = {}): Rule => rule({ ask: 'nothing', reason: 'test', ...more });
const enrolment = (more: Partial<Enrolment>): Enrolment =>
  ({ user: 'carol', uid: CAROL.uid, id: 'aa', status: 'revoked', ...more }) as Enrolment;

const grant = (more: Partial<KeptGrant> = {}): KeptGrant => ({
  ...{ id: '1a2b3c4d', user: 'carol', uid: CAROL.uid, madeMs: NOW - 1, untilMs: NOW + 1, from: '', key: '', service: '', reason: 'test' },
  ...more,
});

describe('rules let in without an enrolment', () => {
  for (const [what, rules, inactive, isLetIn] of [
    ['nobody where there is none', [], [], false],
    ['nobody where all ask for a code', [rule({})], [], false],
    ['whom they ask for nothing', [nothing()], [], true],
    ['whom they name', [nothing({ users: ['carol'] })], [], true],
    ['nobody else', [nothing({ users: ['alice'] })], [], false],
    ['nobody at another service', [nothing({ services: ['sudo'] })], [], false],
    ['whoever comes from a network', [nothing({ from: ['10.0.0.0/8'] })], [], true],
    ['whoever comes from a network of IPv6', [nothing({ from: ['2001:db8:1::/48'] })], [], true],
    ['whoever has a type of key', [nothing({ keys: ['sk-*'] })], [], true],
    ['nobody whom an earlier rule refuses', [rule({ ask: 'refuse' }), nothing()], [], false],
    ['nobody who was revoked', [nothing()], [enrolment({})], false],
    ['nobody whose uid was revoked under another name', [nothing()], [enrolment({ user: 'carla' })], false],
    ['whoever was only invited, where they ask for nothing', [nothing()], [enrolment({ id: '', status: 'pending' as never })], true],
    ['whoever was never enrolled, until a day', [rule({ enrolByMs: NOW + 1 })], [], true],
    ['nobody after that day', [rule({ enrolByMs: NOW })], [], false],
    ['nobody who was invited', [rule({ enrolByMs: NOW + 1 })], [enrolment({ id: '', status: 'pending' as never })], false],
  ] as const)
    it(what, () => {
      const letIn = letInBy({ ...defaultConfig(), rules }, inactive, NOW);
      assert.deepEqual([...letIn([CAROL], false)], isLetIn ? [CAROL] : []);
    });

  for (const [narrow, wide] of [
    ['10.0.0.0/24', '10.0.0.0/8'],
    ['2001:db8::/64', '2001:db8::/32'],
  ] as const)
    it(`whoever comes from ${wide} outside ${narrow}, which begins at the same address and is refused`, () => {
      const rules = [rule({ ask: 'refuse', from: [narrow] }), nothing({ from: [wide] })];
      assert.deepEqual([...letInBy({ ...defaultConfig(), rules }, [], NOW)([CAROL], false)], [CAROL]);
    });
});

describe('grants let in without an enrolment', () => {
  for (const [what, grants, rules, isLetIn] of [
    ['whom they name', [grant()], [], true],
    ['whoever comes from their network, with their key, to sshd', [grant({ from: '10.0.0.0/8', key: 'ab', service: 'sshd' })], [], true],
    ['nobody else', [grant({ user: 'alice' })], [], false],
    ['nobody once they are over', [grant({ untilMs: NOW })], [], false],
    ['nobody where they were changed outside notp', [grant({ doubt: 'forged' })], [], false],
    ['nobody at another service', [grant({ service: 'sudo' })], [], false],
    ['nobody whom a rule refuses', [grant()], [rule({ ask: 'refuse' })], false],
    [
      'nobody whom a rule refuses where they count',
      [grant({ from: '10.0.0.0/8' })],
      [rule({ ask: 'refuse', from: ['10.0.0.0/7'] })],
      false,
    ],
  ] as const)
    it(what, () => {
      const letIn = letInBy({ ...defaultConfig(), rules }, [], NOW, grants);
      assert.deepEqual([...letIn([CAROL], false)], isLetIn ? [CAROL] : []);
    });
});

describe('rules let in for the touch of a device alone', () => {
  for (const [what, rules, isLetIn] of [
    ['whoever has a key of a device, of any type or only from somewhere', [nothing({ keys: ['sk-*'], from: ['10.0.0.0/8'] })], true],
    ['whoever has one with a certificate', [nothing({ keys: ['sk-ssh-ed25519-cert-v01@openssh.com'] })], true],
    ['nobody where other keys do too', [nothing({ keys: ['sk-*', 'ssh-ed25519'] })], false],
    ['nobody where any key does', [nothing()], false],
    ['nobody where a code is asked for', [rule({ keys: ['sk-*'], rememberMs: 1 })], false],
    ['nobody for whom an earlier rule asks for a code', [rule({ users: ['carol'] }), nothing({ keys: ['sk-*'] })], false],
  ] as const)
    it(what, () => {
      const config = { ...defaultConfig(), rules };
      assert.deepEqual([...letInByTouch(config)([CAROL], false)], isLetIn ? [CAROL] : []);
      assert.deepEqual([...letInByTouch(config, [enrolment({})])([CAROL], false)], []);
    });
});

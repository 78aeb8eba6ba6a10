/** The block of an enrolment: every state has its words and its way out, folded to the width, with commands whole. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lines } from '../../../src/commands/enrolments/list-all.ts';
import { statusScreen, type StatusScreen } from '../../../src/commands/enrolments/status-screen.ts';
import type { EnrolmentState, Facts } from '../../../src/wire/facts.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const SCREEN: StatusScreen = { columns: 80, nowMs: NOW, by: 'root', standard: 'ssh' };
const ACTIVE: Facts = {
  id: '1'.repeat(32),
  user: 'alice',
  context: 'ssh',
  state: 'active',
  problem: null,
  registered: true,
  seal: 'host',
  created: '2026-11-20T12:00:00Z',
  last_accepted: '2026-11-24T11:30:00Z',
  budget: 5,
  capacity: 5,
  next_try: null,
  step_up: false,
  codes_needed: 1,
  recovery_left: 10,
  remembered: 0,
};
const EMPTY: Facts = { ...ACTIVE, budget: 0, next_try: '2026-11-24T12:43:00Z', step_up: true, codes_needed: 2 };
const broken = (state: EnrolmentState, problem: string | null = null): Facts => ({
  ...ACTIVE,
  ...{ state, problem, registered: false, seal: null, created: null },
});

const remembering = (remembered: number, by: 'root' | 'user'): string =>
  statusScreen([{ ...ACTIVE, remembered }], { ...SCREEN, columns: 200, by });

describe('the block of an enrolment', () => {
  it('that is in order is calm and asks for nothing', () => {
    assert.equal(
      statusScreen([ACTIVE], SCREEN),
      `ssh of alice
  state           active: it logs in
  seal            host
  made            2026-11-20 12:00 UTC (4 days ago)
  last login      2026-11-24 11:30 UTC (30 minutes ago)
  tries left      5 of 5
  recovery codes  10 left
`,
    );
  });

  it('says where earlier codes still count, and how to end that', () => {
    assert.match(
      remembering(1, 'root'),
      /\n {2}remembered {6}1 key and address needs no code for a while; sudo notp forget alice ends that\n/,
    );
    assert.match(remembering(2, 'user'), /\n {2}remembered {6}2 keys and addresses need no code for a while; notp forget ends that\n/);
    assert.doesNotMatch(remembering(0, 'root'), /remembered/);
  });

  it('of a hardware token has its model and serial number, whatever characters they are of', () => {
    const text = statusScreen([{ ...ACTIVE, token: { serial: '2600\u001b1', model: 'Feitian c200' } }], SCREEN);
    assert.match(text, /\n {2}seal {12}host\n {2}token {11}Feitian c200 2600\\u001b1\n/);
  });

  const ways: readonly (readonly [Facts, StatusScreen['by'], string])[] = [
    [broken('revoked'), 'root', 'sudo notp-enroll alice'],
    [{ ...broken('revoked'), context: 'deploy' }, 'root', 'sudo notp-enroll alice deploy'],
    [broken('revoked'), 'user', 'notp enroll'],
    [broken('incomplete'), 'root', 'sudo notp-enroll alice'],
    [broken('invited'), 'root', 'notp enroll'],
    [broken('stale', 'the id is another'), 'root', 'sudo notp-enroll alice --replace'],
    [broken('missing', 'the sealed file is missing'), 'user', 'notp enroll --replace'],
    [{ ...broken('bad', 'has mode 0644'), context: 'deploy' }, 'user', 'notp enroll deploy --replace'],
    [EMPTY, 'root', 'sudo notp unlock --user alice'],
    [{ ...EMPTY, context: 'deploy' }, 'user', 'notp unlock deploy'],
    [{ ...ACTIVE, recovery_left: 2 }, 'root', 'sudo notp recovery --user alice'],
    [{ ...ACTIVE, recovery_left: 0 }, 'user', 'notp recovery'],
  ];
  for (const [facts, by, command] of ways) {
    it(`of ${facts.context}, ${facts.state}, with ${String(facts.budget)} tries and ${String(facts.recovery_left)} recovery codes left, gives ${by} the way out: ${command}`, () => {
      for (const columns of [80, 40]) {
        const text = statusScreen([facts], { ...SCREEN, by, columns });
        assert.ok(text.endsWith(`\n  run             ${command}\n`), text);
        for (const line of text.split('\n').filter((each) => !each.startsWith('  run'))) assert.ok(line.length <= columns, line);
      }
    });
  }

  it('says what is wrong with a file, and when there is one try more', () => {
    assert.match(statusScreen([broken('bad', 'has mode 0644')], SCREEN), /^ {2}problem {9}has mode 0644$/m);
    assert.match(statusScreen([EMPTY], SCREEN), /^ {2}tries left {6}0 of 5; one more in 43 minutes$/m);
    assert.match(statusScreen([{ ...ACTIVE, last_accepted: null }], SCREEN), /^ {2}last login {6}never$/m);
  });

  it('showed a name from a database with its line ends, as if they were its own', () => {
    const text = statusScreen([{ ...ACTIVE, user: 'eve\n\nssh of alice' }], SCREEN);
    assert.match(text, /^ssh of eve\\u000a\\u000assh of alice\n/);
  });

  it('that means nothing any more counts no tries, and of several each has its own', () => {
    const text = statusScreen([broken('revoked'), broken('orphaned', 'there is no user alice')], SCREEN);
    assert.doesNotMatch(text, /tries|recovery|seal/);
    assert.match(text, /\n\nssh of alice\n {2}state {11}orphaned: there is no such user any more\n {2}last login .*\n$/);
  });
});

describe('the table of all', () => {
  const all = [ACTIVE, { ...broken('stale'), user: 'somebody-else', context: 'deploy', last_accepted: null }];

  it('is aligned, a line each', () => {
    assert.equal(
      lines(all, 80)(all),
      'alice          ssh     host        active      2026-11-24 11:30Z\nsomebody-else  deploy  -           stale       never\n',
    );
  });

  it('takes two lines each where one does not fit', () => {
    assert.equal(
      lines(all, 40)(all),
      'alice          ssh\n    host  active  2026-11-24 11:30Z\nsomebody-else  deploy\n    -  stale  never\n',
    );
  });

  it('of nobody is empty', () => {
    assert.equal(lines([], 80)([]), '');
  });
});

/** The screen of `notp doctor`: folded findings, users counted and named, lines that fit, names from outside as data. */
import * as assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { changesScreen, doctorScreen } from '../../../src/commands/doctor/screen.ts';
import { compared } from '../../../src/doctor/answer.ts';
import { ok, sorted, type Finding } from '../../../src/doctor/finding.ts';

const PLAIN = { columns: 80, colour: false, utf8: true };
const FINDING: Finding = {
  id: 'FC3',
  severity: 'fail',
  title: 'Sockets can be forwarded',
  detail: 'sshd with /etc/x: yes',
  fix: 'AllowStreamLocalForwarding no',
};

function ofUsers(count: number): Finding[] {
  return Array.from({ length: count }, (_, i) => ({ ...FINDING, user: `user${String(i)}` }));
}

describe('the screen of doctor', () => {
  it('names up to four users and counts the rest', () => {
    assert.match(doctorScreen(ofUsers(1), PLAIN), /^ {6}user user0$/m);
    assert.match(doctorScreen(ofUsers(4), PLAIN), /^ {6}4 users: user0, user1, user2, user3$/m);
    const screen = doctorScreen(ofUsers(500), PLAIN);
    assert.match(screen, /^ {6}500 users: user0, user1, user2, user3 and 496 more$/m);
    assert.ok(screen.split('\n').length < 12, screen);
  });

  it('keeps apart what differs in more than the user', () => {
    const screen = doctorScreen(
      [
        { ...FINDING, user: 'a' },
        { ...FINDING, user: 'b', detail: 'another' },
      ],
      PLAIN,
    );
    assert.equal(screen.match(/\[FC3\]/g)?.length, 2);
  });

  it('breaks lines at blanks, and leaves what is to be copied whole where it is longer than a line', () => {
    const path = `/${'x'.repeat(60)}`;
    const lines = doctorScreen([{ ...FINDING, detail: `a file ${path} of some length is open to others` }], {
      ...PLAIN,
      columns: 40,
    }).split('\n');
    assert.ok(lines.some((line) => line.trim() === path));
    for (const line of lines) assert.ok(line.length <= 40 || line.trim() === path, line);
  });

  it('shows control characters of names from outside as data', () => {
    assert.doesNotMatch(doctorScreen([{ ...FINDING, detail: 'x\x1b[2Jy\nz' }], PLAIN), /y\n/);
    assert.ok(!doctorScreen([{ ...FINDING, detail: 'x\x1b[2J' }], PLAIN).includes('\x1b'));
  });

  it('is calm where all is well, and tells what was looked at', () => {
    const screen = doctorScreen([ok('sshd-config', 'sshd accepts its configuration', 'sshd with /etc/x'), ok('FC9', 'fine')], PLAIN);
    assert.equal(
      screen,
      'No way around the gate was found.\n2 checks in order, 0 failed, 0 warnings, 0 remarks.\n  sshd accepts its configuration: sshd with /etc/x\n',
    );
  });

  it('does not say that there is no way around the gate where sshd was not looked at, or nobody knows who is enrolled', () => {
    for (const id of ['sshd-unseen', 'people-unseen']) {
      const unseen: Finding = { ...FINDING, id, severity: 'warn' };
      assert.doesNotMatch(doctorScreen([unseen], PLAIN), /No way around/);
    }
  });

  it('has the worst first, the host before its users', () => {
    const all: Finding[] = [ok('a', 'a'), { ...FINDING, severity: 'warn' }, { ...FINDING, user: 'b' }, { ...FINDING, user: 'a' }, FINDING];
    assert.deepEqual(
      sorted(all).map(({ severity, user }) => `${severity} ${user ?? ''}`),
      ['fail ', 'fail a', 'fail b', 'warn ', 'ok '],
    );
  });
});

describe('the screen of the changes', () => {
  const CLOCK: Finding = { id: 'clock', severity: 'warn', title: 'The clock is behind', detail: '', fix: '' };

  it('shows what is new, what is gone, and what there is', () => {
    const before = compared([], [CLOCK], 0).all;
    assert.equal(
      changesScreen(compared(before, ofUsers(2), 0), PLAIN),
      `New:
fail  Sockets can be forwarded [FC3]
      2 users: user0, user1
      sshd with /etc/x: yes

Gone:
warn  The clock is behind [clock]

2 new, 1 gone: 1 failed, 0 warnings, 0 remarks.
`,
    );
  });

  it('says where nothing has changed', () => {
    const before = compared([], [CLOCK], 0).all;
    assert.equal(changesScreen(compared(before, [CLOCK], 0), PLAIN), 'Nothing has changed: 0 failed, 1 warning, 0 remarks.\n');
  });
});

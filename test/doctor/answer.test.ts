/** What is new and what is gone between two answers of doctor, what is said of it, and the form in which an answer is kept. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  changeLine,
  changeStory,
  compared,
  motdOf,
  parseDoctorAnswer,
  printDoctorAnswer,
  type Difference,
  type Found,
} from '../../src/doctor/answer.ts';
import { changing, NOT_RUN, ok, settled, UNSEEN, type Finding } from '../../src/doctor/finding.ts';

const MONDAY_MS = Date.UTC(2026, 10, 23, 12);
const DAY_MS = 86_400_000;

const finding = (id: string, more: Partial<Finding> = {}): Finding => ({
  ...{ id, severity: 'fail', title: `Title of ${id}`, detail: `/etc/${id}`, fix: `mend ${id}` },
  ...more,
});
const FORWARDS = finding('FC3', { user: 'alice' });
const ahead = (seconds: number): Finding => settled(finding('clock', { severity: 'warn', detail: `it is ${changing(seconds)} s ahead` }));
const CLOCK = ahead(12);
const dropbear = (pid: number): Finding => settled(finding('beside-ssh', { detail: `dropbear (pid ${changing(pid)}) on port 22` }));
const named = (name: string): Finding => settled(finding('x', { detail: `\u{fdd0}${name}\u{fdd1}` }));
const STACK = finding('P7', { detail: 'PAM service sshd: /etc/pam.d/sshd' });
const CRASH = finding(NOT_RUN, { detail: 'it ended with SIGSEGV' });

const first = (...found: readonly Finding[]): Difference => compared([], found, MONDAY_MS);
const ids = (findings: readonly Found[]): string[] => findings.map(({ id }) => id);
const told = ({ fresh, gone, all }: Difference): string[][] => [ids(fresh), ids(gone), ids(all)];

describe('two answers of doctor', () => {
  it('differ by what came and what went; what stays keeps the time when it was first found', () => {
    const monday = first(CLOCK, FORWARDS, ok('fine', 'All is well'));
    assert.deepEqual(told(monday), [['clock', 'FC3'], [], ['FC3', 'clock']]);
    const tuesday = compared(monday.all, [STACK, CLOCK], MONDAY_MS + DAY_MS);
    assert.deepEqual(told(tuesday), [['P7'], ['FC3'], ['P7', 'clock']]);
    assert.deepEqual(
      tuesday.all.map(({ since }) => since.slice(0, 10)),
      ['2026-11-24', '2026-11-23'],
    );
    assert.deepEqual(told(compared(tuesday.all, [STACK, CLOCK], MONDAY_MS + DAY_MS)).slice(0, 2), [[], []]);
  });

  it('are the same where only what changes by itself does, and others by file, user, severity or a number in a name', () => {
    const { all } = first(CLOCK, FORWARDS, STACK);
    assert.deepEqual(told(compared(all, [ahead(7), FORWARDS, STACK], MONDAY_MS)).slice(0, 2), [[], []]);
    for (const other of [{ user: 'bob' }, { severity: 'warn' }, { detail: '/etc/10-FC3' }] as const)
      assert.deepEqual(told(compared(all, [CLOCK, { ...FORWARDS, ...other }, STACK], MONDAY_MS)).slice(0, 2), [['FC3'], ['FC3']]);
    const ten = first({ ...STACK, detail: '/etc/ssh/10-a.conf' }).all;
    assert.deepEqual(told(compared(ten, [{ ...STACK, detail: '/etc/ssh/20-a.conf' }], MONDAY_MS)).slice(0, 2), [['P7'], ['P7']]);
  });

  it('differ by any other number: 5 accounts without a code and 500, two ports, modes and times passed for the same', () => {
    for (const [before, after] of [
      [
        'sshd with /etc/ssh/sshd_config: 5 accounts: alice, bob and 3 more',
        'sshd with /etc/ssh/sshd_config: 500 accounts: alice, bob and 498 more',
      ],
      ['dropbear on port 2222', 'dropbear on port 443'],
      ['Defaults: timestamp_timeout=30', 'Defaults: timestamp_timeout=525600'],
      ['/var/lib/notp/state.db has mode 640', '/var/lib/notp/state.db has mode 666'],
      ['/var/log/notp/audit.log belongs to uid 998', '/var/log/notp/audit.log belongs to uid 1000'],
      ['MaxAuthTries is 10', 'MaxAuthTries is 1000000'],
      ['line 4: 1001: no code', 'line 4: 1002: no code'],
    ] as const) {
      const [one, other] = [finding('x', { detail: before }), finding('x', { detail: after })];
      assert.deepEqual(told(compared(first(one).all, [other], MONDAY_MS)), [['x'], ['x'], ['x']], before);
      assert.deepEqual(told(compared(first(one).all, [one, other], MONDAY_MS)).slice(0, 2), [['x'], []], before);
    }
  });

  it('differ by how often the same is found: a second server like the first was nothing new', () => {
    const { all } = first(dropbear(7));
    assert.deepEqual(told(compared(all, [dropbear(8)], MONDAY_MS)), [[], [], ['beside-ssh']]);
    const two = compared(all, [dropbear(7), dropbear(9)], MONDAY_MS + DAY_MS);
    assert.deepEqual(told(two), [['beside-ssh'], [], ['beside-ssh', 'beside-ssh']]);
    assert.deepEqual(told(compared(two.all, [dropbear(9)], MONDAY_MS + DAY_MS)), [[], ['beside-ssh'], ['beside-ssh']]);
  });

  it('take nothing but numbers and times for what changes by itself, whatever a name in a detail has in it', () => {
    assert.equal(named('7').detail, '7');
    assert.equal(named('7').steady, '0');
    assert.equal(named('alice').steady, undefined);
    assert.deepEqual(told(compared(first(named('alice')).all, [named('bob')], MONDAY_MS)).slice(0, 2), [['x'], ['x']]);
  });

  it('where doctor could not run call nothing gone but its earlier failure to run', () => {
    const crashed = compared(first(CLOCK, FORWARDS).all, [CRASH], MONDAY_MS);
    assert.deepEqual(told(crashed), [[NOT_RUN], [], [NOT_RUN, 'FC3', 'clock']]);
    const otherwise = compared(crashed.all, [{ ...CRASH, detail: 'it ended with SIGKILL' }], MONDAY_MS);
    assert.deepEqual(told(otherwise), [[NOT_RUN], [NOT_RUN], [NOT_RUN, 'FC3', 'clock']]);
    assert.deepEqual(told(compared(otherwise.all, [FORWARDS], MONDAY_MS)), [[], [NOT_RUN, 'clock'], ['FC3']]);
  });
});

describe('an answer that is too long', () => {
  it('was kept, and could not be read again', () => {
    const [one] = first(CLOCK).all;
    assert.ok(one !== undefined);
    const many = (count: number, detail: string): readonly Found[] => Array.from({ length: count }, () => ({ ...one, detail }));
    for (const findings of [many(500_001, ''), many(700, 'x'.repeat(100_000))])
      assert.throws(() => printDoctorAnswer(findings), { code: 'failed', message: /is too long to be kept/ });
    assert.equal(parseDoctorAnswer(printDoctorAnswer(many(600, 'x'.repeat(100_000)))).length, 600);
  });
});

describe('what is said of a change', () => {
  const change = compared(first(CLOCK).all, [FORWARDS, { ...FORWARDS, user: 'bob' }, STACK], MONDAY_MS);

  it('counts by severity and names the ids that came and went', () => {
    assert.equal(changeLine(change, 256), '2 failed, 0 warnings, 0 remarks; new: FC3 (2), P7; gone: clock');
    assert.equal(changeLine(first(ok('x', 'y')), 256), '0 failed, 0 warnings, 0 remarks; new: none; gone: none');
    assert.match(changeStory(change, 2048), /new: FC3 \(Title of FC3, user alice: \/etc\/FC3, and 1 more\), P7 \(/);
  });

  it('is cut where it is too long, and shows what users chose as data', () => {
    const many = first(...Array.from({ length: 100 }, (_, i) => finding(`check-${String(i)}`)));
    assert.equal(changeLine(many, 256).length, 256);
    const hostile = first(finding('FC3', { user: 'x\x1b[2J\nnotp: all is well' }));
    assert.match(changeStory(hostile, 2048), /^[\x20-\x7e]*$/);
  });
});

describe('what root sees at login', () => {
  it('is nothing where no check failed, whatever the warnings', () => {
    assert.equal(motdOf(first(CLOCK).all), '');
  });

  it('is two lines with the failures, and the day of the first', () => {
    const { all } = compared(first(FORWARDS).all, [FORWARDS, { ...FORWARDS, user: 'bob' }, STACK], MONDAY_MS + DAY_MS);
    assert.equal(
      motdOf(all),
      'notp doctor found 2 failures since 2026-11-23: P7, FC3\nRun notp doctor as root: it names each problem and its fix.\n',
    );
    assert.match(motdOf(first(...Array.from({ length: 9 }, (_, i) => finding(`c${String(i)}`))).all), /: c0,.* c7 and 1 more\n/);
  });

  it('says that sshd could not be asked, or doctor not run', () => {
    assert.match(
      motdOf(first(finding(UNSEEN, { severity: 'warn' })).all),
      /^notp doctor could not check everything since .*: sshd-unseen\n/,
    );
    assert.match(motdOf(first(CRASH, FORWARDS).all), /^notp doctor found 1 failure since .*: FC3; it could not check .*: doctor\n/);
  });
});

describe('a kept answer', () => {
  const { all } = first(CLOCK, FORWARDS);
  const text = Buffer.from(printDoctorAnswer(all)).toString('utf8');

  it('is read back as it was', () => {
    assert.deepEqual(parseDoctorAnswer(printDoctorAnswer(all)), all);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.option(fc.string(), { nil: undefined }))), (pairs) => {
        const found = pairs.map(([detail, user]) => ({ ...finding('FC3', { detail }), ...(user === undefined ? {} : { user }) }));
        const kept = first(...found).all;
        assert.deepEqual(parseDoctorAnswer(printDoctorAnswer(kept)), kept);
      }),
    );
  });

  it('is refused in any other form: another version, unknown or missing keys, wrong values, what is cut off', () => {
    const changes: readonly (readonly [string, string])[] = [
      ['doctor-answer/1', 'doctor-answer/2'],
      ['"findings"', '"more": 1, "findings"'],
      ['"since"', '"when"'],
      ['"fail"', '"ok"'],
      ['"FC3"', '"FC3 "'],
      [text.slice(-9), ''],
      [text, '[]'],
    ];
    for (const [from, to] of changes) {
      assert.ok(text.includes(from), from);
      assert.throws(() => parseDoctorAnswer(Buffer.from(text.replace(from, to))), { code: 'bad_secret_file' }, to);
    }
  });
});

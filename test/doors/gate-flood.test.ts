/** Ten logins at the same instant: one code opens one of them, and no guess goes uncounted. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Ran } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { oathCode, stepNow, untilFreshStep } from '../support/world.ts';
import {
  auditLines,
  codeLine,
  gateSshd,
  NEEDS,
  newPerson,
  PASSPHRASE,
  place,
  SEND_CODE,
  type AuditLine,
  type Person,
} from './gate-world.ts';

const MANY = 10;
const BUDGET = 5;
const STEP_SECONDS = 30;

describe('ten attempts at once', { skip: NEEDS }, () => {
  let sshd: Sshd;
  let person: Person;
  /** The step of the code that is accepted once. */
  let usedStep: number;

  before(async () => {
    const where = place('gate-flood');
    sshd = await gateSshd(where);
    person = await newPerson(where, [sshd]);
  });

  const enter = async (line: string): Promise<Ran> =>
    await sshd.ssh(person.user, ['echo in'], { environment: { LC_NOTP: line }, sshOptions: SEND_CODE, timeoutMs: 120_000 });
  /** Tries `line` in many connections at once; gives what they printed, and what was recorded. */
  const flood = async (line: string): Promise<{ opened: number; records: AuditLine[] }> => {
    const earlier = auditLines(person.user).length;
    const ran = await Promise.all(Array.from({ length: MANY }, () => enter(line)));
    const opened = ran.filter(({ code, stdout }) => code === 0 && stdout === 'in\n').length;
    assert.equal(ran.filter(({ code, stdout }) => code === 1 && stdout === '').length, MANY - opened);
    return { opened, records: auditLines(person.user).slice(earlier) };
  };

  it('with one right code: one is accepted, and all are recorded in one chain', async () => {
    const line = codeLine(person);
    usedStep = stepNow();
    const { opened, records } = await flood(line);
    assert.equal(opened, 1);
    assert.equal(records.length, MANY);
    assert.equal(records.filter(({ result }) => result === 'accepted').length, 1);
    // Each of the others pays for its try, until the budget is empty.
    assert.equal(reasons(records, 'replayed') + reasons(records, 'step_up_required'), MANY - 1);
    const all = auditLines(person.user);
    assert.deepEqual(
      all.map(({ seq }) => seq),
      all.map((_, i) => i + 1),
    );
    assert.equal(new Set(all.map(({ prev }) => prev)).size, all.length);
  });

  it('with a wrong code: the budget bounds how many are judged, and every one is recorded', async () => {
    const { opened, records } = await flood(codeLine(person, 3000));
    assert.equal(opened, 0);
    assert.equal(records.length, MANY);
    assert.ok(reasons(records, 'wrong_code') <= BUDGET);
    assert.equal(reasons(records, 'wrong_code') + reasons(records, 'step_up_required'), MANY);
  });

  it('after which one right code is not judged, and two consecutive ones open', async () => {
    while (stepNow() <= usedStep) await untilFreshStep(STEP_SECONDS);
    const { code, stderr } = await enter(codeLine(person, 30));
    assert.equal(code, 1);
    assert.match(
      stderr,
      /too many failed tries: two consecutive codes are needed .*\nnotp: hint: type a code, a blank, and the code that follows/,
    );
    const [first, second] = [0, 30].map((offsetSeconds) => oathCode(person.enrolled.secret, { offsetSeconds }));
    assert.equal((await enter(`${PASSPHRASE} ${String(first)} ${String(second)}`)).stdout, 'in\n');
    assert.equal(auditLines(person.user).at(-1)?.method, 'step_up');
  });
});

function reasons(records: readonly AuditLine[], reason: string): number {
  return records.filter((record) => record.reason === reason).length;
}

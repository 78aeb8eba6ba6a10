/** After a flood of pairs, at a real sshd: neither a code nor a pair is judged, and the owner gets in by three codes in a row. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { before, describe, it } from 'node:test';
import type { Sshd } from '../support/sshd.ts';
import { oathCode, runAs } from '../support/world.ts';
import {
  auditLines,
  gateSshd,
  NEEDS,
  newPerson,
  PASSPHRASE,
  place,
  SEND_CODE,
  typePassphrase,
  type Person,
  type Place,
} from './gate-world.ts';

describe('the owner of an account that pairs of codes flood', { skip: NEEDS }, () => {
  let where: Place;
  let sshd: Sshd;
  let person: Person;

  before(async () => {
    where = place('gate-ladder');
    sshd = await gateSshd(where);
    person = await newPerson(where, [sshd]);
    const state = new DatabaseSync(path.join(person.user.home, '.notp/.state.db'));
    // As of a time to come, so that nothing is refilled meanwhile.
    state.prepare('UPDATE enrolment SET tokens = -1, as_of_ms = ?').run(Date.now() + 3_600_000);
    state.close();
  });

  /** The codes of these steps from now. */
  const codes = (...steps: readonly number[]): string =>
    steps.map((step) => oathCode(person.enrolled.secret, { offsetSeconds: step * 30 })).join(' ');
  const enter = (typed: string): ReturnType<Sshd['ssh']> =>
    sshd.ssh(person.user, ['echo in'], { environment: { LC_NOTP: `${PASSPHRASE} ${typed}` }, sshOptions: SEND_CODE });

  it('is told of three codes, and nothing of whether a code or a pair was right', async () => {
    for (const typed of [codes(0), codes(100), codes(-1, 0), codes(100, 101)]) {
      const { code, stdout, stderr } = await enter(typed);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /three consecutive codes are needed \(ref [0-9a-f]{8}\)\nnotp: hint: type three codes in a row/);
    }
    const last = auditLines(person.user).at(-1);
    assert.deepEqual(
      [last?.reason, last?.detail],
      ['step_up_required', 'pairs of codes came as a flood: three consecutive codes are needed'],
    );
    const { stdout } = await runAs(person.user, [where.notp, 'status']);
    assert.match(stdout, /0 of 5;[^]*log in with three\s+consecutive codes/);
  });

  it('is asked for three at the prompt, and gets in by them, once', async () => {
    const terminal = sshd.sshInTerminal(person.user, ['echo in-$((40+2))']);
    await typePassphrase(terminal);
    terminal.send(`${codes(-1, 0)}\r`);
    await terminal.expect(/three consecutive codes are needed/);
    await terminal.expect(/Passphrase: /);
    terminal.send(`${PASSPHRASE}\r`);
    await terminal.expect(/Three consecutive codes: /);
    const typed = codes(-2, -1, 0);
    terminal.send(`${typed}\r`);
    await terminal.expect(/in-42/);
    assert.equal(await terminal.exited, 0);
    assert.equal(auditLines(person.user).at(-1)?.method, 'step_up');
    // No try has paid for more than a yes or no.
    assert.match((await enter(typed)).stderr, /code not accepted/);
  });

  it('gets in by a recovery code too', async () => {
    const { stdout } = await sshd.ssh(person.user, ['echo in'], { environment: person.variable(), sshOptions: SEND_CODE });
    assert.equal(stdout, 'in\n');
  });
});

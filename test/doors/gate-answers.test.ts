/** Wrong answers of every kind: refused with their reason, three times at most. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import type { Ran } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { oathCode, untilFreshStep } from '../support/world.ts';
import {
  auditLines,
  codeLine,
  enrol,
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

/** No code of now and its neighbours. */
const WRONG_OFFSET_SECONDS = 3000;

describe('a wrong answer is refused with its reason', { skip: NEEDS }, () => {
  let where: Place;
  let sshd: Sshd;
  let person: Person;
  let marker: string;

  before(async () => {
    where = place('gate-answers');
    sshd = await gateSshd(where);
    person = await newPerson(where, [sshd]);
    marker = path.join(person.user.home, 'marker');
  });
  // A full budget.
  beforeEach(async () => {
    person = await enrol(where, person.user);
    fs.rmSync(marker, { force: true });
  });

  const answer = async (line: string | Uint8Array): Promise<Ran> =>
    await sshd.ssh(person.user, ['touch', marker], { input: Buffer.concat([Buffer.from(line), Buffer.from('\n')]) });
  const answerInVariable = async (value: string): Promise<Ran> =>
    await sshd.ssh(person.user, ['touch', marker], { environment: { LC_NOTP: value }, sshOptions: SEND_CODE });
  const lastReason = (): string | undefined => auditLines(person.user).findLast(({ event }) => event.startsWith('login.'))?.reason;
  const assertRefused = ({ code, stdout, stderr }: Ran, reason: string, message: RegExp): void => {
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, message);
    const [, ref] = /\(ref ([0-9a-f]{8})\)/.exec(stderr) ?? [];
    const record = auditLines(person.user).findLast((line) => line.ref === ref);
    assert.equal(record?.reason, reason);
    assert.equal(fs.existsSync(marker), false);
  };

  it('a wrong code, and a code of five minutes ago', async () => {
    await untilFreshStep();
    assertRefused(await answer(codeLine(person, WRONG_OFFSET_SECONDS)), 'wrong_code', /code not accepted/);
    assertRefused(await answer(codeLine(person, -300)), 'wrong_code', /code not accepted/);
  });

  it('a code that has opened a login already', async () => {
    await untilFreshStep();
    const line = codeLine(person);
    assert.equal((await answer(line)).code, 0);
    fs.rmSync(marker);
    assertRefused(await answer(line), 'replayed', /code already used/);
    assertRefused(await answerInVariable(line), 'replayed', /code already used/);
  });

  it('a wrong passphrase', async () => {
    assertRefused(await answer(`wrong ${oathCode(person.enrolled.secret)}`), 'wrong_passphrase', /passphrase not accepted/);
  });

  it('an empty line, text, and a code without its passphrase, none of which costs a try', async () => {
    for (const line of ['', '   ', 'open sesame', oathCode(person.enrolled.secret), `${PASSPHRASE} 12345`]) {
      assertRefused(await answer(line), 'no_proof', /no one-time code was given/);
    }
    assert.equal((await answerInVariable(codeLine(person))).code, 0);
  });

  it('600 bytes, on stdin and in the variable', async () => {
    const padded = `${PASSPHRASE}${' '.repeat(600)}${oathCode(person.enrolled.secret)}`;
    assertRefused(await answer(padded), 'no_proof', /no one-time code was given/);
    assertRefused(await answerInVariable(padded), 'no_proof', /no one-time code was given/);
    assertRefused(await answerInVariable(`${'x 1'.repeat(20_000)} ${codeLine(person)}`), 'no_proof', /no one-time code was given/);
  });

  it('bytes that are no text', async () => {
    const code = oathCode(person.enrolled.secret);
    assertRefused(await answer(Buffer.concat([Buffer.from([0xff, 0xfe, 0x20]), Buffer.from(code)])), 'no_proof', /no one-time code/);
    assertRefused(await answer(`${PASSPHRASE}\0 ${code}`), 'no_proof', /notp: hint: set the code in the environment/);
    assertRefused(await answerInVariable(`\b\n\r\x7fINCORRECT ${code}`), 'no_proof', /no one-time code/);
  });

  it('at a terminal: three tries, then the end', async () => {
    await untilFreshStep();
    const terminal = sshd.sshInTerminal(person.user, ['touch', marker]);
    await typePassphrase(terminal);
    terminal.send(`${oathCode(person.enrolled.secret, { offsetSeconds: WRONG_OFFSET_SECONDS })}\r`);
    await terminal.expect(/code not accepted.*One-time code: /s);
    terminal.send(`${'1'.repeat(600)}\r`);
    await terminal.expect(/no one-time code was given.*One-time code: /s);
    terminal.send(Buffer.from([0xff, 0x00, 0x9b, 0x31, 0x0d]));
    await terminal.expect(/no one-time code was given/);
    assert.equal(await terminal.exited, 1);
    assert.equal(lastReason(), 'no_proof');
    assert.equal(fs.existsSync(marker), false);
  });

  it('but at a terminal the right one after a wrong one opens', async () => {
    const terminal = sshd.sshInTerminal(person.user, ['touch', marker]);
    await typePassphrase(terminal, 'wrong');
    terminal.send(`${oathCode(person.enrolled.secret)}\r`);
    await terminal.expect(/passphrase not accepted/);
    await typePassphrase(terminal);
    await untilFreshStep();
    terminal.send(`${oathCode(person.enrolled.secret)}\r`);
    assert.equal(await terminal.exited, 0);
    assert.equal(fs.existsSync(marker), true);
  });
});

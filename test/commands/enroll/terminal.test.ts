/** `notp enroll` as a person meets it: in a terminal, question by question. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacks, oathCode, secretShown, untilFreshStep } from '../../support/world.ts';
import { acrossLines, type Terminal } from '../../support/process.ts';
import { ownState, PASSPHRASE, type OwnState } from '../own-state.ts';

const ENROL = ['enroll', '--seal', 'passphrase'];

describe('enrolling in a terminal', { skip: lacks({ programs: ['python3', 'oathtool'] }) }, () => {
  let own: OwnState;
  before(() => {
    own = ownState('enroll-tty');
  });

  for (const columns of [80, 30]) {
    it(`asks twice for a passphrase, shows QR code, key and URI, and is done after the right code (${String(columns)} columns)`, async () => {
      const context = `wide${String(columns)}`;
      const terminal = own.inTerminal([...ENROL, context], columns);
      await choosePassphrase(terminal);
      const { secret, key } = await shown(terminal);
      assert.equal(key.replaceAll(' ', ''), secret);
      assert.match(key, /^([A-Z2-7]{4} )*[A-Z2-7]{1,4}$/);
      // What would wrap scans nowhere: it is left out, with a hint.
      assert.equal(/[▀▄█]{6}/.test(terminal.output()), columns === 80);
      assert.equal(acrossLines(/the QR code needs \d+ columns, and this terminal has 30/).test(terminal.output()), columns === 30);
      await untilFreshStep();
      terminal.send(`${oathCode(secret)}\r`);
      await terminal.expect(/Recovery codes/);
      assert.equal(await terminal.exited, 0);
      const codes = terminal.output().match(/^ {2}[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{5}\r?$/gm) ?? [];
      assert.equal(new Set(codes).size, 10);
      assert.ok(!terminal.output().includes(PASSPHRASE), 'the passphrase was echoed');
      assert.equal((await own.verify(codes[3]?.trim().toLowerCase() ?? '', context)).code, 0);
    });
  }

  it('changes nothing after three wrong codes, and prints none of the right ones', async () => {
    await own.enrol();
    const earlier = own.snapshot();
    const terminal = own.inTerminal([...ENROL, '--replace']);
    await choosePassphrase(terminal);
    const { secret } = await shown(terminal);
    const right = [-30, 0, 30].map((offsetSeconds) => oathCode(secret, { offsetSeconds }));
    const wrong = ['123456', '234567', '345678', '456789'].filter((code) => !right.includes(code)).slice(0, 3);
    for (const [i, code] of wrong.entries()) {
      if (i > 0) await terminal.expect(/that is not the code of the new secret[^]*One-time code: /);
      terminal.send(`${code}\r`);
    }
    await terminal.expect(/the new secret was not confirmed/);
    assert.equal(await terminal.exited, 1);
    right.push(oathCode(secret));
    for (const code of right) assert.ok(!terminal.output().includes(code), 'a right code was printed');
    assert.ok(!terminal.output().includes('Recovery codes'));
    assert.deepEqual(own.snapshot(), earlier);
  });

  it('takes the right code after two wrong ones, and one with a blank in it', async () => {
    const terminal = own.inTerminal([...ENROL, 'second-thought', '--recovery', '0']);
    await choosePassphrase(terminal);
    const { secret } = await shown(terminal);
    for (const answer of ['', 'hello']) {
      terminal.send(`${answer}\r`);
      await terminal.expect(/not the code of the new secret[^]*One-time code: /);
    }
    await untilFreshStep();
    const code = oathCode(secret);
    terminal.send(`${code.slice(0, 3)} ${code.slice(3)}\r`);
    assert.equal(await terminal.exited, 0);
    assert.ok(!terminal.output().includes('Recovery codes'));
  });

  it('refuses passphrases that differ, and an empty one', async () => {
    const earlier = own.snapshot();
    const differing = own.inTerminal([...ENROL, 'typo']);
    await differing.expect(/New passphrase: /);
    differing.send('one thing\r');
    await differing.expect(/The same again: /);
    differing.send('another thing\r');
    await differing.expect(/the passphrases differ/);
    assert.equal(await differing.exited, 1);
    const empty = own.inTerminal([...ENROL, 'typo']);
    await empty.expect(/New passphrase: /);
    empty.send('\r');
    await empty.expect(/no passphrase was given/);
    assert.equal(await empty.exited, 1);
    assert.deepEqual(own.snapshot(), earlier);
  });

  it('keeps the old enrolment until the new one is confirmed, and not after', async () => {
    const context = 'moving';
    const old = await own.enrol(context);
    const terminal = own.inTerminal([...ENROL, context, '--replace', '--recovery', '2']);
    await choosePassphrase(terminal);
    const { secret } = await shown(terminal);
    assert.equal((await own.verify(old.recovery[0] ?? '', context)).code, 0, 'the old enrolment stopped working too early');
    await untilFreshStep();
    terminal.send(`${oathCode(secret)}\r`);
    assert.equal(await terminal.exited, 0);
    const refused = await own.verify(old.recovery[1] ?? '', context);
    assert.equal(refused.code, 1);
    assert.match(refused.stdout, /"wrong_code"/);
    assert.equal((await own.verify(oathCode(secret), context)).code, 0, 'the confirming code is not used up, so it logs in once');
  });
});

describe('leaving an enrolment', { skip: lacks({ programs: ['python3'] }) }, () => {
  let own: OwnState;
  let earlier: unknown;
  before(async () => {
    own = ownState('enroll-leave');
    await own.enrol();
    earlier = own.snapshot();
  });

  const prompts: readonly (readonly [string, (terminal: Terminal) => Promise<unknown>])[] = [
    ['at the passphrase', (terminal) => terminal.expect(/New passphrase: /)],
    [
      'at the second passphrase',
      async (terminal) => {
        await terminal.expect(/New passphrase: /);
        terminal.send(`${PASSPHRASE}\r`);
        await terminal.expect(/The same again: /);
      },
    ],
    [
      'at the code',
      async (terminal) => {
        await choosePassphrase(terminal);
        await shown(terminal);
      },
    ],
  ];
  for (const [name, key] of [
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04'],
    ['Ctrl-\\', '\x1c'],
    ['Ctrl-Z', '\x1a'],
  ] as const) {
    for (const [where, reach] of prompts) {
      it(`${name} ${where} changes nothing`, async () => {
        const terminal = own.inTerminal([...ENROL, '--replace']);
        await reach(terminal);
        terminal.send(key);
        assert.equal(await terminal.exited, 1);
        assert.deepEqual(own.snapshot(), earlier);
      });
    }
  }

  for (const [where, reach] of prompts) {
    it(`a lost connection ${where} changes nothing, and no process stays`, async () => {
      const terminal = own.inTerminal([...ENROL, '--replace']);
      await reach(terminal);
      terminal.hangUp();
      await terminal.exited;
      await own.untilGone();
      assert.deepEqual(own.snapshot(), earlier);
    });
  }

  it('leaves no file of a first enrolment that was broken off', async () => {
    const terminal = own.inTerminal([...ENROL, 'never']);
    await choosePassphrase(terminal);
    await shown(terminal);
    terminal.send('\x03');
    assert.equal(await terminal.exited, 1);
    assert.ok(!fs.existsSync(path.join(own.secrets, 'never')));
    assert.match((await own.verify('123456', 'never')).stdout, /"not_enrolled"/);
  });
});

async function choosePassphrase(terminal: Terminal): Promise<void> {
  await terminal.expect(/New passphrase: /);
  terminal.send(`${PASSPHRASE}\r`);
  await terminal.expect(/The same again: /);
  terminal.send(`${PASSPHRASE}\r`);
}

/** Reads what is shown up to the question for the code. */
async function shown(terminal: Terminal): Promise<{ key: string; secret: string }> {
  const secret = await secretShown(terminal);
  const [text] = await terminal.expect(/Key: [^]*One-time code: /);
  // It takes two lines where there is little room.
  const [, first = '', second = ''] = /Key: ([A-Z2-7 ]+)\r\n(?:.*? {5,}([A-Z2-7 ]+)\r\n)?/.exec(text) ?? [];
  return { key: `${first} ${second}`.trimEnd(), secret };
}

/** Whatever is typed or happens at a prompt of the gate: without the right code never a shell, and always a record. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { runInTerminal, type Terminal } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { oathCode } from '../support/world.ts';
import { auditLines, gateSshd, NEEDS, newPerson, nextDecision, place, typePassphrase, type Person, type Place } from './gate-world.ts';

const KEYS = { 'Ctrl-C': '\x03', 'Ctrl-Z': '\x1a', 'Ctrl-\\': '\x1c', 'Ctrl-D': '\x04' };

describe('nothing but the right answer opens the gate', { skip: NEEDS }, () => {
  let where: Place;
  let sshd: Sshd;
  let person: Person;
  let marker: string;

  before(async () => {
    where = place('gate-prompt');
    sshd = await gateSshd(where);
    person = await newPerson(where, [sshd]);
    marker = path.join(person.user.home, 'marker');
  });

  const records = (): number => auditLines(person.user).length;
  const assertRefused = async (earlier: number, reason: string): Promise<void> => {
    assert.equal((await nextDecision(person.user, earlier)).reason, reason);
    assert.equal(fs.existsSync(marker), false);
  };

  for (const [name, key] of Object.entries(KEYS)) {
    for (const prompt of ['passphrase', 'code']) {
      it(`refuses at ${name} at the prompt of the ${prompt}`, async () => {
        const earlier = records();
        const terminal = sshd.sshInTerminal(person.user, ['touch', marker]);
        if (prompt === 'code') await typePassphrase(terminal);
        else await terminal.expect(/Passphrase: /);
        terminal.send(key);
        await terminal.expect(/no one-time code was given \(ref [0-9a-f]{8}\)/);
        assert.equal(await terminal.exited, 1);
        await assertRefused(earlier, 'no_proof');
      });
    }
  }

  for (const prompt of ['passphrase', 'code']) {
    it(`refuses when the connection is lost at the prompt of the ${prompt}`, async () => {
      const earlier = records();
      const terminal = sshd.sshInTerminal(person.user, ['touch', marker]);
      if (prompt === 'code') await typePassphrase(terminal);
      else await terminal.expect(/Passphrase: /);
      terminal.hangUp();
      await assertRefused(earlier, 'no_proof');
    });
  }

  it('refuses at the end of input without a terminal', async () => {
    const earlier = records();
    const { code, stderr } = await sshd.ssh(person.user, ['touch', marker]);
    assert.equal(code, 1);
    assert.match(stderr, /^Passphrase and one-time code: notp: error: no one-time code was given/);
    await assertRefused(earlier, 'no_proof');
  });

  it('gives the terminal back as it was, with echo', async () => {
    const script = `stty -g; ${where.notp} gate; echo "status $?"; stty -g`;
    const identity = [`--reuid=${String(person.user.uid)}`, `--regid=${String(person.user.gid)}`, '--init-groups'];
    for (const key of ['\x03', '\r\x03']) {
      const terminal = runInTerminal(['setpriv', ...identity, 'sh', '-c', script], { cwd: person.user.home });
      const [first] = await terminal.expect(/[0-9a-f:]{40,}/);
      await terminal.expect(/Passphrase: /);
      terminal.send(key);
      await terminal.expect(/status 1/);
      const [last] = await terminal.expect(/[0-9a-f:]{40,}/);
      assert.equal(last, first);
    }
  });

  it('shows nothing of the passphrase, and the code as it is typed and corrected', async () => {
    const terminal = sshd.sshInTerminal(person.user, ['true']);
    await typePassphrase(terminal);
    // Erase, Ctrl-U and Ctrl-W.
    terminal.send('12é\x7f3\x1598 né \x177\x03');
    await terminal.expect(/7\r\n/);
    const erased = '\b \b';
    assert.ok(terminal.output().includes(`12é${erased}3${erased.repeat(3)}98 né ${erased.repeat(3)}7\r\n`));
    assert.doesNotMatch(terminal.output(), /correct|horse/);
    await terminal.exited;
  });

  it('hands what was typed ahead to the shell', async () => {
    const terminal = sshd.sshInTerminal(person.user);
    await typePassphrase(terminal);
    terminal.send(`${person.line().replace(/^.* /, '')}\recho typed-$((40+2)); exit 9\r`);
    await terminal.expect(/typed-42/);
    assert.equal(await terminal.exited, 9);
  });

  it('takes passphrase and code pasted at once', async () => {
    const terminal = sshd.sshInTerminal(person.user, ['echo in-$((40+2))']);
    await terminal.expect(/Passphrase: /);
    terminal.send(`correct horse\r${oathCode(person.enrolled.secret)}\r`);
    await terminal.expect(/in-42/);
    assert.equal(await terminal.exited, 0);
  });

  it('takes a code from LC_NOTP on a terminal too, and asks if that is refused: mosh and ssh -tt were asked again', async () => {
    const withCode = (line: string): Terminal =>
      sshd.sshInTerminal(person.user, ['echo in-$((40+2))'], ['-t', '-o', `SetEnv=LC_NOTP="${line}"`]);
    const line = person.line();
    const entered = withCode(line);
    await entered.expect(/in-42/);
    assert.equal(await entered.exited, 0);
    assert.doesNotMatch(entered.output(), /Passphrase|One-time code/);
    const again = withCode(line);
    await again.expect(/code already used/);
    // Whoever has it exported for good pays a try at each login, and has to learn why.
    await again.expect(/hint: that came from LC_NOTP/);
    await typePassphrase(again);
    again.send(`${person.line().replace(/^.* /, '')}\r`);
    await again.expect(/in-42/);
    assert.equal(await again.exited, 0);
  });
});

/** `notp import` as a person meets it: asked in a terminal, or fed by a pipe with the passphrase asked beside it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { randomBytes } from 'node:crypto';
import { lacks } from '../../support/world.ts';
import {
  answer,
  assertCodeOf,
  assertRefused,
  migrationUri,
  ownCodes,
  PYTHON_FILE,
  PYTHON_PASSWORD,
  SECRET,
  type OwnCodes,
} from '../codes/own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

const ASKS_SECRET = /Secret \(otpauth URI or base32; it is not shown\): /;
const ASKS_NEW = /New passphrase: /;
const ASKS_AGAIN = /The same again: /;

describe('importing in a terminal', { skip: lacks({ programs: ['python3', 'oathtool', 'setsid'] }) }, () => {
  let own: OwnCodes;
  before(() => {
    own = ownCodes('import-tty');
  });

  it('asks for the secret and twice for a passphrase, and shows neither', async () => {
    const terminal = own.inTerminal(['import', 'typed']);
    const typed = 'hsbr gzrk zdrl bvey';
    await answer(terminal, [ASKS_SECRET, typed], [ASKS_NEW, PASSPHRASE], [ASKS_AGAIN, PASSPHRASE]);
    await terminal.expect(/Imported typed: /);
    assert.equal(await terminal.exited, 0);
    for (const hidden of [typed, SECRET, PASSPHRASE]) assert.ok(!terminal.output().includes(hidden), 'it was echoed');
    await assertCodeOf(own, 'typed', SECRET);
  });

  it('takes a URI that is longer than any line of a cooked terminal', async () => {
    const accounts = Array.from({ length: 120 }, (_, i) => ({ secret: randomBytes(20), name: `account-number-${String(i)}@example.org` }));
    const few = migrationUri(accounts.slice(0, 10));
    const many = migrationUri(accounts);
    assert.ok(few.length > 511 && many.length > 4096);
    const terminal = own.inTerminal(['import', 'ten']);
    await answer(terminal, [ASKS_SECRET, few], [ASKS_NEW, PASSPHRASE], [ASKS_AGAIN, PASSPHRASE]);
    assert.equal(await terminal.exited, 0, terminal.output());
    assert.equal(Object.keys(own.files()).filter((name) => name.startsWith('ten-account-number-')).length, 10);
    // Over the 4096 bytes of a cooked terminal; sealing each would take long, so it ends there.
    const longer = own.inTerminal(['import', 'many']);
    await answer(longer, [ASKS_SECRET, many]);
    await longer.expect(ASKS_NEW);
    longer.send('\x03');
    assert.equal(await longer.exited, 1);
  });

  it('asks on the terminal for what a pipe cannot say: the passphrase', async () => {
    const uri = `otpauth://totp/Shop:eve?secret=${SECRET}&issuer=Shop`;
    const terminal = own.shellInTerminal('printf "%s\\n" "$URI" | "$@"', ['import', 'piped'], { URI: uri });
    await answer(terminal, [ASKS_NEW, PASSPHRASE], [ASKS_AGAIN, PASSPHRASE]);
    assert.equal(await terminal.exited, 0);
    assert.ok(!terminal.output().includes(PASSPHRASE));
    await assertCodeOf(own, 'piped', SECRET);
  });

  it('asks for the password of a file of the Python notp, from a file or a pipe, and then for a new passphrase', async () => {
    const file = own.put('old', PYTHON_FILE);
    const asked = [/Password of the Python notp file: /, PYTHON_PASSWORD] as const;
    const named = own.inTerminal(['import', 'old', '--file', file]);
    await answer(named, asked, [ASKS_NEW, PASSPHRASE], [ASKS_AGAIN, PASSPHRASE]);
    assert.equal(await named.exited, 0);
    const piped = own.shellInTerminal(`"$@" < ${file}`, ['import', 'old', '--replace']);
    await answer(piped, asked, [ASKS_NEW, PASSPHRASE], [ASKS_AGAIN, PASSPHRASE]);
    assert.equal(await piped.exited, 0, piped.output());
    await assertCodeOf(own, 'old', SECRET);
  });

  it('refuses passphrases that differ, an empty one, and an empty secret, and nothing is written', async () => {
    const earlier = own.files();
    for (const [answers, said] of [
      [[SECRET, 'one thing', 'another thing'], /the passphrases differ/],
      [[SECRET, ''], /no passphrase was given/],
      [[''], /no secret was given/],
    ] as const) {
      const terminal = own.inTerminal(['import', 'typo']);
      const questions = [ASKS_SECRET, ASKS_NEW, ASKS_AGAIN];
      await answer(terminal, ...answers.map((text, i) => [questions[i] ?? ASKS_SECRET, text] as const));
      await terminal.expect(said);
      assert.equal(await terminal.exited, 1);
    }
    assert.deepEqual(own.files(), earlier);
  });

  it('refuses several lines that are pasted, and leaves none of them to the next reader of the terminal', async () => {
    const earlier = own.files();
    const uris = ['one', 'two', 'three'].map((name) => `otpauth://totp/${name}?secret=${SECRET}`);
    const terminal = own.shellInTerminal('"$@"; echo "ended with $?"; read -r line; echo "read: $line"', ['import', 'pasted']);
    await terminal.expect(ASKS_SECRET);
    terminal.send(`${uris.join('\r')}\r`);
    await terminal.expect(/notp: error: more than one line was pasted\r\nnotp: hint: .*--file/);
    await terminal.expect(/ended with 1\r\n/);
    terminal.send('typed later\r');
    await terminal.expect(/read: typed later\r\n/);
    assert.equal(await terminal.exited, 0);
    assert.ok(!terminal.output().includes(SECRET));
    assert.deepEqual(own.files(), earlier);
  });

  it('takes one line that is pasted with the empty lines after it', async () => {
    const terminal = own.inTerminal(['import', 'lines']);
    await answer(terminal, [ASKS_SECRET, `${SECRET}\r\n\r`], [ASKS_NEW, PASSPHRASE], [ASKS_AGAIN, PASSPHRASE]);
    assert.equal(await terminal.exited, 0, terminal.output());
  });

  for (const [where, answers] of [
    ['at the secret', []],
    ['at the passphrase', [SECRET]],
    ['at the second passphrase', [SECRET, PASSPHRASE]],
  ] as const) {
    it(`leaves nothing after Ctrl-C ${where}`, async () => {
      const earlier = own.files();
      const terminal = own.inTerminal(['import', 'left']);
      const questions = [ASKS_SECRET, ASKS_NEW, ASKS_AGAIN];
      await answer(terminal, ...answers.map((text, i) => [questions[i] ?? ASKS_SECRET, text] as const));
      await terminal.expect(questions[answers.length] ?? ASKS_SECRET);
      terminal.send('\x03');
      assert.equal(await terminal.exited, 1);
      assert.deepEqual(own.files(), earlier);
      assert.ok(!terminal.output().includes(SECRET));
    });
  }

  it('leaves nothing when the connection is lost', async () => {
    const earlier = own.files();
    const terminal = own.inTerminal(['import', 'lost']);
    await answer(terminal, [ASKS_SECRET, SECRET]);
    await terminal.expect(ASKS_NEW);
    terminal.hangUp();
    await terminal.exited;
    await own.untilGone();
    assert.deepEqual(own.files(), earlier);
  });

  it('overwrites nothing that came under that name meanwhile', async () => {
    const terminal = own.inTerminal(['import', 'late']);
    await answer(terminal, [ASKS_SECRET, SECRET], [ASKS_NEW, PASSPHRASE]);
    await terminal.expect(ASKS_AGAIN);
    assert.equal((await own.import('late', 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')).code, 0);
    const earlier = own.files();
    terminal.send(`${PASSPHRASE}\r`);
    await terminal.expect(/late already exists/);
    assert.equal(await terminal.exited, 1);
    assert.deepEqual(own.files(), earlier);
  });

  it('is wrong usage without a terminal and without --passphrase-file: there is nobody to ask', async () => {
    for (const input of [SECRET, PYTHON_FILE]) {
      const refused = await own.alone(['import', 'nobody'], { input });
      assertRefused(refused, 2, /there is no terminal to ask for the passphrase on\nnotp: hint: give --passphrase-file/);
    }
    assert.ok(!fs.existsSync(path.join(own.secrets, 'nobody')));
  });
});

/** `notp code` of several secrets on a terminal: a table of right codes, which leaves nothing behind; and a code that is copied. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { openScreen } from '../../support/tmux.ts';
import { lacks, SOURCE_NOTP } from '../../support/world.ts';
import { answer, assertRefused, codeBy, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

const OTHER = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
// oxlint-disable-next-line no-control-regex -- it searches for control characters
const COPIED = /\x1b\]52;c;([A-Za-z0-9+/]+=*)\x07/;
const CLEARED = '\x1b]52;c;IA==\x07\x1b]52;c;\x07';

describe('several codes on a terminal', { skip: lacks({ programs: ['tmux', 'oathtool', 'python3'] }) }, () => {
  let own: OwnCodes;
  before(async () => {
    own = ownCodes('live-table');
    assert.equal((await own.import('github', SECRET)).code, 0);
    assert.equal((await own.import('gitlab', OTHER)).code, 0);
    assert.equal((await own.import('quick', SECRET, ['--period', '15'])).code, 0);
  });
  const command = (...words: readonly string[]): string[] => [...SOURCE_NOTP, 'code', ...words, '--config', own.config];

  it('are a table that moves on by itself, ends by q, and is gone then', async () => {
    const screen = await openScreen(80);
    screen.enter(command('--all'));
    await screen.until((lines) => (lines.at(-1)?.startsWith('Passphrase:') === true ? true : undefined));
    screen.press(
      ...PASSPHRASE.split(' ')
        .flatMap((word) => [word, 'Space'])
        .slice(0, -1),
      'Enter',
    );
    const seen = await screen.until((lines) => (lines[2]?.startsWith('quick') === true ? lines : undefined));
    const shown = seen.map((line) => /^(\w+) +(\d{3}) (\d{3}) .*\] +\d+ s$/.exec(line)).slice(0, 3);
    const nowMs = Date.now();
    for (const [i, [name, secret, options]] of (
      [
        ['github', SECRET, ['--totp']],
        ['gitlab', OTHER, ['--totp']],
        ['quick', SECRET, ['--totp', '--time-step-size=15s']],
      ] as const
    ).entries()) {
      const right = [nowMs - 2000, nowMs].map((ms) => codeBy(secret, ms, options));
      assert.equal(shown[i]?.[1], name);
      assert.ok(right.includes(`${shown[i][2] ?? ''}${shown[i][3] ?? ''}`), `${seen.join('\n')}\n${right.join()}`);
    }
    const first = seen[2];
    await screen.until((lines) => (lines[2] !== undefined && lines[2] !== first ? true : undefined));
    screen.press('q');
    assert.equal(await screen.prompt(), 0);
    assert.doesNotMatch(screen.everything(), /\d{3} \d{3}/);
  });

  it('are printed once with --once, and on a terminal that moves no cursor', async () => {
    const screen = await openScreen(80);
    for (const words of [command('git', '--once'), ['env', 'TERM=dumb', ...command('git')]]) {
      screen.enter([...words, '--passphrase-file', own.passphraseFile]);
      assert.equal(await screen.prompt(), 0);
      assert.match(screen.lines().join('\n'), /^github {2}\d{6}\ngitlab {2}\d{6}$/m);
    }
  });

  it('is copied by OSC 52 with --copy, no digit shown, and taken out again at Ctrl-C', async () => {
    const terminal = own.inTerminal(['code', 'github', '--copy'], 200);
    await answer(terminal, [/Passphrase for github: /, PASSPHRASE]);
    const [, copied = ''] = await terminal.expect(COPIED);
    const code = Buffer.from(copied, 'base64').toString();
    assert.ok([Date.now() - 2000, Date.now()].some((ms) => codeBy(SECRET, ms) === code));
    await terminal.expect(/Copied the code of github\. The clipboard is cleared in \d+ s, or at Ctrl-C\./);
    assert.ok(!terminal.output().includes(code) && !terminal.output().includes(CLEARED));
    terminal.send('\x03');
    assert.equal(await terminal.exited, 0);
    assert.ok(terminal.output().includes(CLEARED));
  });

  it('is taken out of the clipboard when its time is over', async () => {
    const terminal = own.inTerminal(['code', 'quick', '--copy', '--passphrase-file', own.passphraseFile], 200);
    const [, seconds = ''] = await terminal.expect(/cleared in (\d+) s/);
    assert.ok(Number(seconds) <= 15);
    assert.equal(await terminal.exited, 0);
    assert.ok(terminal.output().includes(CLEARED));
  });

  it('is not copied where no terminal has a clipboard, and no code is used up', async () => {
    assertRefused(
      await own.opening(['code', 'github', '--copy']),
      2,
      /there is no terminal with a clipboard\nnotp: hint: .*notp code github \| xclip/,
    );
    assertRefused(await own.opening(['code', 'github', '--copy', '--json']), 2, /cannot be used with option/);
  });
});

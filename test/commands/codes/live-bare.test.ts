/** A live display on terminals that can less, told from each byte that is written. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { runInTerminal, type Terminal } from '../../support/process.ts';
import { openScreen } from '../../support/tmux.ts';
import { lacks, nodeVariables } from '../../support/world.ts';
import { bigCodeOn, liveWorld, untilShown, type LiveWorld } from './live-world.ts';

const ESC = '\x1b';
const SGR = new RegExp(`${ESC}\\[[\\d;]*m`);
const PATH = process.env['PATH'];

describe('a live display', { skip: lacks({ programs: ['python3', 'tmux', 'oathtool'] }) }, () => {
  let world: LiveWorld;
  before(() => {
    world = liveWorld();
    world.leave(12);
  });

  function started(environment: NodeJS.ProcessEnv, { inline = false, columns = 80 } = {}): Terminal {
    // Python, which holds the terminal, would make C.UTF-8 of a missing locale.
    const common = { ...nodeVariables({ covered: false }), PATH, TERM: 'xterm-256color', LC_ALL: 'C.UTF-8', PYTHONCOERCECLOCALE: '0' };
    return runInTerminal(world.command({ inline }), { columns, clearEnvironment: true, environment: { ...common, ...environment } });
  }

  for (const inline of [false, true]) {
    const how = inline ? 'on one line' : 'on the whole screen';
    it(`has colours where they are understood, ${how}`, async () => {
      assert.match(await written(started({ NO_COLOR: '' }, { inline })), SGR);
    });

    it(`has none with NO_COLOR, ${how}`, async () => {
      const output = await written(started({ NO_COLOR: '1' }, { inline }));
      assert.doesNotMatch(output, SGR);
      assert.match(output, /\[█+ *\] \d+ s/);
    });

    for (const [locale, environment] of Object.entries({
      'LC_ALL=C': { LC_ALL: 'C', LC_CTYPE: 'C.UTF-8', LANG: 'C.UTF-8' },
      'LC_CTYPE=POSIX': { LC_ALL: '', LC_CTYPE: 'POSIX', LANG: 'C.UTF-8' },
      'no locale': { LC_ALL: undefined },
    })) {
      it(`is ASCII with ${locale}, ${how}`, async () => {
        const output = stripVTControlCharacters(await written(started(environment, { inline })));
        assert.match(output, /^[\x20-\x7e\r]*$/);
        assert.match(output, /\[#+ *\] \d+ s/);
      });
    }
  }

  for (const [name, TERM] of Object.entries({ 'a dumb terminal': 'dumb', 'an unknown terminal': undefined })) {
    it(`keeps to one line of ASCII on ${name}, and wipes it`, async () => {
      const output = await written(started({ TERM }));
      assert.match(output, /^[\x20-\x7e\r]*$/);
      const frames = output.split('\r').filter((frame) => frame !== '');
      for (const frame of frames) assert.equal(frame.length, 79);
      assert.match(frames[0] ?? '', /^\d{3} \d{3} {2}\[#+ *\] \d+ s/);
      assert.equal(frames.at(-1)?.trim(), '');
      assert.ok(output.endsWith('\r'));
    });
  }

  it('shows large digits of # on a screen with LC_ALL=C', async () => {
    const screen = await openScreen(40);
    world.leave(12);
    screen.enter(['env', 'LC_ALL=C', ...world.command({ title: 'Müller' })]);
    const lines = await untilShown(screen);
    assert.equal(bigCodeOn(lines), world.codeAt(world.now()));
    assert.match(lines.join('\n'), /^M\?ller$/m);
    assert.match(lines.join(''), /^[\x20-\x7e]*$/);
    screen.press('q');
    assert.equal(await screen.prompt(), 0);
  });

  it('paints each frame over the one before: from the top, to below its end, and never clears the whole screen first', async () => {
    const output = await written(started({ NO_COLOR: '1' }));
    const frames = output.split(`${ESC}[H`).slice(1, -1);
    assert.ok(frames.length >= 2);
    for (const frame of frames) {
      assert.ok(frame.startsWith(`${ESC}[1;1H`) && frame.includes(`${ESC}[J`));
      assert.ok(!frame.includes(`${ESC}[2J`), 'the screen would flicker');
    }
  });
});

/** All that was written, from the first frame to the end. */
async function written(terminal: Terminal): Promise<string> {
  await terminal.expect(/ \d+ s/);
  await terminal.expect(/ \d+ s/);
  terminal.send('q');
  assert.equal(await terminal.exited, 0);
  return terminal.output();
}

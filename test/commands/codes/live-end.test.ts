/** However a live display ends, the terminal is as it was before and holds neither code nor secret. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { sleep } from '../../support/process.ts';
import { openScreen, type Screen } from '../../support/tmux.ts';
import { lacks } from '../../support/world.ts';
import { assertNothingStays, bigCodeOn, countedCode, liveWorld, spellings, untilShown, type LiveWorld } from './live-world.ts';

const NEEDS = { skip: lacks({ programs: ['tmux', 'oathtool', 'stty', 'setsid'] }) };

/** The codes that were on the screen, as a display may write them. */
function codesOf(world: LiveWorld): string[] {
  const codes = [-1, 0, 1].map((steps) => world.codeAt(world.now(), steps));
  return codes.flatMap(spellings);
}

async function untilGone(pid: number): Promise<void> {
  for (let i = 0; fs.existsSync(`/proc/${String(pid)}`); i++) {
    assert.ok(i < 200, 'the display did not end');
    await sleep(50);
  }
}

for (const inline of [false, true]) {
  describe(`ending a live display on ${inline ? 'one line' : 'the whole screen'}`, NEEDS, () => {
    let world: LiveWorld;
    let screen: Screen;
    let modes: string;
    before(async () => {
      world = liveWorld();
      screen = await openScreen(80);
      modes = screen.modes();
    });

    for (const key of ['C-c', 'q', 'Escape', 'C-d', 'C-z', 'C-\\']) {
      it(`with ${key} leaves nothing behind and exits 0`, async () => {
        world.leave(8);
        screen.enter(world.command({ inline }));
        await untilShown(screen);
        assert.match(screen.modes(), / -echo /);
        screen.press(key);
        assert.equal(await screen.prompt(), 0);
        assertNothingStays(screen, codesOf(world));
        assert.equal(screen.modes(), modes);
      });
    }

    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTSTP'] as const) {
      it(`with ${signal} leaves nothing behind and exits 0`, async () => {
        world.leave(8);
        screen.enter(world.command({ inline }));
        await untilShown(screen);
        const [pid = NaN] = screen.children();
        process.kill(pid, signal);
        assert.equal(await screen.prompt(), 0);
        assertNothingStays(screen, codesOf(world));
        assert.equal(screen.modes(), modes);
      });
    }

    it('after the window became narrower leaves nothing behind either', async () => {
      const narrowing = await openScreen(80);
      world.leave(8);
      narrowing.enter(world.command({ inline }));
      await narrowing.until((lines) => /next/.exec(lines.join('\n')) ?? undefined);
      // A window that narrows much makes tmux scroll away what is on the common screen, where nothing can wipe it.
      for (const columns of inline ? [60, 40, 30] : [40, 20, 12]) {
        narrowing.resize(columns);
        await sleep(300);
      }
      narrowing.press('q');
      assert.equal(await narrowing.prompt(), 0);
      narrowing.resize(80);
      assertNothingStays(narrowing, codesOf(world));
    });

    it('leaves nothing behind on a terminal that knows no alternate screen', async () => {
      const old = await openScreen(80);
      old.withoutAlternate();
      world.leave(8);
      old.enter(world.command({ inline }));
      await untilShown(old);
      assert.equal(old.state().alternate, false);
      old.press('q');
      assert.equal(await old.prompt(), 0);
      assertNothingStays(old, codesOf(world));
    });

    it('by a terminal that goes away ends the program', async () => {
      const going = await openScreen(80);
      going.enter(world.command({ inline }));
      await untilShown(going);
      const [pid = NaN] = going.children();
      going.close();
      await untilGone(pid);
    });

    it('works by signals alone where stdin is no terminal', async () => {
      screen.enter(world.command({ inline }), '< /dev/null');
      await untilShown(screen);
      assert.match(screen.modes(), / echo /);
      screen.press('C-c');
      assert.equal(await screen.prompt(), 0);
      assertNothingStays(screen, codesOf(world));
    });

    it('works by keys where the terminal controls nobody', async () => {
      screen.enter(['setsid', '-w', ...world.command({ inline })]);
      await untilShown(screen);
      assert.match(screen.modes(), / -echo /);
      screen.press('q');
      assert.equal(await screen.prompt(), 0);
      assertNothingStays(screen, codesOf(world));
      assert.equal(screen.modes(), modes);
    });

    it('by a counter that fails tells the error on a terminal that is as it was', async () => {
      const failing = await openScreen(80);
      failing.enter(world.command({ inline, kind: 'hotp', failsAt: 1 }));
      await untilShown(failing);
      failing.press('Enter');
      assert.equal(await failing.prompt(), 1);
      const left = failing.everything();
      assert.match(left, /the counter cannot be stored/);
      assert.equal(bigCodeOn(left.split('\n')), undefined);
      assert.ok(!left.includes(countedCode(0)));
      assert.deepEqual(failing.state(), { cursor: true, alternate: false });
      assert.equal(failing.modes(), modes);
    });
  });
}

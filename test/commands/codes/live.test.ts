/** A live display as a person sees it, in a real terminal emulator: the right code at every moment, in every size. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { sleep } from '../../support/process.ts';
import { openScreen, type Screen } from '../../support/tmux.ts';
import { lacks } from '../../support/world.ts';
import { bigCodeOn, codeOn, countedCode, liveWorld, plainCodeOn, untilShown, type LiveWorld } from './live-world.ts';

/** How long a frame may be on its way to the screen of a busy machine. */
const LAG_MS = 900;
const NEEDS = { skip: lacks({ programs: ['tmux', 'oathtool', 'stty'] }) };

/** One look at the screen: the code, and that it was the right one at some moment of the look. */
function look(screen: Screen, world: LiveWorld): string {
  const from = world.now() - LAG_MS;
  const code = codeOn(screen.lines());
  const right = [world.codeAt(from), world.codeAt(world.now())];
  assert.ok(code !== undefined && right.includes(code), `${String(code)} instead of ${right.join(' or ')}`);
  return code;
}

async function quit(screen: Screen): Promise<void> {
  screen.press('q');
  assert.equal(await screen.prompt(), 0);
}

describe('a live display', NEEDS, () => {
  let world: LiveWorld;
  before(() => {
    world = liveWorld();
  });

  for (const columns of [80, 40]) {
    it(`shows the code in large digits, and the next when its step ends (${String(columns)} columns)`, async () => {
      const screen = await openScreen(columns);
      world.leave(4);
      screen.enter(world.command());
      assert.equal(bigCodeOn(await untilShown(screen)), look(screen, world));
      const first = look(screen, world);
      assert.deepEqual(screen.state(), { cursor: false, alternate: true });
      const promised = await screen.until((lines) => /next (\d{3} \d{3})/.exec(lines.join('\n'))?.[1]);
      assert.equal(promised.replace(' ', ''), world.codeAt(world.now(), 1));
      const seen = new Set<string>();
      for (let looks = 0; seen.size < 2 && looks < 200; looks++) {
        seen.add(look(screen, world));
        await sleep(50);
      }
      assert.deepEqual([...seen], [first, promised.replace(' ', '')]);
      await quit(screen);
    });
  }

  it('shows the next code only in the last ten seconds', async () => {
    const screen = await openScreen(80);
    world.leave(13);
    screen.enter(world.command());
    const early = await untilShown(screen);
    assert.ok(!early.some((line) => line.includes('next')));
    await screen.until((lines) => (lines.some((line) => line.includes(' 11 s')) ? true : undefined));
    assert.ok(!screen.lines().some((line) => line.includes('next')));
    const late = await screen.until((lines) => (lines.some((line) => line.includes('next')) ? lines : undefined));
    assert.match(late.join('\n'), / (10|9) s\n/);
    await quit(screen);
  });

  it('has the right code within a second after the clock jumps, forward and back', async () => {
    const screen = await openScreen(80);
    world.leave(10);
    screen.enter(world.command());
    await untilShown(screen);
    for (const periods of [5000, 10]) {
      world.leave(10, periods);
      await sleep(1000 + LAG_MS);
      look(screen, world);
    }
    await quit(screen);
  });

  it('fits itself to the window as that changes, and always shows the code', async () => {
    const screen = await openScreen(80);
    world.leave(15);
    screen.enter(world.command());
    await untilShown(screen);
    const wide = still(screen.lines());
    for (const [columns, rows, big] of [
      [40, 24, true],
      [20, 24, false],
      [20, 3, false],
      [40, 7, true],
      [80, 24, true],
    ] as const) {
      screen.resize(columns, rows);
      const shown = await screen.until((lines) => (fits(lines, columns, big) ? lines : undefined));
      assert.ok(shown.length <= rows);
      assert.equal(look(screen, world), codeOn(shown));
    }
    assert.deepEqual(still(screen.lines()), wide);
    await quit(screen);
  });

  it('goes on after Enter, arrow keys and letters that mean nothing', async () => {
    const screen = await openScreen(80);
    screen.enter(world.command());
    await untilShown(screen);
    screen.press('Enter', 'Space', 'n', 'Up', 'F1', 'F5', 'Home', 'x', '东');
    const shown = seconds(screen.lines());
    await screen.until((lines) => (seconds(lines) === shown ? undefined : true));
    look(screen, world);
    await quit(screen);
  });

  it('asks a counter for the next code once for each Enter, blank or n, and never otherwise', async () => {
    const screen = await openScreen(80);
    screen.enter(world.command({ kind: 'hotp' }));
    assert.equal(codeOn(await untilShown(screen)), countedCode(0));
    assert.ok(!screen.lines().some((line) => line.includes('[')));
    for (const [i, key] of ['Enter', 'Space', 'n'].entries()) {
      await sleep(1100);
      assert.equal(codeOn(screen.lines()), countedCode(i));
      screen.press(key);
      await screen.until((lines) => (codeOn(lines) === countedCode(i + 1) ? true : undefined));
    }
    await quit(screen);
  });
});

/** The lines that time does not change within a step. */
function still(lines: readonly string[]): string[] {
  return lines.filter((line) => !/ \d+ s$|next/.test(line));
}

function seconds(lines: readonly string[]): string | undefined {
  return / (\d+) s$/m.exec(lines.join('\n'))?.[1];
}

/** Whether a frame for this width is there, and none of another. */
function fits(lines: readonly string[], columns: number, big: boolean): boolean {
  const code = big ? bigCodeOn(lines) : plainCodeOn(lines);
  const width = Math.max(...lines.filter((line) => /[█]/.test(line) && !line.includes('[')).map((line) => line.trim().length));
  return code !== undefined && (!big || (columns === 80 ? width > 40 : width <= 40));
}

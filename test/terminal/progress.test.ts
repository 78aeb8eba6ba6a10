/** The progress bar fits every width, tells what is left when the rate says it, and is silent where nobody watches. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { progressLine } from '../../src/terminal/progress.ts';

const STANDING = { done: 512, total: 1000, label: 'alice', elapsedMs: 10_000 };

describe('progressLine', () => {
  it('shows a bar, the count, the time that is left and what is in work', () => {
    const line = progressLine(STANDING, { columns: 80, utf8: false });
    assert.equal(line, '[###############               ] 512/1000  10 s left alice');
    assert.match(progressLine(STANDING, { columns: 80, utf8: true }), /^\[█{15} {15}\] 512\/1000/);
  });

  it('is narrower than the terminal at every width', () => {
    for (let columns = 1; columns < 200; columns++) {
      const line = progressLine({ ...STANDING, label: 'a-rather-long-name.of.somebody@example.org' }, { columns, utf8: true });
      assert.ok(line.length < columns, `${String(columns)}: ${line}`);
    }
  });

  it('leaves out the name first, then the time, then the bar', () => {
    const texts = [80, 30, 20, 12].map((columns) => progressLine(STANDING, { columns, utf8: false }));
    assert.deepEqual(texts.slice(1), ['[###   ] 512/1000  10 s left', '[###   ] 512/1000', '512/1000']);
  });

  it('estimates nothing before the rate is known', () => {
    for (const early of [{ done: 0, elapsedMs: 60_000 }, { elapsedMs: 1_999 }, { elapsedMs: -5_000 }])
      assert.equal(progressLine({ ...STANDING, ...early }, { columns: 80, utf8: false }).includes('left'), false);
  });

  it('counts long times in minutes and hours', () => {
    const at = (elapsedMs: number): string => progressLine({ ...STANDING, done: 1, elapsedMs }, { columns: 80, utf8: false });
    assert.match(at(30_000), / {2}9 h left/);
    assert.match(at(3_600_000), / {2}999 h left/);
    assert.match(progressLine({ ...STANDING, elapsedMs: 250_000 }, { columns: 80, utf8: false }), / {2}4 min left/);
  });

  it('shows what is not ASCII as question marks, whose width is known', () => {
    assert.match(progressLine({ ...STANDING, label: '界é' }, { columns: 80, utf8: true }), / \?\?$/);
  });
});

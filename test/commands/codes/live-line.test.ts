/** Whatever the terminal is like, the one line of a live display shows the code and fits. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import * as fc from 'fast-check';
import { linePainter } from '../../../src/commands/codes/live-screen.ts';
import { anyTraits, PLAIN, view, views } from './live-views.ts';
import { plainCodeOn } from './live-world.ts';

/** What a terminal shows after a line frame. */
function lineOf(frame: string): string {
  return stripVTControlCharacters(frame).replaceAll('\r', '');
}

describe('one line', () => {
  it('is narrower than the terminal, whatever it shows', () => {
    fc.assert(
      fc.property(views, anyTraits, (shown, traits) => {
        const frame = linePainter.frame(shown, traits);
        assert.doesNotMatch(frame, /\n/);
        assert.ok(lineOf(frame).length < traits.columns);
      }),
    );
  });

  it('starts with the code wherever its digits fit', () => {
    fc.assert(
      fc.property(views, anyTraits, (shown, traits) => {
        fc.pre(traits.columns > shown.code.length);
        assert.equal(plainCodeOn([lineOf(linePainter.frame(shown, traits)).trimEnd()]), shown.code);
      }),
    );
  });

  it('leaves out the bar before the next code, and never shows a part of that', () => {
    const countdown = { secondsLeft: 9, periodSeconds: 30, next: '65432187' };
    const at = (columns: number): string => lineOf(linePainter.frame(view({ code: '12345678', countdown }), { ...PLAIN, columns }));
    assert.equal(at(80), '1234 5678  [███       ] 9 s  next 6543 2187');
    assert.equal(at(40), '1234 5678  [██    ] 9 s  next 6543 2187');
    assert.equal(at(31), '1234 5678  9 s  next 6543 2187');
    assert.equal(at(30), '1234 5678  9 s');
    assert.equal(at(14), '1234 5678');
    assert.equal(at(9), '12345678');
  });

  it('on a terminal without a cursor is carriage returns and ASCII, padded over what was there before', () => {
    fc.assert(
      fc.property(views, anyTraits, (shown, traits) => {
        const dumb = { ...traits, cursor: false, colour: false, utf8: false };
        for (const frame of [linePainter.frame(shown, dumb), linePainter.leave(dumb)]) {
          assert.match(frame, /^\r[\x20-\x7e]*\r$/);
          assert.equal(frame.length, dumb.columns - 1 + 2);
        }
        assert.equal(linePainter.enter(dumb), '');
        assert.match(linePainter.leave(dumb), /^\r *\r$/);
      }),
    );
  });
});

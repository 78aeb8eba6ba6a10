/** Whatever the terminal is like, a screen shows the code and fits. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import * as fc from 'fast-check';
import { screenPainter, URGENT_SECONDS } from '../../../src/commands/codes/live-screen.ts';
import { columnsOf } from '../../../src/terminal/columns.ts';
import { anyTraits, codes, PLAIN, view, views } from './live-views.ts';
import { bigCodeOn, codeOn } from './live-world.ts';

const ESC = '\x1b';
const MOVE = new RegExp(`${ESC}\\[(\\d+);1H`, 'g');
/** Bold, as styleText writes it. */
const [RED, GREEN] = [`${ESC}[1m${ESC}[31m`, `${ESC}[1m${ESC}[32m`];
const SGR = new RegExp(`${ESC}\\[[\\d;]*m`);

/** The rows that a frame writes, each with where it stands; what moves no cursor is left out. */
function rowsOf(frame: string): string[] {
  const [, ...rows] = frame.split(MOVE);
  const texts = rows.filter((_, i) => i % 2 === 1).map((text) => stripVTControlCharacters(text));
  const places = rows.filter((_, i) => i % 2 === 0).map(Number);
  assert.deepEqual(
    places,
    places.map((_, i) => i + 1),
  );
  return texts;
}

function coloured(secondsLeft: number, colour: boolean): string {
  return screenPainter.frame(view({ countdown: { secondsLeft, periodSeconds: 30, next: undefined } }), { ...PLAIN, colour });
}

describe('a screen', () => {
  it('is never wider or higher than the terminal, and starts no line by itself', () => {
    fc.assert(
      fc.property(views, anyTraits, (shown, traits) => {
        const frame = screenPainter.frame(shown, traits);
        assert.doesNotMatch(frame, /[\r\n\t]/);
        const rows = rowsOf(frame);
        assert.ok(rows.length <= traits.rows, 'too many rows');
        for (const row of rows) assert.ok(columnsOf(row) <= traits.columns, `too wide: ${row}`);
      }),
    );
  });

  it('shows the code, legibly, wherever its digits fit', () => {
    fc.assert(
      fc.property(views, anyTraits, (shown, traits) => {
        fc.pre(traits.columns >= shown.code.length);
        assert.equal(codeOn(rowsOf(screenPainter.frame({ ...shown, title: '' }, traits))), shown.code);
      }),
    );
  });

  for (const [columns, code] of [
    [80, '123456'],
    [80, '1234567'],
    [80, '12345678'],
    [40, '123456'],
    [40, '1234567'],
    [40, '12345678'],
  ] as const) {
    it(`has large digits for ${String(code.length)} of them on ${String(columns)} columns`, () => {
      assert.equal(bigCodeOn(rowsOf(screenPainter.frame(view({ code }), { ...PLAIN, columns }))), code);
    });
  }

  it('shows large digits in every order and size', () => {
    fc.assert(
      fc.property(codes, fc.integer({ min: 40, max: 100 }), fc.boolean(), (code, columns, utf8) => {
        assert.equal(bigCodeOn(rowsOf(screenPainter.frame(view({ code }), { ...PLAIN, columns, utf8 }))), code);
      }),
    );
  });

  it('shows the plain code, the bar and the next code on 20 columns by 3 rows', () => {
    const countdown = { secondsLeft: 9, periodSeconds: 30, next: '654321' };
    const rows = rowsOf(screenPainter.frame(view({ countdown }), { ...PLAIN, columns: 20, rows: 3 }));
    assert.deepEqual(rows, ['123 456', '[████         ] 9 s', 'next 654 321']);
  });

  it('tells title, code, bar, next code and how to end, in this order', () => {
    const countdown = { secondsLeft: 10, periodSeconds: 30, next: '654321' };
    const rows = rowsOf(screenPainter.frame(view({ countdown }), PLAIN)).map((row) => row.trim());
    const said = rows.filter((row) => row !== '' && !/^[█ ]+$/.test(row));
    assert.deepEqual(said, ['GitHub: alice', `[${'█'.repeat(10)}${' '.repeat(20)}] 10 s`, 'next 654 321', 'q or Ctrl-C ends']);
  });

  it('has no bar for a counted code, and tells how to get the next', () => {
    const rows = rowsOf(screenPainter.frame(view({ countdown: undefined }), PLAIN));
    assert.ok(!rows.some((row) => row.includes('[')));
    assert.equal(rows.findLast((row) => row !== '')?.trim(), 'Enter: the next code, q: end');
  });

  it('does not move when the next code comes', () => {
    const without = rowsOf(screenPainter.frame(view(), PLAIN));
    const countdown = { secondsLeft: 12, periodSeconds: 30, next: '654321' };
    const withNext = rowsOf(screenPainter.frame(view({ countdown }), PLAIN));
    assert.deepEqual(
      withNext.map((row) => row.replace('  next 654 321', '')),
      without,
    );
  });

  it('cuts a title that is too long, and shows what is not ASCII only where UTF-8 is shown', () => {
    const title = 'Bank of the North Sea: someone.with.a.long.name@example.org';
    const cut = (utf8: boolean): string => rowsOf(screenPainter.frame(view({ title }), { ...PLAIN, columns: 40, utf8 }))[1] ?? '';
    assert.equal(cut(true), 'Bank of the North Sea: someone.with.a.…');
    assert.equal(cut(false), 'Bank of the North Sea: someone.with....');
    const foreign = rowsOf(screenPainter.frame(view({ title: 'Müller' }), { ...PLAIN, utf8: false }));
    assert.equal(foreign[1], '  M?ller');
  });

  it('is ASCII alone where UTF-8 is not shown', () => {
    fc.assert(
      fc.property(views, anyTraits, (shown, traits) => {
        assert.match(stripVTControlCharacters(screenPainter.frame(shown, { ...traits, utf8: false })), /^[\x20-\x7e]*$/);
      }),
    );
  });

  it('is one colour until the last seconds, another in them, and has none where none is wanted', () => {
    assert.ok(coloured(URGENT_SECONDS + 1, true).includes(GREEN));
    assert.ok(!coloured(URGENT_SECONDS + 1, true).includes(RED));
    assert.ok(coloured(URGENT_SECONDS, true).includes(RED));
    assert.ok(!coloured(URGENT_SECONDS, true).includes(GREEN));
    assert.doesNotMatch(coloured(URGENT_SECONDS, false), SGR);
  });
});

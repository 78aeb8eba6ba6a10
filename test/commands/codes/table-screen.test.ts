/** Whatever the terminal is like, a table shows whole codes and fits, and every row is on some page. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import * as fc from 'fast-check';
import { rowsOfPage, startOfPage, tableFrame, type TableRow } from '../../../src/commands/codes/table-screen.ts';
import { columnsOf } from '../../../src/terminal/columns.ts';
import { anyTraits, codes, PLAIN } from './live-views.ts';

// oxlint-disable-next-line no-control-regex -- it searches for control characters
const MOVE = /\x1b\[(\d+);1H/g;
/** A colour, of one number. */
// oxlint-disable-next-line no-control-regex -- it searches for control characters
const COLOUR = /\x1b\[\d+m/;

/** The rows that a frame writes, from the top. */
function rowsIn(frame: string): string[] {
  const parts = frame.split(MOVE).slice(1);
  const places = parts.filter((_, i) => i % 2 === 0).map(Number);
  assert.deepEqual(
    places,
    places.map((_, i) => i + 1),
  );
  return parts.filter((_, i) => i % 2 === 1).map((text) => stripVTControlCharacters(text));
}

const row = (name: string, more: Partial<TableRow> = {}): TableRow => ({
  name,
  code: '123456',
  secondsLeft: 12,
  periodSeconds: 30,
  ...more,
});
const anyRow: fc.Arbitrary<TableRow> = fc
  .record({
    name: fc.stringMatching(/^[a-z][a-z0-9-]{0,63}$/),
    code: codes,
    periodSeconds: fc.integer({ min: 15, max: 300 }),
    part: fc.double({ min: 0, max: 0.999, noNaN: true }),
  })
  .map(({ part, ...rest }) => ({ ...rest, secondsLeft: rest.periodSeconds - Math.floor(rest.periodSeconds * part) }));
const anyRows = fc.array(anyRow, { minLength: 1, maxLength: 70 });

function colours(secondsLeft: number, colour: boolean): string {
  return tableFrame([row('a', { secondsLeft })], 0, { ...PLAIN, colour });
}

describe('a table', () => {
  it('shows name, code, bar and seconds in columns, and how to end', () => {
    const rows = rowsIn(tableFrame([row('aws'), row('github', { code: '12345678', secondsLeft: 3 })], 0, PLAIN));
    assert.deepEqual(rows, ['aws     123 456    [████      ]  12 s', 'github  1234 5678  [█         ]   3 s', 'q or Ctrl-C ends', '']);
  });

  it('is never wider than the terminal, nor higher, and starts no line by itself', () => {
    fc.assert(
      fc.property(anyRows, anyTraits, (all, traits) => {
        fc.pre(traits.columns > 32);
        const frame = tableFrame(all, 0, traits);
        assert.doesNotMatch(frame, /[\r\n\t]/);
        const rows = rowsIn(frame);
        assert.ok(rows.length <= traits.rows + 1);
        for (const each of rows) assert.ok(columnsOf(each) < traits.columns, each);
      }),
    );
  });

  it('shows each code whole on some page, and the first page comes again after the last', () => {
    fc.assert(
      fc.property(anyRows, anyTraits, (all, traits) => {
        fc.pre(traits.columns > 32);
        const pages = Math.ceil(all.length / rowsOfPage(traits));
        const starts = Array.from({ length: pages }, (_, page) => startOfPage(page, all.length, traits));
        const shown = starts.flatMap((start) => rowsIn(tableFrame(all, start, traits)));
        for (const { name, code } of all)
          assert.ok(
            shown.some((each) => each.startsWith(name.slice(0, 4)) && each.replaceAll(' ', '').includes(code)),
            `${name} ${code}`,
          );
        assert.equal(startOfPage(pages, all.length, traits), 0);
      }),
    );
  });

  it('turns pages where there are more rows than fit, and says which they are', () => {
    const all = Array.from({ length: 30 }, (_, i) => row(`s${String(i)}`));
    const first = rowsIn(tableFrame(all, startOfPage(0, 30, PLAIN), PLAIN));
    assert.deepEqual([first.length, first.at(-1)], [24, '1-23 of 30, Enter: more, q: end']);
    const second = rowsIn(tableFrame(all, startOfPage(1, 30, PLAIN), PLAIN));
    assert.match(second[0] ?? '', /^s23 /);
    assert.equal(second[7], '24-30 of 30, Enter: more, q: end');
  });

  it('has colours only where they are wanted: green, and red in the last seconds', () => {
    assert.ok(colours(12, true).includes('\x1b[32m') && !colours(12, true).includes('\x1b[31m'));
    assert.ok(colours(5, true).includes('\x1b[31m'));
    assert.doesNotMatch(colours(5, false), COLOUR);
  });
});

/** Text is measured by what it takes on a terminal, and cut to fit. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { columnsOf, cutToColumns } from '../../src/terminal/columns.ts';

describe('the columns of a text', () => {
  for (const [text, columns] of [
    ['', 0],
    ['GitHub', 6],
    ['Müller & Söhne', 14],
    ['東京', 4],
    ['한국', 4],
    ['ᄀ', 2],
    ['a😀b', 4],
    ['⌚', 2],
  ] as const) {
    it(`of ${JSON.stringify(text)} are ${String(columns)}`, () => {
      assert.equal(columnsOf(text), columns);
    });
  }
});

describe('cutting a text', () => {
  it('leaves alone what fits, and never takes more columns than there are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 0, max: 50 }), fc.boolean(), (text, columns, utf8) => {
        const cut = cutToColumns(text, columns, utf8);
        assert.ok(columnsOf(cut) <= columns);
        if (utf8 && columnsOf(text) <= columns) assert.equal(cut, text);
        if (!utf8) assert.match(cut, /^[\x20-\x7e]*$/);
      }),
    );
  });

  it('cuts no wide character in two, and says that there was more', () => {
    assert.equal(cutToColumns('東京の銀行', 6, true), '東京…');
    assert.equal(cutToColumns('😀😀😀', 5, true), '😀😀…');
    assert.equal(cutToColumns('GitHub: alice', 9, false), 'GitHub...');
  });
});

/** Views and terminals of every kind, for tests of painters. */
import * as fc from 'fast-check';
import type { View } from '../../../src/commands/codes/live-screen.ts';
import type { Traits } from '../../../src/terminal/traits.ts';

export const PLAIN: Traits = { columns: 80, rows: 24, cursor: true, colour: false, utf8: true };

export const codes = fc.integer({ min: 6, max: 8 }).chain((digits) => fc.stringMatching(new RegExp(`^\\d{${String(digits)}}$`)));
const titles = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant(''), fc.constant('東京の銀行: '.repeat(12)), fc.lorem());
const countdowns = fc
  .record({
    periodSeconds: fc.integer({ min: 15, max: 300 }),
    next: fc.option(codes, { nil: undefined }),
    part: fc.double({ min: 0, max: 0.999, noNaN: true }),
  })
  .map(({ periodSeconds, next, part }) => ({ periodSeconds, next, secondsLeft: periodSeconds - Math.floor(periodSeconds * part) }));
export const views: fc.Arbitrary<View> = fc.record({ title: titles, code: codes, countdown: fc.option(countdowns, { nil: undefined }) });
export const anyTraits: fc.Arbitrary<Traits> = fc.record({
  columns: fc.integer({ min: 1, max: 200 }),
  rows: fc.integer({ min: 1, max: 60 }),
  cursor: fc.boolean(),
  colour: fc.boolean(),
  utf8: fc.boolean(),
});

/** A TOTP code with some time left, otherwise as `more` says. */
export function view(more: Partial<View> = {}): View {
  return { title: 'GitHub: alice', code: '123456', countdown: { secondsLeft: 12, periodSeconds: 30, next: undefined }, ...more };
}

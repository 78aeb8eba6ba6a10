/** The order of setups: they are undone from the newest to the oldest, whatever the clock said when each was made. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { newestFirst, nextOrder } from '../../src/setup/manifest.ts';

interface Made {
  readonly id: string;
  readonly order?: number;
  readonly after: number;
}

/** A setup at each of these times, the n-th with its number. */
function made(times: readonly Date[], earlier: readonly Made[] = []): Made[] {
  return times.reduce<Made[]>(
    (all, time) => [...all, { id: `${time.toISOString().replace(/[-:.]/g, '')}-00000000`, order: nextOrder(all), after: all.length }],
    [...earlier],
  );
}

const DATES = fc.array(fc.date({ min: new Date(0), max: new Date('9999-01-01'), noInvalidDate: true }), { maxLength: 8 });

describe('setups', () => {
  it('are undone in the reverse order of their making, however the clock jumps: by the clock, an undo left a block of notp', () => {
    fc.assert(
      fc.property(DATES, (times) => {
        const orders = newestFirst(made(times).toSorted((a, b) => (a.id < b.id ? -1 : 1))).map(({ after }) => after);
        assert.deepEqual(orders, [...times.keys()].toReversed());
      }),
    );
  });

  it('of an earlier notp, which have no number, are older than all others, in the order of their times', () => {
    const old = ['20271130T080340279Z-c3dbfb63', '20271130T060344236Z-d8aa37b6'].map((id, after) => ({ id, after }));
    const all = made([new Date('2026-11-30')], old);
    assert.deepEqual(
      newestFirst(all).map(({ after }) => after),
      [2, 0, 1],
    );
  });
});

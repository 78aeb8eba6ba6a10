/** Times are told by the minute in UTC, and by whole units of how far away they are. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { distanceOf, minuteOf } from '../../../src/commands/enrolments/times.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');

describe('a time', () => {
  it('is told by the minute', () => {
    assert.equal(minuteOf('2026-11-24T03:17:41Z'), '2026-11-24 03:17');
  });

  for (const [time, told] of [
    ['2026-11-24T12:00:00Z', 'just now'],
    ['2026-11-24T11:59:01Z', 'just now'],
    ['2026-11-24T11:59:00Z', '1 minute ago'],
    ['2026-11-24T10:00:01Z', '1 hour ago'],
    ['2026-11-22T13:00:00Z', '1 day ago'],
    ['2026-08-20T12:00:00Z', '3 months ago'],
    ['2024-11-20T12:00:00Z', '2 years ago'],
    ['2026-11-24T12:00:30Z', 'in less than a minute'],
    ['2026-11-24T12:43:59Z', 'in 43 minutes'],
  ] as const) {
    it(`${time} is ${told} at noon of 24 November`, () => {
      assert.equal(distanceOf(time, NOW), told);
    });
  }
});

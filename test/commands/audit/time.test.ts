/** Moments as a person gives them, in the local time of the process. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { momentOf, spanOf } from '../../../src/commands/audit/time.ts';
import { clockOf, dayOf, minuteOf } from '../../../src/terminal/local-time.ts';

const NOW = new Date(2026, 10, 24, 17, 0, 1).getTime();
const local = (...parts: [number, number, number, number?, number?, number?]): number =>
  new Date(parts[0], parts[1] - 1, parts[2], parts[3] ?? 0, parts[4] ?? 0, parts[5] ?? 0).getTime();

describe('a moment', () => {
  it('is a time of RFC 3339, a local date or time, a span back from now, or a day by its name', () => {
    for (const [text, expected] of [
      ['2026-11-24T17:00:00Z', Date.UTC(2026, 10, 24, 17)],
      ['2026-11-24t17:00:00.5z', Date.UTC(2026, 10, 24, 17) + 500],
      ['2026-11-24 17:00:00+05:30', Date.UTC(2026, 10, 24, 11, 30)],
      ['2026-11-24', local(2026, 11, 24)],
      ['2026-11-24 17:00', local(2026, 11, 24, 17)],
      ['2026-11-24T17:00:59', local(2026, 11, 24, 17, 0, 59)],
      ['2024-02-29', local(2024, 2, 29)],
      ['90m', NOW - 90 * 60_000],
      ['2h', NOW - 7_200_000],
      ['7d', NOW - 7 * 86_400_000],
      ['1w', NOW - 7 * 86_400_000],
      ['30s', NOW - 30_000],
      ['today', local(2026, 11, 24)],
      ['yesterday', local(2026, 11, 23)],
    ] as const)
      assert.equal(momentOf(text, NOW), expected, text);
  });

  it('is nothing else', () => {
    const wrong = [
      '',
      'now',
      '2',
      'h',
      '-2h',
      '2 h',
      '1.5h',
      '2y',
      '2026-02-29',
      '2026-02-30T10:00:00Z',
      '2026-13-01',
      '2026-00-10',
      '2026-11-24 24:00',
      '2026-11-24 17:60',
    ];
    for (const text of [...wrong, '2026-11-24 17', '26-11-24', '2026-11-24T99:00:00Z', '9999999d', 'tomorrow', ' today'])
      assert.equal(momentOf(text, NOW), undefined, text);
  });

  it('is shown as day, clock and span', () => {
    assert.equal(dayOf(NOW), '2026-11-24');
    assert.equal(clockOf(NOW), '17:00:01');
    assert.equal(minuteOf(NOW), 'Tue 2026-11-24 17:00');
    const spans = [0, 1_000, 59_000, 119_000, 120_000, 7_199_000, 7_200_000, 172_799_000, 172_800_000, -5_000].map(spanOf);
    const expected = ['0 seconds', '1 second', '59 seconds', '119 seconds', '2 minutes', '119 minutes', '2 hours', '47 hours', '2 days'];
    assert.deepEqual(spans, [...expected, '0 seconds']);
  });
});

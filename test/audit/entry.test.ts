/** Reading a line of the log: what is not as notp writes it is left out, and is no reason to fail. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { entryOf } from '../../src/audit/entry.ts';

const TIME = '2026-03-01T09:00:00.000Z';
const TIME_MS = Date.parse(TIME);

describe('a line of the log', () => {
  it('is none where it has no time, no event, or is no object', () => {
    for (const line of ['', 'x', '7', 'null', '[]', '{}', `{"time":"${TIME}"}`, '{"event":"enroll"}', '{"time":"soon","event":"enroll"}'])
      assert.equal(entryOf(line), undefined, line);
  });

  it('has what is in it, and nothing of another kind', () => {
    const least = entryOf(JSON.stringify({ time: TIME, event: 'enroll', uid: 'root', user: 7, count: 'many', outage: 'then', ref: null }));
    assert.deepEqual(
      [least?.timeMs, least?.event, least?.user, least?.uid, least?.count, least?.outageMs, least?.ref, least?.rhost],
      [TIME_MS, 'enroll', '', undefined, 1, undefined, '', undefined],
    );
    for (const count of [0, -1, 1.5, 2 ** 60]) assert.equal(entryOf(JSON.stringify({ time: TIME, event: 'x', count }))?.count, 1);
  });

  it('tells how many refusals it stands for, and when it was decided in an outage', () => {
    const entry = entryOf(JSON.stringify({ time: TIME, event: 'login.refused', uid: 0, count: 40, outage: '2026-03-01T08:00:00.000Z' }));
    assert.deepEqual([entry?.uid, entry?.count, entry?.outageMs], [0, 40, TIME_MS - 3_600_000]);
  });
});

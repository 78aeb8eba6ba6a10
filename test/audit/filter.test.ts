/** Which records a filter lets through: all that is given must hold, and what is no record never does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { blockMatcherOf, isFiltering, matcherOf, type Filter } from '../../src/audit/filter.ts';
import { printRecord, type AuditRecord } from '../../src/audit/record.ts';

const COMMON = { user: 'alice', uid: 1000, context: 'ssh', door: 'gate', ref: '0123abcd' } as const;
const RECORDS: readonly AuditRecord[] = [
  { ...COMMON, event: 'enroll', result: 'done' },
  { ...COMMON, event: 'enroll.failed', result: 'failed', context: 'deploy' },
  { ...COMMON, event: 'login.refused', result: 'refused', reason: 'replayed', rhost: '192.0.2.7', detail: '"user":"bob" "wrong_code"' },
  { ...COMMON, event: 'login.refused', result: 'refused', reason: 'wrong_code', user: 'bob', ref: 'ffffffff' },
  { ...COMMON, event: 'login.accepted', result: 'accepted', method: 'totp', user: 'a b"\n' },
];

/** The indexes of those that it lets through; the i-th is written at i seconds. */
function through(filter: Filter): number[] {
  const want = matcherOf(filter);
  return [...RECORDS.keys()].filter((i) => want(printRecord(RECORDS[i] ?? assert.fail(), undefined, i * 1000).trimEnd()) !== undefined);
}

describe('a filter', () => {
  for (const [filter, expected] of [
    [{}, [0, 1, 2, 3, 4]],
    [{ user: 'bob' }, [3]],
    [{ user: 'a b"\n' }, [4]],
    [{ user: 'ali' }, []],
    [{ event: 'enroll' }, [0, 1]],
    [{ event: 'login' }, [2, 3, 4]],
    [{ event: 'log' }, []],
    [{ reason: 'wrong_code' }, [3]],
    [{ context: 'deploy' }, [1]],
    [{ rhost: '192.0.2.7' }, [2]],
    [{ ref: 'ffffffff' }, [3]],
    [{ sinceMs: 1000, untilMs: 3000 }, [1, 2]],
    [{ user: 'alice', event: 'login', sinceMs: 1000 }, [2]],
  ] as const) {
    it(`lets through what fits: ${JSON.stringify(filter)}`, () => {
      assert.deepEqual(through(filter), expected);
    });
  }

  it('never lets through what is no record', () => {
    for (const line of [
      '',
      'junk',
      'null',
      '[]',
      '{}',
      '{"event":"enroll"}',
      '{"time":"never","event":"enroll"}',
      '{"time":5,"event":"enroll"}',
    ])
      assert.equal(matcherOf({})(line), undefined, line);
  });

  it('passes over no block of lines that has a record which fits, whatever the times and however clocks went', () => {
    const moment = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 1.7e12, max: 1.8e12 }) },
      fc.integer({ min: -1e12, max: 4e12 }),
      fc.integer({ min: 0, max: 1e14 }),
      fc.integer({ min: 0, max: 5000 }),
    );
    const line = fc.oneof(
      { weight: 8, arbitrary: fc.tuple(fc.constantFrom(...RECORDS), moment).map(([record, ms]) => printRecord(record, undefined, ms)) },
      { weight: 1, arbitrary: fc.constantFrom('junk\n', '\n', '{"time":"1970-01-01T00:00:00.000Z"}\n') },
    );
    const filter = fc.record({
      sinceMs: moment,
      user: fc.constantFrom('alice', 'bob', undefined),
      event: fc.constantFrom('login', undefined),
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), filter, fc.boolean(), (lines, wanted, isWhole) => {
        const text = lines.join('');
        const mayMatch = blockMatcherOf(wanted)(Buffer.from(isWhole ? text : text.slice(0, -1)));
        const want = matcherOf(wanted);
        assert.ok(mayMatch || lines.every((each) => want(each.trimEnd()) === undefined));
      }),
      { numRuns: 3000 },
    );
  });

  it('passes over lines that are all older, and those that lack what is asked for', () => {
    const times = ['2026-11-29T23:59:59.999Z', '2026-11-28T00:00:00Z', '2026-11-29T12:00:00Z'];
    const lines = times.map((time) => printRecord(RECORDS[0] ?? assert.fail(), undefined, Date.parse(time)));
    const mayMatch = (filter: Filter): boolean => blockMatcherOf(filter)(Buffer.from(lines.join('')));
    for (const since of ['2026-11-30', '2027-01-01']) assert.equal(mayMatch({ sinceMs: Date.parse(since) }), false, since);
    for (const since of ['2026-11-29T23:00:00Z', '2026-11-01']) assert.equal(mayMatch({ sinceMs: Date.parse(since) }), true, since);
    assert.deepEqual([mayMatch({ user: 'alice' }), mayMatch({ user: 'bob' })], [true, false]);
  });

  it('takes a time before all that there are: the story of a record from then ended in an internal error', () => {
    const filter = { sinceMs: -8.64e15 - 1 };
    const line = printRecord(RECORDS[0] ?? assert.fail(), undefined, -8.64e15);
    assert.ok(matcherOf(filter)(line.trimEnd()) !== undefined);
    assert.ok(blockMatcherOf(filter)(Buffer.from(line)));
  });

  it('knows whether anything is filtered', () => {
    assert.ok(!isFiltering({ user: undefined }));
    assert.ok(isFiltering({ sinceMs: 0 }));
  });
});

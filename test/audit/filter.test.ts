/** Which records a filter lets through: all that is given must hold, and what is no record never does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isFiltering, matcherOf, type Filter } from '../../src/audit/filter.ts';
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

  it('knows whether anything is filtered', () => {
    assert.ok(!isFiltering({ user: undefined }));
    assert.ok(isFiltering({ sinceMs: 0 }));
  });
});

/** One grammar for durations, wherever they are written. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { durationOf } from '../../src/system/settings.ts';

it('a duration is a whole number and a unit', () => {
  for (const [text, ms] of [
    ['0s', 0],
    ['30s', 30_000],
    ['90m', 5_400_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['999999s', 999_999_000],
  ] as const)
    assert.equal(durationOf(text), ms);
  for (const text of ['', '5', 's', '-1s', '1.5h', '1 h', '1H', '1000000s', '1ms', '1h30m', '1w', ' 1h', '1h\n'])
    assert.equal(durationOf(text), undefined, text);
  assert.deepEqual([durationOf('1w', 'smhdw'), durationOf('1d', 'smh')], [604_800_000, undefined]);
});

/** `gate.trust`: for how long the same source and key are not asked again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultConfig, parseConfig } from '../../src/system/config.ts';

const trustOf = (value: string): number => parseConfig(`[gate]\ntrust = ${value}\n`, '/x/notp.toml').gate.trustMs;

describe('gate.trust', () => {
  it('is off by default', () => {
    assert.equal(defaultConfig().gate.trustMs, 0);
  });

  it('is a time, from none to thirty days', () => {
    const found = ['"0s"', '"0d"', '"90s"', '"12h"', '"30d"'].map(trustOf);
    assert.deepEqual(found, [0, 0, 90_000, 43_200_000, 2_592_000_000]);
  });

  it('that is no such time is told with its line, what it should be, and the default', () => {
    for (const value of ['"31d"', '"721h"', '"-1s"', '"1"', '""', '"1w"', '"1.5h"', '3600', '0', 'true', 'false']) {
      assert.throws(() => trustOf(value), {
        code: 'bad_configuration',
        message: '/x/notp.toml:2: gate.trust must be a time such as "60s", "5m" or "1h", from "0s" to "30d"',
        hint: 'the default is trust = "0s"',
      });
    }
  });
});

/** More than a minute of it in each run; `npm run soak -- --minutes 60` for longer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lacks } from '../../support/world.ts';
import { LONG } from '../../trials/trial.ts';
import { soak, SOAK_NEEDS } from './soak.ts';

const SECONDS = LONG ? 3_600 : 75;

describe('fifty people at all doors of a host', { skip: lacks(SOAK_NEEDS) }, () => {
  it(
    'log in each with each code once, while services stop and are killed, the log is rotated and the host key changes',
    { timeout: (SECONDS + 180) * 1000 },
    async () => {
      const { tries, logins, twice, findings } = await soak(SECONDS, () => undefined);
      assert.deepEqual(findings, []);
      assert.ok(logins > 0 && twice > 0 && tries > logins);
    },
  );
});

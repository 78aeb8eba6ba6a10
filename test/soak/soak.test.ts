/** Two minutes of it in each run; `npm run soak -- --minutes 60` for longer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lacks } from '../support/world.ts';
import { LONG, report } from '../trials/trial.ts';
import { soak, SOAK_NEEDS } from './soak.ts';

const SECONDS = LONG ? 3_600 : 120;

describe('fifty people at all doors of a host', { skip: lacks(SOAK_NEEDS) }, () => {
  it(
    'log in each with each code once, while services stop and are killed, the log is rotated and the host key changes',
    { timeout: (SECONDS + 180) * 1000 },
    async () => {
      const { tries, logins, twice, disturbances, findings } = await soak(SECONDS, () => undefined);
      const failed = findings.length;
      report({ part: 'soak', tried: 'a try of one of 50 people at the gate, at PAM or with `notp verify`', times: tries, failed });
      report({ part: 'soak', tried: 'one code at two doors at once', times: twice, failed });
      report({
        part: 'soak',
        tried: 'a change of the host meanwhile: services stopped or killed, another host key, a rotated log',
        times: disturbances,
        failed,
      });
      assert.deepEqual(findings, []);
      assert.ok(logins > 0 && twice > 0 && tries > logins);
    },
  );
});

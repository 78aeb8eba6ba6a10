/** `npm run soak -- --minutes 60`: as root, and for as long as you like. Says on stderr how it stands, and fails where something was found. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseArgs } from 'node:util';
import { soak } from './soak.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' } } });

// A test, so that what it boots is ended with it.
void it(`a soak of ${values.minutes} minutes`, async () => {
  const soaked = await soak(Number(values.minutes) * 60, (text) => process.stderr.write(`${text}\n`));
  const { tries, logins, twice, disturbances, mostMiB, findings } = soaked;
  process.stdout.write(
    `${JSON.stringify({ tries, logins, twice, disturbances, most_mib: Math.round(mostMiB), findings }, undefined, 2)}\n`,
  );
  assert.deepEqual(findings, []);
});

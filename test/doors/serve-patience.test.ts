/** How long a connection may wait at a prompt. */
import * as assert from 'node:assert/strict';
import { it } from 'node:test';
import { answeringFor } from '../../src/doors/serve-answers.ts';
import { defaultConfig } from '../../src/system/config.ts';
import { SETTINGS } from '../../src/system/settings.ts';

it('the judge waits as long as the longest gate.timeout: it hung up after ten minutes, and a right code was refused', () => {
  const { patienceMs } = answeringFor({ configuration: defaultConfig, whose: 'judge', environment: {}, now: Date.now });
  const longest = SETTINGS.timeout.check('1d');
  assert.ok(typeof longest === 'number' && patienceMs > longest);
  assert.ok(patienceMs < 2 ** 31, 'a timer of Node.js fires at once beyond that');
  assert.ok(typeof SETTINGS.timeout.check('25h') !== 'number');
});

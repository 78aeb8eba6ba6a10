/** What doctor says of the clock: whether it has gone back behind a login. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { settled } from '../../../src/doctor/finding.ts';
import { examineClock } from '../../../src/doctor/host/clock.ts';
import type { Enrolment } from '../../../src/store/store.ts';
import { defaultConfig } from '../../../src/system/config.ts';
import { ALICE } from '../../store/alice.ts';

const NOW_MS = Date.parse('2026-03-01T09:00:00Z');

function lastCodeAt(ms: number): Enrolment {
  return { ...ALICE, state: { ...ALICE.state, lastStep: ms / 30_000 } };
}

describe('the clock', () => {
  it('is behind the logins that come after it, beyond what the window takes', () => {
    const [synchronised, ...found] = examineClock(
      defaultConfig(),
      [lastCodeAt(NOW_MS + 90_000), { ...lastCodeAt(NOW_MS + 60_000), user: 'bob' }],
      NOW_MS,
    ).map(settled);
    assert.equal(synchronised?.id, 'clock-synchronised');
    assert.deepEqual(
      found.map(({ id, severity, user, detail }) => [id, severity, user, detail]),
      [['clock-behind', 'fail', 'alice', 'ssh: the last code is from 2026-03-01T09:01:30.000Z, but it is 2026-03-01T09:00:00.000Z']],
    );
  });

  it('was not behind any more after a login with a recovery code', () => {
    const state = { ...ALICE.state, lastStep: NOW_MS / 30_000 + 5760, periodSeconds: 30 };
    const [, ...found] = examineClock(defaultConfig(), [{ ...ALICE, state, lastAcceptedMs: NOW_MS }], NOW_MS);
    assert.deepEqual(
      found.map(({ id, severity, fix }) => [id, severity, /notp unlock --user alice/.test(fix)]),
      [['clock-behind', 'fail', true]],
    );
  });

  it('is not where all logins were before', () => {
    const found = examineClock(defaultConfig(), [{ ...ALICE, lastAcceptedMs: NOW_MS }], NOW_MS).slice(1);
    assert.deepEqual(
      found.map(({ id, severity }) => [id, severity]),
      [['clock-behind', 'ok']],
    );
  });
});

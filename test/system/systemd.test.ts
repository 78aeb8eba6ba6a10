/** The user's socket on a host that systemd does not run, and what systemctl says when it fails. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { disableSocket, enableSockets, hasService } from '../../src/system/systemd.ts';

const BOOTED = existsSync('/run/systemd/system');
const NO_UID = 4_294_967_000;

describe('the socket of a user', () => {
  it('is there to enable only where systemd runs', () => {
    assert.ok(BOOTED || !hasService());
  });

  it(
    'that systemd does not enable or disable is an error that names the command',
    { skip: hasService() && 'notp is installed on this host' },
    () => {
      for (const [change, command] of [
        [
          () => {
            enableSockets([NO_UID]);
          },
          'enable --no-reload',
        ],
        [
          () => {
            disableSocket(NO_UID);
          },
          'stop',
        ],
      ] as const) {
        assert.throws(change, {
          code: 'failed',
          message: new RegExp(`^systemctl ${command} notp@${String(NO_UID)}\\.socket .*failed: .`),
        });
      }
    },
  );
});

/** The keys of the host as systemd hands them to a service. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { withCredentials } from '../../src/state/credentials.ts';
import { statePlace } from '../../src/state/place.ts';
import { defaultConfig } from '../../src/system/config.ts';
import { realUser } from '../../src/system/users.ts';
import { scratchFolder } from '../support/world.ts';

function handed(credentials: readonly string[], hostKeys: readonly [string, ...string[]]): string[] {
  const folder = scratchFolder('credentials');
  for (const name of credentials) fs.writeFileSync(path.join(folder, name), name);
  const config = { ...defaultConfig(), hostKey: hostKeys[0], hostKeys };
  const place = withCredentials(statePlace(config, realUser()), config, { CREDENTIALS_DIRECTORY: folder });
  return place.hostKeyFiles.map((file) => path.relative(folder, file));
}

describe('the credentials of a service', () => {
  it('are the host keys by the names of their files, or one of them by the name that a single key has', () => {
    assert.deepEqual(handed(['host.key'], ['/etc/notp/fleet.key']), ['host.key']);
    assert.deepEqual(handed(['new.key', 'fleet.key', 'host.key'], ['/etc/notp/new.key', '/etc/notp/fleet.key']), ['new.key', 'fleet.key']);
  });

  it('kept everybody out when the earlier file was taken out of host_key, or the drop-in named a single key by its file', () => {
    assert.deepEqual(handed(['new.key', 'fleet.key'], ['/etc/notp/new.key']), ['new.key']);
    assert.deepEqual(handed(['new.key', 'fleet.key', 'host.key'], ['/etc/notp/new.key']), ['new.key']);
    assert.deepEqual(handed(['new.key', 'fleet.key'], ['/etc/notp/fleet.key']), ['fleet.key']);
  });

  it('kept everybody out as soon as a second file was in host_key, and the drop-in still handed the first one under the name of one alone', () => {
    assert.deepEqual(handed(['host.key'], ['/etc/notp/fleet.key', '/etc/notp/new.key']), ['host.key', 'new.key']);
    assert.deepEqual(handed(['host.key', 'new.key'], ['/etc/notp/new.key', '/etc/notp/fleet.key']), ['new.key', 'host.key']);
  });
});

/** The credentials of a unit, as systemd reads its files. */
import * as assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { credentialsIn } from '../../../src/doctor/host/service.ts';

const UNIT =
  '# /usr/lib/systemd/system/notp@.service\n[Service]\nLoadCredential=host.key:/etc/notp/host.key\nSetCredential=host.key:none\n';

describe('the credentials of the service', () => {
  it('are those that no drop-in takes back: doctor looked for the text alone, and every login was refused', () => {
    assert.deepEqual(credentialsIn(UNIT), ['LoadCredential=host.key:/etc/notp/host.key']);
    assert.deepEqual(credentialsIn(`${UNIT}[Service]\nLoadCredential=\n`), []);
    const encrypted = 'LoadCredentialEncrypted=host.key:/etc/notp/host.key.cred';
    assert.deepEqual(credentialsIn(`${UNIT}[Service]\nLoadCredential=\n${encrypted}\n`), [encrypted]);
    assert.deepEqual(credentialsIn(`${UNIT}[Service]\n${encrypted}\n`), [encrypted]);
    assert.deepEqual(credentialsIn(`${UNIT}[Service]\nLoadCredentialEncrypted=\n`), []);
    assert.deepEqual(credentialsIn(`${UNIT}[Service]\n#LoadCredential=\n LoadCredential = b:/b \n`), [
      'LoadCredential=host.key:/etc/notp/host.key',
      'LoadCredential=b:/b',
    ]);
  });
});

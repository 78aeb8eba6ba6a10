/** Reading the host key: it is its owner's alone, but for what systemd's credentials need. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { hostKeyId } from '../../src/seal/keys.ts';
import { realUser, type User } from '../../src/system/users.ts';
import { MAX_HOST_KEYS, readHostKey } from '../../src/state/host-keys.ts';
import { lacks, scratchFolder } from '../support/world.ts';

/** Not the group's right to read: a credential shows 0440 where an ACL lets the service in. */
const CREDENTIAL = 0o037;

describe('the host key', { skip: lacks({ programs: ['getent'] }) }, () => {
  let file: string;
  let owner: User;
  before(() => {
    file = path.join(scratchFolder('host-key'), 'host.key');
    fs.writeFileSync(file, new Uint8Array(32).fill(7));
    owner = realUser();
  });

  const sized = (bytes: number): ReturnType<typeof readHostKey> => {
    fs.chmodSync(file, 0o600);
    fs.writeFileSync(file, randomBytes(bytes));
    return readHostKey(file, owner);
  };

  it('that a group may read is refused: the credential alone may look like that', () => {
    for (const mode of [0o640, 0o440]) {
      fs.chmodSync(file, mode);
      assert.throws(() => readHostKey(file, owner), /host\.key has mode 0[64]40, which lets others in/);
      assert.equal(readHostKey(file, owner, CREDENTIAL)?.key.length, 32);
    }
  });

  it('is followed by those before it, the newest first, each with its own id', () => {
    const keys = [7, 8, 9].map((byte) => new Uint8Array(32).fill(byte));
    fs.writeFileSync(file, Buffer.concat(keys));
    fs.chmodSync(file, 0o400);
    const found = readHostKey(file, owner);
    assert.deepEqual(
      [found, ...(found?.former ?? [])].map((each) => [each?.key, each?.id]),
      keys.map((key) => [key, hostKeyId(key)]),
    );
    fs.writeFileSync(file, keys[0] ?? '');
    assert.deepEqual(readHostKey(file, owner)?.former, []);
  });

  it('may have seven before it, and consists of whole keys', () => {
    assert.equal(sized(MAX_HOST_KEYS * 32)?.former.length, MAX_HOST_KEYS - 1);
    for (const bytes of [0, 1, 31, 33, 63, 65, 255]) {
      assert.throws(() => sized(bytes), { code: 'store_unavailable', message: /is no host key: it must be 32 bytes$/ });
    }
    assert.throws(() => sized(MAX_HOST_KEYS * 32 + 1), { code: 'store_unavailable', message: /is over 256 bytes/ });
    assert.throws(() => sized((MAX_HOST_KEYS + 1) * 32), { code: 'store_unavailable', message: /is over 256 bytes/ });
    sized(32);
  });

  it('that a group may write or everybody may read is refused as a credential too', () => {
    for (const mode of [0o660, 0o644, 0o604]) {
      fs.chmodSync(file, mode);
      assert.throws(() => readHostKey(file, owner, CREDENTIAL), /which lets others in/);
    }
  });
});

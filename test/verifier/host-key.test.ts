/** Reading the host key: it is its owner's alone, but for what systemd's credentials need. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { realUser, type User } from '../../src/system/users.ts';
import { readHostKey } from '../../src/verifier/state.ts';
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

  it('that a group may read is refused: the credential alone may look like that', () => {
    for (const mode of [0o640, 0o440]) {
      fs.chmodSync(file, mode);
      assert.throws(() => readHostKey(file, owner), /host\.key has mode 0[64]40, which lets others in/);
      assert.equal(readHostKey(file, owner, CREDENTIAL)?.key.length, 32);
    }
  });

  it('that a group may write or everybody may read is refused as a credential too', () => {
    for (const mode of [0o660, 0o644, 0o604]) {
      fs.chmodSync(file, mode);
      assert.throws(() => readHostKey(file, owner, CREDENTIAL), /which lets others in/);
    }
  });
});

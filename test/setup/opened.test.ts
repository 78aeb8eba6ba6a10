/** Where users keep their own state, the logs of those in the scope say whether a door has opened. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { printRecord } from '../../src/audit/record.ts';
import { hasOpened } from '../../src/setup/opened.ts';
import { EVERYBODY } from '../../src/setup/scope.ts';
import { readConfig } from '../../src/system/config.ts';
import { userByName, userByUid } from '../../src/system/users.ts';
import { addUser, lacks, must, scratchFolder, writeConfig } from '../support/world.ts';

describe('a login by a door since it was set up', { skip: lacks({ root: true, programs: ['useradd'] }) }, () => {
  it('is found in the own log of a user whom it is for: only the log of the caller was read', async () => {
    // A folder that the users of other tests do not have: their logins count for everybody, too.
    const config = readConfig(writeConfig(scratchFolder('opened'), { top: 'secrets = "%h/.notp-opened"', store: 'url = "user"' }));
    const [bob, carol] = [addUser(), addUser()].map(({ name }) => userByName(name) ?? assert.fail());
    assert.ok(bob && carol);
    const folder = path.join(bob.home, '.notp-opened');
    const log = path.join(folder, '.audit.log');
    const record = { event: 'login.accepted', result: 'accepted', context: 'ssh', door: 'gate', ref: 'a', uid: bob.uid } as const;
    const accept = (user: string): void => {
      fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
      fs.writeFileSync(log, printRecord({ ...record, user }, undefined, 5000));
      must(['chown', '-R', bob.name, folder]);
    };
    const opened = async (of: readonly string[], sinceMs = 4000, door: 'gate' | 'pam' = 'gate'): Promise<boolean> => {
      const users = [bob, carol].filter(({ name }) => of.includes(name)).map(({ name, uid }) => ({ name, uid, spellings: [name] }));
      return await hasOpened({ door, scope: of.length === 0 ? EVERYBODY : { users, groups: [] }, sinceMs }, config, userByUid(0));
    };
    assert.equal(await opened([]), false);
    accept(bob.name);
    assert.equal(await opened([]), true);
    assert.equal(await opened([bob.name]), true);
    assert.equal(await opened([carol.name]), false);
    assert.equal(await opened([bob.name], 6000), false);
    assert.equal(await opened([bob.name], 4000, 'pam'), false);
    accept(carol.name);
    assert.equal(await opened([]), false, 'the log of bob speaks for carol');
    must(['sh', '-c', `rm ${log}; mkfifo ${log}`]);
    assert.equal(await opened([bob.name]), false);
  });
});

/** A sealed file of a host key that was retired: nobody can open it, and whoever tries all the same is counted as anybody. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { describe, it } from 'node:test';
import { defaultConfig } from '../../src/system/config.ts';
import { factsOfFiles } from '../../src/enrolment/read-facts.ts';
import { renewRows } from '../../src/outage/renewing.ts';
import { openable } from '../../src/login/opening.ts';
import { lacks } from '../support/world.ts';
import { localWorld } from '../login/local-world.ts';

const TRIES = 150;

describe('a file of a retired host key', { skip: lacks({ programs: ['getent'] }) }, () => {
  it('had a line outside the chain for every try, and was called active', async () => {
    const world = localWorld('retired-key');
    const { file, ...secret } = await world.enrol();
    const [keyFile = ''] = world.place.hostKeyFiles;
    const present = randomBytes(32);
    const write = (key: Uint8Array): void => {
      fs.rmSync(keyFile);
      fs.writeFileSync(keyFile, key, { mode: 0o400 });
    };
    write(Buffer.concat([present, fs.readFileSync(keyFile)]));
    await renewRows(world.place, () => world.nowMs);
    assert.equal(await world.verify({ file, ...secret }, world.code(secret)), 'totp');
    write(present);
    for (let i = 0; i < TRIES; i++) assert.equal(await world.verify({ file, ...secret }, world.code(secret, 2)), 'bad_secret_file');
    const refusals = world.records().filter(({ event }) => event === 'login.refused');
    assert.ok(refusals.length <= TRIES - 40, String(refusals.length));
    for (const { seq, detail } of refusals) {
      assert.equal(typeof seq, 'number');
      assert.match(String(detail), /sealed by host key [0-9a-f]{16}, but this host has/);
    }
    const enrolment = await world.enrolment();
    assert.ok(enrolment !== undefined);
    await world.withState((state) => {
      const files = openable([{ context: 'ssh', found: { kind: 'sealed', file } }], state.hostKey);
      const [facts] = factsOfFiles(defaultConfig(), [enrolment], files, world.nowMs);
      assert.equal(facts?.state, 'bad');
      assert.match(facts.problem ?? '', /but this host has/);
      return Promise.resolve();
    });
  });
});

/** The same flood where PAM asks: with the key and one wrong code after the other, ten in each connection. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { codeLine, pamWorld, startPamSshd, wrongCode, type PamWorld } from '../doors/pam-world.ts';
import type { Ran } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { addUser, installNotp, lacks, must, type Enrolled, type TestUser } from '../support/world.ts';
import { LONG, report } from '../trials/trial.ts';
import { assertFewLines, BUDGET, Flood, judged, refusalsOf, told, type Recorded } from './flood.ts';

/** Some more than have a line each. */
const CONNECTIONS = LONG ? 1_000 : 11;
const TRIES = 10;
const SIDE = 4;

describe('a flood of wrong codes through PAM', { skip: lacks({ root: true, programs: ['sshd', 'ssh', 'oathtool'] }) }, () => {
  let world: PamWorld;
  let notp: string;
  let sshd: Sshd;
  let owner: TestUser;
  let enrolled: Enrolled;
  before(async () => {
    world = await pamWorld('flood-pam');
    notp = installNotp(world.folder);
    const stack = [codeLine(`${notp} pam --config ${world.config}`), 'auth required pam_permit.so'];
    sshd = await startPamSshd(world.folder, stack, 'publickey,keyboard-interactive:pam');
    owner = addUser();
    sshd.authorize(owner);
    enrolled = await world.enroll(owner);
  });
  /** Logs in with the key, and answers each question with `line`: SSH_ASKPASS in ssh(1). */
  const enter = async (line: string, tries: number): Promise<Ran> => {
    const file = path.join(world.folder, 'askpass');
    if (!fs.existsSync(file)) fs.writeFileSync(file, '#!/bin/sh\necho "$ANSWER"\n', { mode: 0o755 });
    return await sshd.ssh(owner, ['echo in'], {
      environment: { SSH_ASKPASS: file, SSH_ASKPASS_REQUIRE: 'force', ANSWER: line },
      sshOptions: ['-o', 'BatchMode=no', '-o', `NumberOfPasswordPrompts=${String(tries)}`],
      timeoutMs: 120_000,
    });
  };

  it('judges five, tells all of them in few lines, and lets the owner in meanwhile', async () => {
    const wrong = wrongCode(enrolled.secret);
    const size = fs.statSync(path.join(world.folder, 'var/state.db')).size;
    const flood = new Flood(CONNECTIONS, SIDE, async () => {
      const { code, stdout, stderr } = await enter(wrong, TRIES);
      assert.deepEqual([code, stdout], [255, ''], stderr);
      return stderr;
    });
    await flood.ownerEnters(enrolled.secret, async (line) => {
      const { stdout, stderr } = await enter(line, 1);
      assert.equal(stdout, 'in\n', stderr);
    });
    await flood.ended;
    // What is counted is told by the next record of this user.
    assert.equal((await world.pam(owner.name, enrolled.recovery[0] ?? '')).code, 0);
    const records: readonly Recorded[] = world.records().map((record) => ({ ...record }));
    const times = CONNECTIONS * TRIES;
    const accepted = records.filter(({ event, method }) => event === 'login.accepted' && method === 'step_up').length;
    report({ part: 'floods', tried: 'a wrong code through PAM after the right key', times, failed: judged(records, owner.name) - BUDGET });
    assert.ok(accepted > 0);
    assert.equal(judged(records, owner.name), BUDGET);
    assert.equal(told(records, owner.name), times);
    assert.ok(refusalsOf(records, owner.name).some(({ count }) => Number(count) > 1));
    assertFewLines(records, owner.name);
    must([notp, 'audit', 'verify', '--config', world.config]);
    assert.equal(fs.statSync(path.join(world.folder, 'var/state.db')).size, size);
  });
});

/** `notp-enroll --batch` goes on from each state that kill -9 and a full disk can leave behind. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { NODE_INSIDE } from '../../support/container.ts';
import { changing } from '../../support/row-macs.ts';
import { lacks } from '../../support/world.ts';
import { BATCH_NEEDS, bootBatch, readHandout, type BatchWorld } from './batch-world.ts';

describe('a batch that is run again', { skip: lacks(BATCH_NEEDS) }, () => {
  let world: BatchWorld;
  before(async () => {
    world = await bootBatch('batch-again', { service: false });
  });

  it('goes on from every step at which it could have been killed', async () => {
    const users = world.addUsers('step', 5);
    const words = ['--batch', world.list('steps.txt', users), '--out', '/root/steps'];
    assert.equal((await world.enroll(words)).code, 0);
    const complete = readHandout(world.outside('/root/steps/step1.txt'));
    await killedWhilePending(users.slice(0, 4));
    remove('/home/step0/.notp/ssh');
    remove('/home/step2/.notp/ssh', '/root/steps/step2.txt', '/root/steps/step2.png');
    remove('/home/step3/.notp/ssh', '/root/steps/step3.png');
    fs.writeFileSync(world.outside('/root/steps/.notp-handout-0123456789abcdef.tmp'), 'half a hand-out');
    const { code, stderr } = await world.enroll(words);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^Enrolled 3 of 5 for ssh and 2 by an earlier run/m);
    assert.equal(readHandout(world.outside('/root/steps/step1.txt')).id, complete.id, 'a file in its place is an enrolment that is done');
    assert.equal(fs.readdirSync(world.outside('/root/steps')).length, 10);
    assertWhole(users, '/root/steps');
  });

  it('ends when the hand-outs find no room, leaves nobody half enrolled, and goes on when there is some', async () => {
    const users = world.addUsers('room', 12);
    const words = ['--batch', world.list('room.txt', users), '--out', '/root/room'];
    await world.container.must(['sh', '-c', 'mkdir -m 0700 /root/room && mount -t tmpfs -o size=64k,mode=700 none /root/room']);
    const { code, stderr } = await world.enroll(words);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /notp: error: \/root\/room\/room\d+\.(txt|png): no space left on device \(ENOSPC\)/);
    assert.match(stderr, /notp: hint: run the same command again/);
    await world.container.must(['mount', '-o', 'remount,size=1m', '/root/room']);
    const again = await world.enroll(words);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /^Enrolled [1-9]\d* of 12 for ssh and [1-9]\d* by an earlier run/m);
    await world.container.must(['sh', '-c', 'cp -a /root/room /root/copy']);
    assertWhole(users, '/root/copy');
  });

  it('tells of a hand-out whose enrolment somebody has replaced since', async () => {
    const users = world.addUsers('later', 1);
    const words = ['--batch', world.list('later.txt', users), '--out', '/root/later'];
    assert.equal((await world.enroll(words)).code, 0);
    await world.container.must(['notp-enroll', 'later0', '--replace', '--json', '--no-confirm']);
    const { code, stderr } = await world.enroll(words);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /unchanged: 1 \(later0\)\n {2}\/root\/later\/later0\.txt belongs to another enrolment: destroy it\n/);
  });

  /** Puts the enrolments back to where they are before the last step of an enrolment. */
  async function killedWhilePending(users: readonly string[]): Promise<void> {
    const names = users.map((user) => `'${user}'`).join(', ');
    const sql = `UPDATE enrolment SET pending_id = id, pending_digest = digest, id = '', digest = '' WHERE user IN (${names})`;
    await world.container.must([NODE_INSIDE, '-e', changing('/var/lib/notp/state.db', sql)]);
  }

  function remove(...files: readonly string[]): void {
    for (const file of files) fs.rmSync(world.outside(file));
  }

  function assertWhole(users: readonly string[], folder: string): void {
    const enrolments = world.enrolments();
    for (const user of users) {
      const row = enrolments.get(user);
      const { id } = readHandout(world.outside(`${folder}/${user}.txt`));
      assert.deepEqual([row?.id, row?.pendingId, row?.status, world.sealedId(user)], [id, '', 'active', id]);
      assert.ok(fs.existsSync(world.outside(`${folder}/${user}.png`)));
    }
  }
});

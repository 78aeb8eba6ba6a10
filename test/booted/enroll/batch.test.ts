/** Many users are enrolled by a batch that is interrupted and killed again and again: none twice, none lost. Without sockets, which cost systemd more than the enrolments. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { run, sleep } from '../../support/process.ts';
import { lacks, oathCode } from '../../support/world.ts';
import { LONG } from '../../trials/trial.ts';
import { BATCH_NEEDS, bootBatch, readHandout, type BatchWorld } from './batch-world.ts';

const USERS = LONG ? 1000 : 300;
const ENDINGS = ['SIGINT', 'SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGHUP', 'SIGKILL'] as const;
const FOLDER = '/root/handouts';

describe(`a batch of ${String(USERS)} users`, { skip: lacks(BATCH_NEEDS) }, () => {
  let world: BatchWorld;
  let users: string[];
  let words: string[];
  before(async () => {
    world = await bootBatch('batch', { service: false });
    users = world.addUsers('user', USERS);
    words = ['--batch', world.list('users.txt', users), '--out', FOLDER];
  });

  it('is interrupted and killed at any moment, and done in the end', async () => {
    for (const [i, signal] of ENDINGS.entries()) {
      const { code, stderr } = await interrupted(i, signal);
      if (signal === 'SIGKILL') continue;
      assert.equal(code, 1, stderr);
      assert.match(stderr, /run the same command again: it continues where this one ended\n/);
      assert.match(stderr, new RegExp(`notp: error: interrupted after \\d+ of ${String(USERS)} users`));
    }
    assert.ok(handouts().length > 0 && handouts().length < USERS, 'it was never interrupted half way');
    const { code, stderr } = await world.enroll(words);
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      new RegExp(`^Enrolled \\d+ of ${String(USERS)} for ssh and \\d+ by an earlier run, hand-outs in /root/handouts$`, 'm'),
    );
  });

  it('leaves each user exactly one enrolment, with the sealed file and the hand-out of that one', () => {
    const enrolments = world.enrolments();
    assert.equal(enrolments.size, USERS);
    for (const user of users) {
      const { id, pendingId, status } = enrolments.get(user) ?? { id: '', pendingId: '', status: '' };
      const handout = readHandout(world.outside(`${FOLDER}/${user}.txt`));
      assert.deepEqual(
        { pendingId, status, sealed: world.sealedId(user), handed: handout.id },
        { pendingId: '', status: 'active', sealed: id, handed: id },
      );
    }
    assert.equal(fs.readdirSync(world.outside(FOLDER)).length, 2 * USERS, 'something unfinished stays there');
  });

  it('hands out secrets that log in, by key, by picture and by recovery code', async () => {
    for (const user of [users[0], users[149], users[USERS - 1]] as string[]) {
      const { key, uri, recovery } = readHandout(world.outside(`${FOLDER}/${user}.txt`));
      const picture = await run(['zbarimg', '-q', '--raw', world.outside(`${FOLDER}/${user}.png`)]);
      assert.equal(picture.stdout.trim(), uri);
      assert.equal(new URL(uri).searchParams.get('secret'), key);
      assert.equal(recovery.length, 10);
      for (const proof of [oathCode(key), recovery[7] ?? '']) {
        const { code, stdout } = await world.container.run(['notp', 'verify', '--user', user, '--code-stdin', '--json'], {
          input: `${proof}\n`,
        });
        assert.equal(code, 0, stdout);
      }
    }
  });

  it('writes hand-outs that only root can read, and a log that is whole', async () => {
    assert.equal(fs.statSync(world.outside(FOLDER)).mode & 0o7777, 0o700);
    for (const name of fs.readdirSync(world.outside(FOLDER)))
      assert.equal(fs.statSync(world.outside(`${FOLDER}/${name}`)).mode & 0o7777, 0o600);
    const { code, stdout } = await world.container.run(['notp', 'audit', 'verify']);
    assert.equal(code, 0, stdout);
  });

  it('has nothing to do when it is run once more', async () => {
    const earlier = fs.readFileSync(world.outside(`${FOLDER}/user7.txt`), 'utf8');
    const { code, stderr } = await world.enroll(words);
    assert.equal(code, 0);
    assert.match(stderr, new RegExp(`^Enrolled 0 of ${String(USERS)} for ssh and ${String(USERS)} by an earlier run`));
    assert.equal(fs.readFileSync(world.outside(`${FOLDER}/user7.txt`), 'utf8'), earlier);
  });

  function handouts(): string[] {
    const folder = world.outside(FOLDER);
    return fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.endsWith('.txt')) : [];
  }

  /** Runs the batch and ends it by `signal` after some more hand-outs, at another point of its work each time. */
  async function interrupted(round: number, signal: NodeJS.Signals): Promise<{ code: number | null; stderr: string }> {
    const enough = handouts().length + 20 + 7 * round;
    const ran = world.enroll(words);
    const over = new AbortController();
    void ran.finally(() => {
      over.abort();
    });
    while (handouts().length < enough && !over.signal.aborted) await sleep(5);
    await sleep(3 * round);
    await world.container.run(['sh', '-c', `kill -${signal.slice(3)} $(pgrep -f "^notp-enroll .*--batch")`]);
    const { code, stderr } = await ran;
    return { code, stderr };
  }
});

/** Following a log: each record is told once and in order, across every kind of rotation. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { endOf, follow } from '../../src/audit/follow.ts';
import type { ChainHead } from '../../src/store/store.ts';
import { run, sleep } from '../support/process.ts';
import { lacks, scratchFolder, SBIN_PATH } from '../support/world.ts';
import { NO_HEAD, writeLongLog } from './long-log.ts';

describe('following a log', () => {
  let folder: string;
  let log: string;
  let head: ChainHead;
  let interrupt: AbortController;
  let told: number[];
  let following: Promise<void>;

  beforeEach(() => {
    folder = scratchFolder('audit-follow');
    fs.chmodSync(folder, 0o700);
    log = path.join(folder, 'audit.log');
    head = NO_HEAD;
    interrupt = new AbortController();
    told = [];
  });
  afterEach(async () => {
    interrupt.abort();
    await following;
  });

  const write = (records: number): void => {
    head = writeLongLog({ file: log, records, startMs: 0, everyMs: 1, head });
  };
  const start = async (): Promise<void> => {
    const place = await endOf(log);
    following = (async () => {
      for await (const line of follow(log, place, interrupt.signal)) told.push((JSON.parse(line) as { seq: number }).seq);
    })();
  };
  /** Waits until the last record was told, and then that nothing else is. */
  const untilTold = async (first: number): Promise<void> => {
    for (const deadline = Date.now() + 15_000; told.at(-1) !== head.seq && Date.now() < deadline;) await sleep(20);
    await sleep(250);
    assert.deepEqual(
      told,
      Array.from({ length: head.seq - first + 1 }, (_, i) => first + i),
    );
  };

  it('tells what comes, and nothing that was there before', async () => {
    write(3);
    await start();
    write(2);
    await untilTold(4);
    write(1);
    await untilTold(4);
  });

  it('waits for a log that is not there yet, and for one that is empty after its rotation', async () => {
    await start();
    await sleep(100);
    write(2);
    await untilTold(1);
    interrupt.abort();
    await following;
    [interrupt, told] = [new AbortController(), []];
    fs.renameSync(log, `${log}.1`);
    fs.writeFileSync(log, '');
    await start();
    write(2);
    await untilTold(3);
  });

  it('tells a line when it is whole', async () => {
    write(1);
    await start();
    const before = fs.readFileSync(log);
    write(1);
    const line = fs.readFileSync(log).subarray(before.length);
    await untilTold(2);
    fs.appendFileSync(log, line.subarray(0, 50));
    await sleep(300);
    assert.deepEqual(told, [2]);
    fs.appendFileSync(log, line.subarray(50));
    await sleep(300);
    assert.deepEqual(told, [2, 2]);
  });

  it('goes on where the file was renamed with records that were not read yet, once or twice at a time', async () => {
    write(2);
    await start();
    await sleep(100);
    write(2);
    fs.renameSync(log, `${log}.1`);
    write(2);
    await untilTold(3);
    write(2);
    fs.renameSync(`${log}.1`, `${log}.2`);
    fs.renameSync(log, `${log}.1`);
    write(2);
    fs.renameSync(`${log}.2`, `${log}.3`);
    fs.renameSync(`${log}.1`, `${log}.2`);
    fs.renameSync(log, `${log}.1`);
    write(2);
    await untilTold(3);
  });

  it('goes on where the file was copied and cut to nothing, and has grown again beyond where it was read', async () => {
    write(2);
    await start();
    await sleep(100);
    write(2);
    fs.copyFileSync(log, `${log}.1`);
    fs.truncateSync(log);
    write(30);
    await untilTold(3);
  });

  for (const [name, directives] of [
    ['create', 'create 0600'],
    ['create and compress', 'create 0600\ncompress'],
    ['nocreate and dateext', 'nocreate\ndateext\ndateformat -%Y%m%d%s'],
    ['copytruncate', 'copytruncate'],
    ['copytruncate and compress', 'copytruncate\ncompress'],
  ] as const) {
    it(`loses nothing and doubles nothing when logrotate rotates with ${name}`, { skip: lacks({ programs: ['logrotate'] }) }, async () => {
      const rule = path.join(folder, 'rule');
      fs.writeFileSync(rule, `${log} {\nrotate 9\n${directives}\n}\n`, { mode: 0o644 });
      write(5);
      await start();
      for (let i = 0; i < 2; i++) {
        write(3);
        const { code, stderr } = await run(['logrotate', '--force', '--state', path.join(folder, 'state'), rule], {
          environment: { PATH: SBIN_PATH },
        });
        assert.equal(code, 0, stderr);
        write(3);
        await untilTold(6);
        // The names with dates differ by the second.
        if (directives.includes('dateext')) await sleep(1000);
      }
    });
  }
});

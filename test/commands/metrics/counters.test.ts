/** Counting the log: each record once, whatever rotates the log and whenever a run ends. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { printRecord, type AuditRecord } from '../../../src/audit/record.ts';
import {
  changesIn,
  countNew,
  decisionsIn,
  NOTHING_COUNTED,
  parseCounters,
  printCounters,
  type Counters,
} from '../../../src/commands/metrics/counters.ts';
import type { ChainHead } from '../../../src/store/store.ts';
import { NO_HEAD, writeLongLog } from '../../audit/long-log.ts';
import { run } from '../../support/process.ts';
import { lacks, scratchFolder, SBIN_PATH } from '../../support/world.ts';

const REFUSED: AuditRecord = {
  ...{ user: 'alice', context: 'ssh', door: 'gate', event: 'login.refused', result: 'refused', reason: 'wrong_code', ref: '01234567' },
};

const totals = ({ counts }: Counters): number => [...counts.values()].reduce((sum, each) => sum + each, 0);
const line = (record: object): string => `${JSON.stringify({ time: '2026-01-01T00:00:00Z', user: 'a', ...record })}\n`;

describe('the counters', () => {
  let log: string;
  let head: ChainHead;
  let counters: Counters;

  beforeEach(() => {
    const folder = scratchFolder('counters');
    fs.chmodSync(folder, 0o700);
    log = path.join(folder, 'audit.log');
    [head, counters] = [NO_HEAD, NOTHING_COUNTED];
  });

  /** Of these four fifths are accepted. */
  const write = (records: number): void => {
    head = writeLongLog({ file: log, records, startMs: head.seq * 10, everyMs: 1, head });
  };
  /** Kept and read again, as by the next run. */
  const count = async (): Promise<Counters> => {
    const next = parseCounters(printCounters(await countNew(log, counters)));
    for (const [kind, number] of counters.counts) assert.ok((next.counts.get(kind) ?? 0) >= number, kind);
    return next;
  };

  it('count what is there, and then what came', async () => {
    write(100);
    counters = await count();
    assert.equal(totals(counters), 100);
    const refused = decisionsIn(counters).filter(({ result, count: number }) => result === 'refused' && number > 0);
    assert.deepEqual(
      Object.groupBy(refused, ({ why }) => why)['wrong_code']?.reduce((sum, each) => sum + each.count, 0),
      10,
    );
    counters = await count();
    assert.equal(totals(counters), 100);
    write(7);
    counters = await count();
    assert.equal(totals(counters), 107);
  });

  it('count nothing twice where a run ends before it has kept them', async () => {
    write(10);
    await count();
    await count();
    counters = await count();
    assert.equal(totals(counters), 10);
  });

  for (const [name, options] of Object.entries({
    'rename and create': 'create 0600',
    'rename and compress': 'create 0600\ncompress',
    copytruncate: 'copytruncate',
    'dates as names': 'create 0600\ndateext\ndateformat -%Y%m%d%s',
  })) {
    it(`go on across logrotate with ${name}, each record once`, { skip: lacks({ programs: ['logrotate'] }) }, async () => {
      write(20);
      counters = await count();
      // Names by the second would meet.
      for (let round = 1; round <= (options.includes('dateext') ? 1 : 3); round++) {
        write(5);
        const config = path.join(path.dirname(log), 'logrotate.conf');
        fs.writeFileSync(config, `${log} {\nrotate 9\nsize 1\n${options}\n}\n`, { mode: 0o600 });
        const { code, stderr } = await run(['logrotate', '--force', '--state', `${config}.state`, config], {
          environment: { PATH: SBIN_PATH },
        });
        assert.equal(code, 0, stderr);
        write(3);
        counters = await count();
        assert.equal(totals(counters), 20 + 8 * round);
      }
    });
  }

  it('wait for a line that is not whole yet', async () => {
    write(3);
    const whole = fs.readFileSync(log);
    fs.writeFileSync(log, whole.subarray(0, -10));
    counters = await count();
    assert.equal(totals(counters), 2);
    fs.writeFileSync(log, whole);
    counters = await count();
    assert.equal(totals(counters), 3);
  });

  it('do not count again what was counted where the last line was cut off', async () => {
    write(10);
    counters = await count();
    const lines = fs.readFileSync(log, 'utf8').split('\n');
    fs.writeFileSync(log, `${lines.slice(0, 9).join('\n')}\n`);
    counters = await count();
    assert.equal(totals(counters), 10);
    write(1);
    counters = await count();
    assert.equal(totals(counters), 11);
  });

  it('count a sum as the logins that it stands for, and records outside the chain', async () => {
    fs.writeFileSync(log, printRecord({ ...REFUSED, count: 40 }, { seq: 1, prev: NO_HEAD.hash }, 1) + printRecord(REFUSED, undefined, 2));
    counters = await count();
    assert.deepEqual(
      decisionsIn(counters).filter((each) => each.count > 0),
      [{ door: 'gate', result: 'refused', why: 'wrong_code', count: 41 }],
    );
  });

  it('make no kinds of what somebody else wrote', async () => {
    for (let i = 0; i < 1000; i++) {
      const word = `w${String(i)}"} 1\n`;
      fs.appendFileSync(log, line({ event: word }) + line({ event: 'login.refused', door: word, reason: word }));
    }
    fs.appendFileSync(log, 'no record\n{}\n');
    counters = await count();
    assert.deepEqual(
      [...counters.counts],
      [
        ['change other', 1000],
        ['refused other other', 1000],
      ],
    );
  });

  it('have every kind from the beginning', () => {
    assert.ok(decisionsIn(NOTHING_COUNTED).some(({ door, why }) => door === 'pam' && why === 'replayed'));
    assert.ok(changesIn(NOTHING_COUNTED).some(({ event }) => event === 'outage.conflict'));
    assert.ok(changesIn(NOTHING_COUNTED).every(({ event, count: number }) => !event.startsWith('login.') && number === 0));
  });

  it('are refused where their file is malformed', () => {
    const bytes = printCounters({ ...NOTHING_COUNTED, counts: new Map([['change enroll', 1]]) });
    const text = Buffer.from(bytes).toString();
    for (const wrong of ['', '{}', text.replace('metrics/1', 'metrics/2'), text.replace('change enroll', 'x'), text.replace('1\n', '-1\n')])
      assert.throws(() => parseCounters(Buffer.from(wrong)), { code: 'bad_secret_file' }, wrong);
    const many = new Map(Array.from({ length: 501 }, (_, i): [string, number] => [`change e${String(i)}`, 1]));
    assert.throws(() => parseCounters(printCounters({ ...NOTHING_COUNTED, counts: many })), { code: 'bad_secret_file' });
  });
});

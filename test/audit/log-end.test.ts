/** The end of a log is found behind whatever was written outside the chain, in constant memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { endOf, LAST_BYTES } from '../../src/audit/log-end.ts';
import { printRecord, type AuditRecord } from '../../src/audit/record.ts';
import { ROOT } from '../support/process.ts';
import { scratchFolder } from '../support/world.ts';
import { NO_HEAD, nthRecord, writeLongLog } from './long-log.ts';

const RECORDS = 30;
const MIB = 1024 * 1024;
/** What a user may send of themselves, which looks like a link and is none. */
const REFUSAL: AuditRecord = { ...nthRecord(5), detail: '"seq":31,"prev":"', tty: 'x'.repeat(256) };

function unlinked(bytes: number): string {
  const line = printRecord(REFUSAL, undefined, 0);
  return line.repeat(Math.ceil(bytes / line.length));
}

describe('the end of a log', () => {
  const log = path.join(scratchFolder('log-end'), 'audit.log');

  before(() => {
    writeLongLog({ file: log, records: RECORDS, startMs: 0, everyMs: 1000, head: NO_HEAD });
  });

  const last = (): number | undefined => endOf(log, LAST_BYTES).at(-1)?.seq;

  it('is its last record', () => {
    assert.equal(last(), RECORDS);
  });

  it('is found behind refusals outside the chain, wherever the last record stands in a block', () => {
    const whole = fs.readFileSync(log);
    for (const behind of [1, LAST_BYTES, MIB - 300, MIB, MIB + 300, 2 * MIB + 1, 3 * MIB]) {
      fs.writeFileSync(log, Buffer.concat([whole, Buffer.from(unlinked(behind))]));
      assert.equal(last(), RECORDS, String(behind));
    }
    fs.writeFileSync(log, whole);
  });

  it('is found in a file that was put aside, and nowhere in one that has no record', () => {
    fs.renameSync(log, `${log}.1`);
    fs.writeFileSync(log, unlinked(2 * MIB));
    assert.equal(last(), RECORDS);
    fs.rmSync(`${log}.1`);
    assert.equal(last(), undefined);
  });

  it('takes no more memory behind 100 MB than behind 10: a service was killed for it, and kept everybody out', () => {
    const script = `const { endOf, LAST_BYTES } = await import(${JSON.stringify(path.join(ROOT, 'src/audit/log-end.ts'))});
      endOf(${JSON.stringify(log)}, LAST_BYTES); console.log(process.resourceUsage().maxRSS);`;
    const kibBehind = (bytes: number): number => {
      fs.writeFileSync(log, unlinked(bytes));
      return Number(execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' }));
    };
    const [ten, hundred] = [kibBehind(10 * MIB), kibBehind(100 * MIB)];
    assert.ok(hundred - ten < 40 * 1024, `${String(ten)} and ${String(hundred)} KiB`);
  });
});

/** A log of a million records: it is verified whole and filtered in constant memory, at a price in processor time that other programs do not change. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { pipeline } from 'node:stream/promises';
import { verifyLog } from '../../src/audit/verify.ts';
import type { ChainHead } from '../../src/store/store.ts';
import { ROOT, run } from '../support/process.ts';
import { scratchFolder } from '../support/world.ts';
import { writeLongLog } from './long-log.ts';

const RECORDS = 1_000_000;
const KEY = new Uint8Array(32).fill(7);
const START_MS = Date.UTC(2026, 0, 1);
const MAX_MEMORY_KB = 250_000;
/** Megabytes for each second of processor time, which a busy machine does not lengthen as it does the clock's. */
const MIN_SPEED = 50;

describe('a log of a million records', () => {
  const folder = scratchFolder('audit-million');
  const log = path.join(folder, 'audit.log');
  let head: ChainHead;
  let megabytes: number;
  before(() => {
    head = writeLongLog({ file: log, records: RECORDS, startMs: START_MS, everyMs: 10_000, key: KEY });
    megabytes = fs.statSync(log).size / 1e6;
  });

  it('is verified along the whole chain, more than 50 MB in each second of processor time', async (test) => {
    const start = cpuSeconds();
    const { problems, records } = await verifyLog(log, { known: head, keys: [KEY] });
    const verifying = cpuSeconds() - start;
    assert.deepEqual([problems, records], [[], RECORDS]);
    await pipeline(fs.createReadStream(log, { highWaterMark: 1024 * 1024 }), createHash('sha256'));
    const plain = cpuSeconds() - start - verifying;
    const speed = megabytes / verifying;
    const told = `${megabytes.toFixed(0)} MB at ${speed.toFixed(0)} MB for each second of processor time`;
    test.diagnostic(`${told}; plain SHA-256 of the same bytes: ${(megabytes / plain).toFixed(0)} MB`);
    assert.ok(speed > MIN_SPEED, told);
  });

  it('is filtered, and was verified, in a memory that does not grow with it', async () => {
    const script = `
      const [log, user] = process.argv.slice(1);
      const { recordsIn } = await import('${ROOT}/src/audit/filter.ts');
      let found = 0;
      for await (const _ of recordsIn(log, { user, reason: 'wrong_code', sinceMs: ${String(START_MS)} })) found++;
      console.log(JSON.stringify({ found, memory: process.resourceUsage().maxRSS }));`;
    const { stdout, stderr } = await run([process.execPath, '--input-type=module', '-e', script, log, 'user10']);
    const { found, memory } = JSON.parse(stdout === '' ? stderr : stdout) as { found: number; memory: number };
    assert.equal(found, RECORDS / 50);
    assert.ok(memory < MAX_MEMORY_KB, `${String(memory)} KB`);
    assert.ok(process.resourceUsage().maxRSS < 2 * MAX_MEMORY_KB);
  });
});

/** What this process has taken so far. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

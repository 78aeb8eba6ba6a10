/** A process that records one thing after the other, and prints the reference of each that was committed: what backlog.test.ts starts many of. */
import * as fs from 'node:fs';
import { append, newRef, type AuditLog } from '../../src/audit/audit.ts';
import { logFile } from '../../src/audit/log-file.ts';
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts';

/** Where it ends itself, if it does: with its line in the file, or a part of it, and nothing committed. */
type End = 'never' | 'behind its line' | 'in its line';

const [database, file, times, end] = process.argv.slice(2) as [string, string, string, End];
const log: AuditLog = { file: logFile(file), copies: [], key: new Uint8Array(32).fill(7), now: Date.now };
const store = openSqliteStore(database, { create: false });
for (let i = 1; i <= Number(times); i++) {
  const ref = newRef();
  await store.exclusively(async (transaction) => {
    const isLast = i === Number(times);
    if (isLast && end === 'in its line') dieWithin();
    await append(log, transaction, { user: 'alice', context: 'ssh', door: 'cli', event: 'enroll', result: 'done', ref });
    if (isLast && end === 'behind its line') die();
  });
  fs.writeSync(1, `${ref}\n`);
}

function dieWithin(): void {
  try {
    fs.appendFileSync(file, '{"time":"2026-11-29T08:32:28.000Z","event":"lo');
  } catch {
    // It is limited.
  }
  die();
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

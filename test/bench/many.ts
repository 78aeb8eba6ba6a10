/** One decision among few and among many enrolments; and the log. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { append } from '../../src/audit/audit.ts';
import { logFile } from '../../src/audit/log-file.ts';
import { auditKey } from '../../src/seal/keys.ts';
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts';
import { NO_HEAD, nthRecord, writeLongLog } from '../audit/long-log.ts';
import { scratchFolder } from '../support/world.ts';
import { pamVariables } from './alone.ts';
import type { Host } from './host.ts';
import { cpu, inTurn, medianOf, quartiles, ratioOf, short, timed, wall, type Chapter, type Ran } from './measure.ts';

const SIZES = [10, 10_000, 1_000_000];

export async function enrolments(boot: () => Promise<Host>, rounds: number): Promise<Chapter> {
  const host = await boot();
  const cases = [];
  for (const size of SIZES) {
    const config = await host.another(`of-${String(size)}`, (database) => Promise.resolve(fill(database, size)));
    const command = ['run', '/usr/bin/notp', 'pam', '--config', config];
    const options = { environment: pamVariables(host.alice.name), apart: true };
    cases.push({ name: nameOf(size), once: async () => await host.client<Ran>(command, { ...options, input: host.code(config) }) });
  }
  const [few = '', , many = ''] = SIZES.map(nameOf);
  const measured = await inTurn(cases, rounds);
  return {
    title: 'One decision among many enrolments',
    text: `\`notp pam\`, which decides itself, with a right code, in milliseconds, ${String(rounds)} of each in turn, with so many users in the state.`,
    columns: ['enrolments', 'median', 'quartiles', `to ${few}`],
    rows: [...measured.keys()].map((name) => [
      ...[name, short(medianOf(measured, name, wall)), quartiles(measured, name, wall)],
      ratioOf(measured, [name, few], wall).toFixed(2),
    ]),
    targets: [
      { what: `a decision with ${many} enrolments to one with ${few}`, most: 1.05, measured: ratioOf(measured, [many, few], wall) },
    ],
  };
}

function nameOf(size: number): string {
  return size.toLocaleString('en');
}

/** Adds users with copies of the only row, which nobody will ask for. */
function fill(file: string, size: number): void {
  const database = new DatabaseSync(file);
  const others: Readonly<Record<string, string>> = { user: "printf('other%07d', i)", id: "printf('%032x', i)", uid: '100000 + i' };
  const columns = database
    .prepare("SELECT name FROM pragma_table_info('enrolment')")
    .all()
    .map(({ name }) => String(name));
  const values = columns.map((name) => others[name] ?? name).join(', ');
  const numbers = `WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < ${String(size - 1)})`;
  database.exec(`${numbers} INSERT INTO enrolment (${columns.join(', ')}) SELECT ${values} FROM enrolment, number`);
  database.close();
}

const APPENDS = 50;
const KEY = new Uint8Array(32).fill(7);

export async function appending(_: unknown, rounds: number): Promise<Chapter> {
  const folder = scratchFolder('bench-log');
  const audit = { file: logFile(path.join(folder, 'appended.log')), copies: [], key: KEY, now: Date.now };
  const store = openSqliteStore(path.join(folder, 'state.db'), { create: true });
  const plain = fs.openSync(path.join(folder, 'plain'), 'a');
  const line = Buffer.alloc(400, 'x');
  const base = 'write and fsync';
  const writing = async (): Promise<void> =>
    await times(() => {
      fs.writeSync(plain, line);
      fs.fsyncSync(plain);
    });
  const recording = async (): Promise<void> =>
    await store.exclusively(async (transaction) => await times(async (i) => await append(audit, transaction, nthRecord(i))));
  const committing = async (): Promise<void> =>
    await times(async (i) => await store.exclusively(async (transaction) => await append(audit, transaction, nthRecord(i))));
  const cases = Object.entries({ [base]: writing, 'append a record': recording, 'append a record, and commit': committing });
  const appended = await inTurn(
    cases.map(([name, once]) => ({ name, once: async () => ({ wall: (await timed(once)) / APPENDS }) })),
    rounds,
  );
  store.close();
  return {
    title: 'Appending to the log',
    text: `In milliseconds a record, ${String(rounds)} times ${String(APPENDS)} of each in turn, on the disk of the temporary folder.`,
    columns: ['append', 'median', 'quartiles', `to ${base}`],
    rows: [...appended.keys()].map((name) => [
      ...[name, short(medianOf(appended, name, wall)), quartiles(appended, name, wall)],
      ratioOf(appended, [name, base], wall).toFixed(2),
    ]),
  };
}

const [RECORDS, EVERY_MS] = [1_000_000, 10_000];
const [SINCE, GREP, VERIFY, SUM] = ['notp audit --since 1h', 'grep for a word', 'notp audit verify', 'sha256sum'];

export async function reading(boot: () => Promise<Host>, rounds: number): Promise<Chapter> {
  const host = await boot();
  const inside = '/srv/long/log/audit.log';
  const log = path.join(host.container.root, inside);
  const config = await host.another('long', async (database, hostKey) => {
    fs.truncateSync(log);
    const long = { file: log, records: RECORDS, startMs: Date.now() - RECORDS * EVERY_MS, everyMs: EVERY_MS, key: auditKey(hostKey) };
    writeLongLog(long);
    // As if the store were new beside this log.
    const store = openSqliteStore(database, { create: false });
    await store.exclusively(async (transaction) => await transaction.moveHead(NO_HEAD));
    store.close();
  });
  await host.container.must(['notp', 'audit', 'verify', '--resume', '--config', config], { timeoutMs: 600_000 });
  const commands: Readonly<Record<string, readonly string[]>> = {
    [SINCE]: ['notp', 'audit', '--since', '1h', '--config', config],
    // With its output in /dev/null, grep would end at the first match.
    [GREP]: ['sh', '-c', `grep user10 ${inside} | cat`],
    [VERIFY]: ['notp', 'audit', 'verify', '--config', config],
    [SUM]: ['sha256sum', inside],
  };
  const cases = Object.entries(commands).map(([name, words]) => ({ name, once: async () => await host.client<Ran>(['run', ...words]) }));
  const read = await inTurn(cases, Math.min(rounds, 3));
  return {
    title: 'Reading the log',
    text: `Processor time in milliseconds, as shipped, of a log of ${RECORDS.toLocaleString('en')} records (${short(fs.statSync(log).size / 1e6)} MB) in memory.`,
    columns: ['command', 'CPU ms'],
    rows: [...read.keys()].map((name) => [name, short(medianOf(read, name, cpu))]),
    targets: [
      { what: `${SINCE} to ${GREP}, CPU`, most: 3, measured: ratioOf(read, [SINCE, GREP], cpu) },
      {
        what: `${VERIFY} to ${SUM}, CPU`,
        most: 6,
        measured: ratioOf(read, [VERIFY, SUM], cpu),
        why: 'each record is parsed, and hashed with a key, by a program without a JIT compiler',
      },
    ],
  };
}

/** Does it APPENDS times. */
async function times(work: (i: number) => void | Promise<void>): Promise<void> {
  for (let i = 0; i < APPENDS; i++) await work(i);
}

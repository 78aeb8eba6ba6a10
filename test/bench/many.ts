/** One decision among few and among many enrolments; and the log. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { append } from '../../src/audit/audit.ts';
import { logFile } from '../../src/audit/log-file.ts';
import { verifyLog } from '../../src/audit/verify.ts';
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts';
import { nthRecord, writeLongLog } from '../audit/long-log.ts';
import { scratchFolder } from '../support/world.ts';
import { medianOf, sideBySide, timeRows, type Chapter } from './measure.ts';
import { asPam, type Place } from './place.ts';

const SIZES = [10, 10_000, 100_000];
const IN_ONE_TRANSACTION = 5_000;

export async function enrolments(place: Place, rounds: number): Promise<Chapter> {
  const cases = [];
  for (const size of SIZES) {
    const config = await place.another(`of-${String(size)}`, async (database) => await fill(database, size, place));
    cases.push({ name: nameOf(size), once: async () => await asPam(place, config, place.code(config)) });
  }
  const [few = 0, , many = 0] = SIZES;
  const measured = await sideBySide(cases, rounds);
  return {
    title: 'One decision among many enrolments',
    text: `\`notp pam\` with a right code, in milliseconds, ${String(rounds)} of each in turn, with so many users in the state.`,
    columns: ['enrolments', 'median', 'quartiles', `to ${nameOf(few)}`],
    rows: timeRows(measured, nameOf(few)),
    targets: [
      {
        what: `a decision with ${nameOf(many)} to one with ${nameOf(few)}`,
        most: 1.1,
        measured: medianOf(measured, nameOf(many)) / medianOf(measured, nameOf(few)),
      },
    ],
  };
}

function nameOf(size: number): string {
  return size.toLocaleString('en');
}

async function fill(database: string, size: number, { service }: Place): Promise<void> {
  const store = openSqliteStore(database, { create: true });
  const state = { lastStep: 0, bucket: { tokens: 5, asOfMs: 0 }, spent: '0000000000' };
  for (let from = 0; from < size; from += IN_ONE_TRANSACTION) {
    await store.exclusively(async (transaction) => {
      for (let i = from; i < Math.min(size, from + IN_ONE_TRANSACTION); i++) {
        const id = i.toString(16).padStart(32, '0');
        const rest = {
          status: 'active',
          state,
          digest: id + id,
          pendingId: '',
          pendingDigest: '',
          pendingState: {},
          lastAcceptedMs: 0,
          uid: 100_000 + i,
        } as const;
        await transaction.insert({ user: `user${String(i)}`, context: 'ssh', id, ...rest });
      }
    });
  }
  store.close();
  for (const file of fs.readdirSync(path.dirname(database)).map((name) => path.join(path.dirname(database), name))) {
    fs.chownSync(file, service.uid, service.gid);
    fs.chmodSync(file, 0o600);
  }
}

const APPENDS = 50;
const RECORDS = 300_000;
const KEY = new Uint8Array(32).fill(7);

export async function log(rounds: number): Promise<Chapter> {
  const folder = scratchFolder('bench-log');
  const audit = { file: logFile(path.join(folder, 'appended.log')), copies: [], key: KEY, now: Date.now };
  const store = openSqliteStore(path.join(folder, 'state.db'), { create: true });
  const plain = fs.openSync(path.join(folder, 'plain'), 'a');
  const line = Buffer.alloc(400, 'x');
  const names = ['write and fsync', 'append a record', 'append a record, and commit'] as const;
  const appended = await sideBySide(
    [
      {
        name: names[0],
        once: async () =>
          await times(() => {
            fs.writeSync(plain, line);
            fs.fsyncSync(plain);
          }),
      },
      {
        name: names[1],
        once: async () =>
          await store.exclusively(async (transaction) => await times(async (i) => await append(audit, transaction, nthRecord(i)))),
      },
      {
        name: names[2],
        once: async () =>
          await times(async (i) => await store.exclusively(async (transaction) => await append(audit, transaction, nthRecord(i)))),
      },
    ],
    rounds,
  );
  const each = appended.map(({ name, median, quartiles: [low, high] }) => ({
    name,
    median: median / APPENDS,
    quartiles: [low / APPENDS, high / APPENDS] as const,
  }));
  const verified = await verifying(path.join(folder, 'long.log'));
  return {
    title: 'The log',
    text: `Appending, in milliseconds a record, and verifying the whole chain of ${RECORDS.toLocaleString('en')} records (${verified.megabytes.toFixed(0)} MB): ${verified.speed} MB/s, where reading and hashing the same bytes once, plainly, is ${verified.plain} MB/s. Both by the processor time of one core.`,
    columns: ['append', 'median', 'quartiles', `to ${names[0]}`],
    rows: timeRows(each, names[0]),
  };
}

/** Does it APPENDS times. */
async function times(work: (i: number) => void | Promise<void>): Promise<void> {
  for (let i = 0; i < APPENDS; i++) await work(i);
}

async function verifying(file: string): Promise<{ megabytes: number; speed: string; plain: string }> {
  const known = writeLongLog({ file, records: RECORDS, startMs: 0, everyMs: 1000, key: KEY });
  const megabytes = fs.statSync(file).size / 1e6;
  const speedOf = async (work: () => Promise<unknown>): Promise<string> => {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    return (megabytes / ((user + system) / 1e6)).toFixed(0);
  };
  const speed = await speedOf(async () => {
    const { problems } = await verifyLog(file, { known, keys: [KEY] });
    if (problems.length > 0) throw new Error('the long log does not verify');
  });
  const plain = await speedOf(async () => await pipeline(fs.createReadStream(file, { highWaterMark: 1024 * 1024 }), createHash('sha256')));
  return { megabytes, speed, plain };
}

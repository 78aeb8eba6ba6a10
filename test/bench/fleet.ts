/**
 * `npm run bench:fleet`: what a login costs a fleet at its PostgreSQL, beside what one UPDATE that commits costs there, in one run.
 * usage: fleet.ts [--clients 1,4,16,64] [--enrolments 10,1000,100000,1000000] [--seconds 1] [--write]
 * `--write` puts the tables into GROWING.md. Needs root, PostgreSQL and python3, and takes about three minutes.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { migratePostgresStore } from '../../src/store/postgres/postgres.ts';
import { placeOf } from '../store/engines.ts';
import { markdownTable, withTable } from '../support/markdown.ts';
import { lacksPostgres, ROLE, startPostgres } from '../support/postgres.ts';
import { ROOT } from '../support/process.ts';
import type { Clients } from './fleet-client.ts';
import { delayed, measured, type Measured } from './fleet-measure.ts';

const { values: options } = parseArgs({
  options: {
    clients: { type: 'string', default: '1,4,16,64' },
    enrolments: { type: 'string', default: '10,1000,100000,1000000' },
    seconds: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
  },
});
const CLIENTS = options.clients.split(',').map(Number);
const ENROLMENTS = options.enrolments.split(',').map(Number);
/** Where the number of enrolments, or of clients, is not what is measured. */
const [SOME_ENROLMENTS, SOME_CLIENTS] = [1_000, 4];
/** More than these, and the program that delays would be what is measured. */
const MOST_DELAYED = 16;
const COMMIT_MS = 5;
const ROUND_TRIPS_MS = [0.5, 5];
const COLUMNS = ['UPDATE/s', 'ms', 'decisions/s', 'ms', 'with log/s', 'ms', 'server CPU', 'throughput', 'with log', 'latency'];
const WORKS = ['update', 'decision', 'decision with log'] as const;

/** What stands between the clients and the disk of the server. */
interface Way {
  readonly name: string;
  readonly port: number;
  readonly commitMs: number;
  readonly clients: readonly number[];
}

const missing = lacksPostgres();
if (missing !== false) throw new Error(`npm run bench:fleet ${missing}`);
const server = await startPostgres('bench', ['commit_siblings = 0']);
const proxies = await Promise.all(ROUND_TRIPS_MS.map(async (ms) => await delayed(server.port, ms)));
try {
  const told = await measuredAll();
  process.stdout.write(`${told}\n`);
  const page = path.join(ROOT, 'GROWING.md');
  if (options.write) fs.writeFileSync(page, withTable(fs.readFileSync(page, 'utf8'), 'npm run bench:fleet', told));
} finally {
  for (const { stop } of proxies) stop();
  await server.stop();
}

async function measuredAll(): Promise<string> {
  const databases = new Map(await Promise.all([...new Set([SOME_ENROLMENTS, ...ENROLMENTS])].map(filled)));
  const here: Way = { name: 'as it is', port: server.port, commitMs: 0, clients: CLIENTS };
  const near = CLIENTS.filter((clients) => clients <= MOST_DELAYED);
  const ways: Way[] = [
    here,
    { ...here, name: `a commit takes ${String(COMMIT_MS)} ms more`, commitMs: COMMIT_MS },
    ...ROUND_TRIPS_MS.map((ms, i) => ({
      ...here,
      name: `a round trip takes ${String(ms)} ms more`,
      port: proxies[i]?.port ?? 0,
      clients: near,
    })),
  ];
  const byClients: string[][] = [];
  for (const way of ways)
    for (const clients of way.clients)
      byClients.push([way.name, String(clients), ...(await cells(way, clients, databases.get(SOME_ENROLMENTS) ?? '', SOME_ENROLMENTS))]);
  const byEnrolments: string[][] = [];
  for (const [size, database] of databases)
    byEnrolments.push([size.toLocaleString('en'), sizeOf(database, size), ...(await cells(here, SOME_CLIENTS, database, size))]);
  return [
    `On ${String(os.cpus().length)} cores (${os.cpus()[0]?.model ?? 'unknown'}), which the server and all clients share; PostgreSQL ${server.sql('SHOW server_version').split(' ')[0] ?? ''}, Node.js ${process.versions.node}, TLS, ${options.seconds} s for each figure.`,
    markdownTable(['between client and disk', 'clients', ...COLUMNS], byClients).trimEnd(),
    markdownTable(
      ['enrolments', 'bytes each', ...COLUMNS],
      byEnrolments.toSorted((a, b) => number(a[0]) - number(b[0])),
    ).trimEnd(),
  ].join('\n\n');
}

/** The three works in turn, and the second and third beside the first. */
async function cells(way: Way, clients: number, database: string, enrolments: number): Promise<string[]> {
  server.sql(`ALTER SYSTEM SET commit_delay = ${String(way.commitMs * 1000)}`);
  server.sql('SELECT pg_reload_conf()');
  const results = [];
  for (const work of WORKS) results.push(await measured(server, clientsFor(work, way, clients, database, enrolments), clients));
  const [update, decision, logged] = results as [Measured, Measured, Measured];
  const ratios = [decision.perSecond / update.perSecond, logged.perSecond / update.perSecond, decision.median / update.median];
  process.stderr.write('.');
  return [
    ...results.flatMap(({ perSecond, median, slow }) => [perSecond.toFixed(0), `${milliseconds(median)} / ${milliseconds(slow)}`]),
    `${update.serverMs.toFixed(2)} / ${decision.serverMs.toFixed(2)}`,
    ...ratios.map((ratio) => ratio.toFixed(2)),
  ];
}

function clientsFor(work: Clients['work'], way: Way, of: number, database: string, enrolments: number): Omit<Clients, 'numbers'> {
  const { servers, ...place } = placeOf(server, database);
  const folder = fs.mkdtempSync(path.join(server.folder, 'logs-'));
  const reached = servers.map((each) => ({ ...each, port: way.port }));
  return { work, of, enrolments, folder, place: { ...place, servers: reached }, ms: Number(options.seconds) * 1000 };
}

/** A database with so many enrolments, and a row for each client to update; gives its name by their number. */
async function filled(size: number): Promise<[number, string]> {
  const name = `of${String(size)}`;
  server.createDatabase(name);
  await migratePostgresStore(placeOf(server, name));
  const enrolments = `INSERT INTO notp.enrolment
    SELECT 'user' || i, 'ssh', lpad(i::text, 32, '0'), '', 'active', 0, 5, 0, '0000000000', 0, '', 0, 1, 0
    FROM generate_series(0, ${String(size - 1)}) AS i`;
  const own = `CREATE TABLE own (id integer PRIMARY KEY, n bigint NOT NULL) WITH (fillfactor = 10);
    INSERT INTO own SELECT i, 0 FROM generate_series(0, ${String(Math.max(SOME_CLIENTS, ...CLIENTS))}) AS i;
    GRANT ALL ON own TO ${ROLE}`;
  for (const text of [enrolments, own, 'VACUUM ANALYZE']) server.sql(text, name);
  return [size, name];
}

/** Bytes on the disk for each enrolment, with its index; not told of a few, which would tell the size of a page. */
function sizeOf(database: string, enrolments: number): string {
  if (enrolments < SOME_ENROLMENTS) return '';
  return (number(server.sql("SELECT pg_total_relation_size('notp.enrolment')", database)) / enrolments).toFixed(0);
}

function number(text = ''): number {
  return Number(text.replaceAll(',', ''));
}

function milliseconds(ms: number): string {
  return ms.toFixed(ms < 10 ? 1 : 0);
}

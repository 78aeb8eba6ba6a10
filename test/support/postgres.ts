/** A private PostgreSQL server: a cluster of its own on a high port of 127.0.0.1 and on a socket, with TLS. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { atEnd } from './cleanup.ts';
import { run, sleep } from './process.ts';
import { must, scratchFolder } from './world.ts';

const START_MS = 60_000;
/** The role that notp logs in with, and its password. */
export const ROLE = 'notp';
export const PASSWORD = "it's a long secret";
const ADMINISTRATOR = 'postgres';

export interface Postgres {
  readonly port: number;
  /** Where its socket is. */
  readonly folder: string;
  /** Who vouches for it (PEM). */
  readonly authority: string;
  /** Runs SQL as its administrator, and gives what psql prints: a line a row, "|" between the columns. */
  sql(text: string, database?: string): string;
  /** The command that does the same. */
  psql(text: string, database: string): readonly string[];
  /** A new database that belongs to ROLE. */
  createDatabase(name: string): void;
  /** At once and without a farewell, as a machine that loses its power; or, with SIGSTOP, one that stands still. */
  stop(signal?: 'SIGKILL' | 'SIGSTOP'): Promise<void>;
  start(): Promise<void>;
}

/** What is lacking for it, for the `skip` of a test; see lacks(). */
export function lacksPostgres(): string | false {
  if (process.getuid?.() !== 0) return 'needs root, to become the user that runs PostgreSQL';
  return binaries() === undefined ? 'needs PostgreSQL (the Debian package postgresql)' : false;
}

/** Starts it; `settings`: lines of postgresql.conf; `addresses`: where it listens besides 127.0.0.1. Stopped when the test file ends. */
export async function startPostgres(name: string, settings: readonly string[] = [], addresses: readonly string[] = []): Promise<Postgres> {
  const folder = scratchFolder(`postgres-${name}`);
  const data = path.join(folder, 'data');
  must(['chown', ADMINISTRATOR, folder]);
  const initdb = [`${binaries() ?? ''}/initdb`, '-D', data, '--auth-local=trust', '--auth-host=scram-sha-256'];
  asAdministrator([...initdb, '--no-sync', '-E', 'UTF8', '--locale=C']);
  asAdministrator([
    ...['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext'],
    ...[
      ['subjectAltName=DNS:localhost', ...['127.0.0.1', ...addresses].map((each) => `IP:${each}`)].join(','),
      '-keyout',
      `${data}/server.key`,
      '-out',
      `${data}/server.crt`,
    ],
  ]);
  fs.appendFileSync(`${data}/pg_hba.conf`, 'hostssl all all samenet scram-sha-256\n');
  const server = await serverIn(folder, [
    `listen_addresses = '${['127.0.0.1', ...addresses].join(',')}'`,
    'ssl = on',
    'max_connections = 200',
    ...settings,
  ]);
  server.sql(`CREATE ROLE ${ROLE} LOGIN PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
  return server;
}

/** Starts a hot standby that streams from `primary`, which knows it by `name`; promoted by `SELECT pg_promote()`. Stopped when the test file ends. */
export async function startStandby(name: string, primary: Postgres): Promise<Postgres> {
  const folder = scratchFolder(`postgres-${name}`);
  must(['chown', ADMINISTRATOR, folder]);
  const source = `host=${primary.folder} port=${String(primary.port)} user=${ADMINISTRATOR} application_name=${name}`;
  asAdministrator([
    `${binaries() ?? ''}/pg_basebackup`,
    '-d',
    source,
    '-D',
    path.join(folder, 'data'),
    '-R',
    '-X',
    'stream',
    '--no-sync',
    '-c',
    'fast',
  ]);
  return await serverIn(folder, []);
}

/** The server whose data is in `folder`, started. */
async function serverIn(folder: string, settings: readonly string[]): Promise<Postgres> {
  const data = path.join(folder, 'data');
  const port = await freePort();
  const lines = [`port = ${String(port)}`, `unix_socket_directories = '${folder}'`, ...settings];
  fs.appendFileSync(path.join(data, 'postgresql.conf'), `${lines.join('\n')}\n`);
  let child: ChildProcess | undefined;
  const psql: Postgres['psql'] = (text, database) => [
    ...['psql', '-h', folder, '-p', String(port), '-U', ADMINISTRATOR, '-d', database],
    ...['-AtqX', '-v', 'ON_ERROR_STOP=1', '-c', text],
  ];
  // Nothing else goes on meanwhile, not even the time that a test may take.
  const sql: Postgres['sql'] = (text, database = 'postgres') => must(['timeout', '60', ...psql(text, database)]).trim();
  const log = path.join(folder, 'log');
  const launched = (): ChildProcess => {
    const words = [`${binaries() ?? ''}/postgres`, '-D', data];
    return spawn('/usr/bin/setpriv', [...asUser(), ...words], { stdio: ['ignore', 'ignore', fs.openSync(log, 'a')] });
  };
  const start = async (): Promise<void> => {
    child = launched();
    for (const end = Date.now() + START_MS; ; await sleep(50)) {
      if ((await run(['pg_isready', '-q', '-h', folder, '-p', String(port)])).code === 0) return;
      const said = fs.readFileSync(log, 'utf8');
      if (Date.now() > end) throw new Error(said);
      if (child.exitCode === null) continue;
      // A process of the one that was killed is not gone yet.
      if (!/pre-existing shared memory block/.test(said.slice(-1000))) throw new Error(said);
      await sleep(200);
      child = launched();
    }
  };
  const stop: Postgres['stop'] = async (signal = 'SIGKILL') => {
    const stopped = child;
    if (stopped === undefined || stopped.exitCode !== null || stopped.signalCode !== null) return;
    const ended = new Promise((resolve) => stopped.on('exit', resolve));
    // A SIGKILL of the server alone would leave its children.
    for (const pid of family(stopped.pid)) signalled(pid, signal);
    if (signal === 'SIGSTOP') return;
    await ended;
    fs.rmSync(path.join(data, 'postmaster.pid'), { force: true });
  };
  await start();
  atEnd(() => stop());
  return {
    ...{ port, folder, sql, psql, start, stop },
    authority: fs.readFileSync(path.join(data, 'server.crt'), 'utf8'),
    createDatabase: (database) => void sql(`CREATE DATABASE ${database} OWNER ${ROLE}`),
  };
}

/** Where initdb and postgres are: Debian does not have them in the PATH. */
function binaries(): string | undefined {
  return fs.globSync('/usr/lib/postgresql/*/bin').toSorted().at(-1);
}

function asUser(): string[] {
  return [`--reuid=${ADMINISTRATOR}`, `--regid=${ADMINISTRATOR}`, '--clear-groups'];
}

function asAdministrator(command: readonly string[]): void {
  must(['setpriv', ...asUser(), ...command]);
}

/** The server and its children. */
function family(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  const children = fs.readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8').trim();
  return [
    pid,
    ...children
      .split(' ')
      .filter((child) => child !== '')
      .map(Number),
  ];
}

function signalled(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
}

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

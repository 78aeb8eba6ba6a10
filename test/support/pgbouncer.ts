/** A private PgBouncer before a private PostgreSQL, configured by the example that is shipped: only places are put in. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { PostgresPlace } from '../../src/store/postgres/session.ts';
import { atEnd } from './cleanup.ts';
import { PASSWORD, ROLE, type Postgres } from './postgres.ts';
import { ROOT, run, sleep } from './process.ts';
import { must, scratchFolder, serviceUser } from './world.ts';

const PROGRAM = '/usr/sbin/pgbouncer';
const START_MS = 20_000;
/** What default_pool_size and listen_port are in the example. */
export const POOL_SIZE = 4;
const PORT = 5432;

export interface Pgbouncer {
  /** Where its socket is. */
  readonly folder: string;
  /** Runs a command of its console: PAUSE, say. */
  command(text: string): string;
  /** With what `change` makes of its configuration. */
  start(change?: (text: string) => string): Promise<void>;
  /** At once and without a farewell. */
  stop(): Promise<void>;
}

/** What is lacking for it, for the `skip` of a test; see lacks(). */
export function lacksPgbouncer(): string | false {
  return fs.existsSync(PROGRAM) ? false : 'needs PgBouncer (the Debian package pgbouncer)';
}

/** Starts it before `database` of `server`, as the service's user. Stopped when the test file ends. */
export async function startPgbouncer(name: string, server: Postgres, database: string): Promise<Pgbouncer> {
  const folder = scratchFolder(`pgbouncer-${name}`);
  const { uid, gid } = serviceUser();
  const sockets = path.join(folder, 'run');
  const files = { '/etc/notp/pgbouncer.users': `"${ROLE}" "${PASSWORD}"\n`, '/etc/notp/store.pem': server.authority };
  let text = exampleFor({ port: server.port, database }).replaceAll('/run/notp-pgbouncer', sockets);
  for (const [shipped, content] of Object.entries(files)) {
    const own = path.join(folder, path.basename(shipped));
    text = text.replaceAll(shipped, own);
    fs.writeFileSync(own, content, { mode: 0o400 });
    fs.chownSync(own, uid, gid);
  }
  const file = path.join(folder, 'pgbouncer.ini');
  fs.mkdirSync(sockets, { mode: 0o700 });
  fs.chownSync(sockets, uid, gid);
  let child: ChildProcess | undefined;
  const start: Pgbouncer['start'] = async (change = (same) => same) => {
    fs.writeFileSync(file, change(text));
    const output = fs.openSync(path.join(folder, 'log'), 'a');
    child = spawn(PROGRAM, [file], { uid, gid, stdio: ['ignore', output, output] });
    fs.closeSync(output);
    for (const end = Date.now() + START_MS; ; await sleep(20)) {
      if ((await run(['setpriv', `--reuid=${String(uid)}`, '--clear-groups', ...console('SHOW VERSION')])).code === 0) return;
      if (Date.now() > end || child.exitCode !== null) throw new Error(fs.readFileSync(path.join(folder, 'log'), 'utf8'));
    }
  };
  const stop = async (): Promise<void> => {
    const stopped = child;
    if (stopped === undefined || stopped.exitCode !== null || stopped.signalCode !== null) return;
    const ended = new Promise((resolve) => stopped.on('exit', resolve));
    stopped.kill('SIGKILL');
    await ended;
  };
  // Who comes as the user that it runs as is its administrator.
  const console = (command: string): string[] => [
    ...['psql', '-h', sockets, '-p', String(PORT), '-U', 'pgbouncer', '-d', 'pgbouncer'],
    ...['-AtqX', '-v', 'ON_ERROR_STOP=1', '-c', command],
  ];
  await start();
  atEnd(stop);
  return {
    ...{ folder: sockets, start, stop },
    command: (command) => must(['setpriv', `--reuid=${String(uid)}`, '--clear-groups', ...console(command)]).trim(),
  };
}

/** The same place through `pool`: without a password, and nobody who vouches. */
export function throughPool({ folder }: Pgbouncer, place: PostgresPlace): PostgresPlace {
  return { ...place, servers: [{ host: folder, port: PORT }], password: () => undefined, authorities: undefined };
}

/** The example for a server on this host. */
function exampleFor({ port, database }: { port: number; database: string }): string {
  const text = fs.readFileSync(path.join(ROOT, 'examples/pgbouncer.ini'), 'utf8');
  const line = 'notp = host=postgres.example.org port=5432 dbname=notp user=notp';
  if (!text.includes(`\n${line}\n`)) throw new Error('the example has no such line');
  return text.replace(line, `${database} = host=127.0.0.1 port=${String(port)} dbname=${database} user=${ROLE}`);
}

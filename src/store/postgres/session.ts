/** The connection of this host to the store of a fleet: to whichever server takes writes, in bounded time. */
import * as tls from 'node:tls';
import type { Client, ClientConfig } from 'pg';
import { messageOf, NotpError } from '../../error.ts';
import { checkVersion, SCHEMA, VERSION } from './schema.ts';
import { DEADLINE_MS, PostgresTransaction, prepared } from './transaction.ts';
import type { Row, Values } from '../row.ts';
import { timeLeft } from '../store.ts';
import { unreached } from '../unreached.ts';

export interface PostgresPlace {
  /** Of several the first one that takes writes: names, addresses, or folders with a socket. */
  readonly servers: readonly { readonly host: string; readonly port: number }[];
  readonly database: string;
  readonly user: string;
  /** Read anew for each connection. */
  readonly password: () => string | undefined;
  /** Certificates (PEM) of who vouches for the servers; undefined: those that Node.js trusts. */
  readonly authorities: string | undefined;
  /** Without TLS where that is said, or on a socket. */
  readonly tls: boolean;
  /** What this host is called in the store. */
  readonly thisHost: string;
  /** Names the log of this host, whatever the host is called: of those who write to one log, one at a time does. */
  readonly logName: string;
  /** How long anything may take in all; undefined: DEADLINE_MS. */
  readonly deadlineMs?: number;
}

const CONNECT_MS = 5_000;
/** What a pooler needs for a connection to its server. */
const POOLER_MS = 500;
/** PostgreSQL's, in its appendix A. */
const UNDEFINED_TABLE = '42P01';

/** One connection to the server that takes writes. */
export class Session {
  private readonly place: PostgresPlace;
  private connected: Client | undefined;
  /** Why nothing is waited for any more. */
  private over: string | undefined;

  constructor(place: PostgresPlace) {
    this.place = place;
  }

  /**
   * From now on everything has its deadline, at the latest `untilMs` of performance.now(), until the function it gives is called. Then a connection on a socket is given back: a
   * new one costs next to nothing there, and behind it may be a pooler, whose connections to the server others wait for.
   */
  startClock(untilMs = Infinity): () => void {
    this.over = undefined;
    const deadlineMs = timeLeft(untilMs, deadlineOf(this.place));
    const timer = setTimeout(() => {
      this.over = `no answer in ${String(Math.ceil(deadlineMs / 1000))} seconds`;
      this.drop();
    }, deadlineMs);
    return () => {
      clearTimeout(timer);
      if (this.connected !== undefined && isSocket(this.connected)) this.drop();
    };
  }

  /** Whether there is a connection already, which may not be what it was. */
  get isConnected(): boolean {
    return this.connected !== undefined;
  }

  /** Begins a transaction with the lock of this host. */
  async begin(): Promise<PostgresTransaction> {
    const client = await this.client({ checked: true });
    return new PostgresTransaction(client, this.place, (action) => named(this.place, action, () => this.over));
  }

  /** What `sql` gives, outside of a transaction. */
  async rows(sql: string, values: Values): Promise<readonly Row[]> {
    const client = await this.client({ checked: true });
    return await named(
      this.place,
      async () => (await client.query<Row>(prepared(sql, values))).rows,
      () => this.over,
    );
  }

  drop(): void {
    const client = this.connected;
    this.connected = undefined;
    // Without a farewell, which would wait for a server that says nothing.
    client?.connection.stream.destroy();
  }

  /** The connection; a new one is made to the first server that takes writes and, where `checked`, has the tables of this release. */
  async client({ checked }: { checked: boolean }): Promise<Client> {
    if (this.connected !== undefined) return this.connected;
    const failures = new Map<unknown, string>();
    let isAnswered = false;
    const { servers } = this.place;
    const poolers = servers.filter(isSocket);
    // A pooler says no until it knows that its server is back, and looks only where it is asked, and that not at once after it looked.
    for (const [i, server] of [...servers, ...poolers, ...poolers].entries()) {
      if (i >= servers.length) await new Promise((resolve) => setTimeout(resolve, POOLER_MS));
      try {
        return await this.connect(server, checked);
      } catch (error) {
        this.drop();
        if (error instanceof NotpError) throw new NotpError(error.code, `${nameOf(this.place)}: ${error.message}`, error.hint);
        failures.set(server, `${server.host}: ${messageOf(error)}`);
        isAnswered ||= saysNo(error);
      }
    }
    const failed = new NotpError('store_unavailable', `${nameOf(this.place)}: ${this.over ?? [...failures.values()].join('; ')}`, HINT);
    throw isAnswered ? failed : unreached(failed);
  }

  private async connect(server: PostgresPlace['servers'][number], checked: boolean): Promise<Client> {
    if (this.over !== undefined) throw new Error(this.over);
    const { Client: PgClient } = await import('pg');
    // It would take settings from the environment, which is not whom we ask.
    for (const name of Object.keys(process.env)) if (name.startsWith('PG')) delete process.env[name];
    const client = new PgClient(clientConfig(this.place, server));
    client.on('error', () => {
      if (this.connected === client) this.drop();
    });
    this.connected = client;
    await client.connect();
    // All are sent at once, and in one piece: of who hangs up after the first, the reason would not be read. The first that fails says why.
    const { stream } = client.connection;
    stream.cork();
    const asked = [takesWrites(client, this.place), ...(checked ? [hasTables(client), hasChain(client, this.place.thisHost)] : [])];
    stream.uncork();
    const failed = (await Promise.allSettled(asked)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
    return client;
  }
}

/** PostgreSQL's class of errors for whoever may not log in: a host that was thrown out of its fleet decides nothing by its copy. */
const INVALID_AUTHORIZATION = '28';

function saysNo(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith(INVALID_AUTHORIZATION);
}

/** PostgreSQL's for what lock_timeout ends, in its appendix A. */
const LOCK_NOT_AVAILABLE = '55P03';
const HELD = ['somebody else holds what is needed', 'try it again; a copy needs two stores that are not one under two names'] as const;

function isHeld(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === LOCK_NOT_AVAILABLE;
}

const HINT = 'look whether the server runs, is reached from here and takes writes';

export async function named<T>(
  place: PostgresPlace,
  action: () => Promise<T>,
  why: () => string | undefined = () => undefined,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    // It was named already.
    if (error instanceof NotpError && error.message.startsWith(nameOf(place))) throw error;
    if (error instanceof NotpError) throw new NotpError(error.code, `${nameOf(place)}: ${error.message}`, error.hint);
    const [reason, hint] = isHeld(error) ? HELD : [messageOf(error), HINT];
    throw new NotpError('store_unavailable', `${nameOf(place)}: ${why() ?? reason}`, hint, { cause: error });
  }
}

/** The store as messages call it. */
export function nameOf({ servers, database }: Pick<PostgresPlace, 'servers' | 'database'>): string {
  return `postgres://${servers.map(({ host, port }) => `${host}:${String(port)}`).join(',')}/${database}`;
}

/**
 * What a connection is set to: not when it is made, since a pooler in between takes no settings then. A host that stands still in a
 * transaction does not keep the others waiting for longer than the deadline; what may take longer, as a copy, waits for nobody longer. A commit that is told lasts, whatever the server does by
 * default; where it waits for more (remote_apply) it goes on doing so.
 */
function settings(place: PostgresPlace): string {
  const deadline = String(deadlineOf(place));
  return `set_config('search_path', '${SCHEMA}', false),
  set_config('statement_timeout', '${deadline}', false),
  set_config('lock_timeout', '${String(DEADLINE_MS)}', false),
  set_config('idle_in_transaction_session_timeout', '${deadline}', false),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)`;
}

function deadlineOf({ deadlineMs = DEADLINE_MS }: PostgresPlace): number {
  return deadlineMs;
}

function isSocket({ host }: { readonly host: string }): boolean {
  return host.startsWith('/');
}

async function takesWrites(client: Client, place: PostgresPlace): Promise<void> {
  const { rows } = await client.query<{ readonly: string }>(
    `SELECT ${settings(place)}, current_setting('transaction_read_only') AS readonly`,
  );
  if (rows[0]?.readonly !== 'off') throw new Error('it takes no writes (a standby?)');
}

async function hasTables(client: Client): Promise<void> {
  const { rows } = await client.query<{ version: number }>(`SELECT version FROM ${SCHEMA}.version`).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === UNDEFINED_TABLE) return { rows: [] };
    throw error;
  });
  checkVersion(rows[0]?.version);
}

/** A host that is new to the store has no head of its chain yet. Tables of another release are left alone. */
async function hasChain(client: Client, thisHost: string): Promise<void> {
  const first = `SELECT $1::text, 0, $2::text WHERE EXISTS (SELECT FROM ${SCHEMA}.version WHERE version = ${String(VERSION)})`;
  await client.query(`INSERT INTO ${SCHEMA}.chain ${first} ON CONFLICT DO NOTHING`, [thisHost, '0'.repeat(64)]);
}
function clientConfig(place: PostgresPlace, { host, port }: PostgresPlace['servers'][number]): ClientConfig {
  const { database, user, authorities } = place;
  const ssl: tls.ConnectionOptions = {
    rejectUnauthorized: true,
    ...(authorities === undefined ? {} : { ca: authorities }),
    // Also where it is an address, which pg would not compare.
    checkServerIdentity: (_, certificate) => tls.checkServerIdentity(host, certificate),
  };
  const password = place.password();
  return {
    ...{
      host,
      port,
      database,
      user,
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      application_name: 'notp',
      pipeline: true,
    },
    // Never from the environment or ~/.pgpass.
    password: () => password ?? '',
    ssl: place.tls && !isSocket({ host }) ? ssl : false,
  };
}

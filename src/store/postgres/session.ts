/** The connection of this host to the store of a fleet: to the server that accepts writes, in bounded time. */
import * as tls from 'node:tls';
import type { Client, ClientConfig } from 'pg';
import { causeOf, messageOf, NotpError } from '../../error.ts';
import { checkVersion, SCHEMA } from './schema.ts';
import { DEADLINE_MS, PostgresTransaction, prepared, type LogPlace } from './transaction.ts';
import type { Row, Values } from '../row.ts';
import { timeLeft } from '../clock.ts';
import { unreached } from '../unreached.ts';

export interface PostgresPlace {
  /** The servers, of which the first one that accepts writes is used: names, addresses, or folders with a socket. */
  readonly servers: readonly { readonly host: string; readonly port: number }[];
  readonly database: string;
  readonly user: string;
  /** Read for each connection. */
  readonly password: () => string | undefined;
  /** Certificates (PEM) of the authorities for the servers; undefined: those that Node.js trusts. */
  readonly authorities: string | undefined;
  /** Whether to use TLS; never on a socket. */
  readonly tls: boolean;
  /** The name of this host in the store. */
  readonly thisHost: string;
  readonly log: LogPlace;
  /** How long each transaction may take in all; undefined: DEADLINE_MS. */
  readonly deadlineMs?: number;
}

const CONNECT_MS = 5_000;
/** How long a pooler needs to connect to its server. */
const POOLER_MS = 500;
/** From the PostgreSQL manual, appendix A. */
const UNDEFINED_TABLE = '42P01';

/** One connection to the server that accepts writes. */
export class Session {
  private readonly place: PostgresPlace;
  private connected: Client | undefined;
  /** Why the deadline is over; undefined while it is not. */
  private over: string | undefined;

  constructor(place: PostgresPlace) {
    this.place = place;
  }

  /**
   * Starts the deadline of all further calls, at the latest `untilMs` of uptimeMs(). Gives a function that ends it. That
   * also closes a connection on a socket: a new one costs almost nothing there, and a pooler behind it may have other clients
   * waiting for the connection.
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

  /** Whether the time of this transaction is over. */
  get isOver(): boolean {
    return this.over !== undefined;
  }

  /** Whether there is a connection already, which may have been lost. */
  get isConnected(): boolean {
    return this.connected !== undefined;
  }

  /** Begins a transaction, which holds the row lock of this host's log: only one process at a time writes to a log. */
  async begin(): Promise<PostgresTransaction> {
    const client = await this.client({ checked: true });
    return new PostgresTransaction(client, this.place, (action) => named(this.place, action, () => this.over));
  }

  /** The rows that `sql` gives, outside a transaction. */
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
    // Without PostgreSQL's Terminate message, which would wait for a server that does not answer.
    client?.connection.stream.destroy();
  }

  /** The connection. A new one goes to the first server that accepts writes and, where `checked`, has the tables of this release. */
  async client({ checked }: { checked: boolean }): Promise<Client> {
    if (this.connected !== undefined) return this.connected;
    const failures = new Map<unknown, string>();
    let isAnswered = false;
    const { servers } = this.place;
    const poolers = servers.filter(isSocket);
    // A pooler refuses until it knows that its server is back. It checks only when asked, and not again at once.
    for (const [i, server] of [...servers, ...poolers, ...poolers].entries()) {
      if (i >= servers.length) await new Promise((resolve) => setTimeout(resolve, POOLER_MS));
      try {
        return await this.connect(server, checked);
      } catch (error) {
        this.drop();
        if (error instanceof NotpError) throw new NotpError(error.code, `${nameOf(this.place)}: ${error.message}`, error.hint);
        failures.set(server, `${server.host}: ${causeOf(error)}`);
        isAnswered ||= refusesLogin(error);
      }
    }
    const failed = new NotpError('store_unavailable', `${nameOf(this.place)}: ${this.over ?? [...failures.values()].join('; ')}`, HINT);
    throw isAnswered ? failed : unreached(failed);
  }

  private async connect(server: PostgresPlace['servers'][number], checked: boolean): Promise<Client> {
    if (this.over !== undefined) throw new Error(this.over);
    const { Client: PgClient } = await import('pg');
    // pg would read settings from the environment, which could name another server.
    for (const name of Object.keys(process.env)) if (name.startsWith('PG')) delete process.env[name];
    const client = new PgClient(clientConfig(this.place, server));
    client.on('error', () => {
      if (this.connected === client) this.drop();
    });
    this.connected = client;
    await client.connect();
    // All queries are sent at once, in one packet. Otherwise, if the server hangs up after the first, its reason is not read. The
    // first failure is the reason.
    const { stream } = client.connection;
    stream.cork();
    const asked = [takesWrites(client, this.place), ...(checked ? [hasTables(client)] : [])];
    stream.uncork();
    const failed = (await Promise.allSettled(asked)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
    return client;
  }
}

/** PostgreSQL's error class for a refused login. A host that was removed from its fleet must not decide by its copy. */
const INVALID_AUTHORIZATION = '28';

function refusesLogin(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith(INVALID_AUTHORIZATION);
}

/** PostgreSQL's error for a wait that lock_timeout ended; from its manual, appendix A. */
const LOCK_NOT_AVAILABLE = '55P03';
const HELD = ['somebody else holds what is needed', 'try again; for a copy, name two different stores'] as const;

function isHeld(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === LOCK_NOT_AVAILABLE;
}

const HINT = 'check that the server runs, can be reached from here and accepts writes';

export async function named<T>(
  place: PostgresPlace,
  action: () => Promise<T>,
  why: () => string | undefined = () => undefined,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    // The message names the store already.
    if (error instanceof NotpError && error.message.startsWith(nameOf(place))) throw error;
    if (error instanceof NotpError) throw new NotpError(error.code, `${nameOf(place)}: ${error.message}`, error.hint);
    const [reason, hint] = isHeld(error) ? HELD : [messageOf(error), HINT];
    throw new NotpError('store_unavailable', `${nameOf(place)}: ${why() ?? reason}`, hint, { cause: error });
  }
}

/** The store in messages. */
export function nameOf({ servers, database }: Pick<PostgresPlace, 'servers' | 'database'>): string {
  return `postgres://${servers.map(({ host, port }) => `${host}:${String(port)}`).join(',')}/${database}`;
}

/**
 * The settings of a connection. They are sent after connecting, since a pooler in between passes none on.
 * A host that stalls inside a transaction keeps the others waiting no longer than the deadline. Longer work, as a copy, waits for
 * locks no longer than that either.
 * A reported commit is durable, whatever the server's default is. Where the server waits for more (remote_apply), it still does.
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

function clientConfig(place: PostgresPlace, { host, port }: PostgresPlace['servers'][number]): ClientConfig {
  const { database, user, authorities } = place;
  const ssl: tls.ConnectionOptions = {
    rejectUnauthorized: true,
    ...(authorities === undefined ? {} : { ca: authorities }),
    // Also checks an IP address, which pg would not compare.
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

/** One connection of this host to the store of a fleet: to whichever server takes writes, in bounded time, and a transaction on it. */
import * as tls from 'node:tls';
import type { Client, ClientConfig } from 'pg';
import { messageOf, NotpError } from '../error.ts';
import { checkVersion, SCHEMA } from './postgres-schema.ts';
import { NO_REFUSALS, type Dialect, type Row, type Statements, type Values } from './tables.ts';

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
}

/** How long a decision waits in all, for the server and for others' decisions, before it is refused. */
const DEADLINE_MS = 20_000;
const CONNECT_MS = 5_000;
/** A host that stands still in a transaction does not keep the others waiting for longer. */
const BEGIN = `BEGIN READ WRITE; SET LOCAL search_path TO ${SCHEMA}; SET LOCAL statement_timeout TO ${String(DEADLINE_MS)};
SET LOCAL idle_in_transaction_session_timeout TO ${String(DEADLINE_MS)}`;
/** A commit that is told lasts, whatever the server does by default; where it waits for more (remote_apply) it goes on doing so. */
const DURABLE = `SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')`;

const DIALECT: Dialect = {
  here: 'host = $host',
  hostColumn: 'host, ',
  hostValue: '$host, ',
  lock: ' FOR UPDATE',
  // A host that is new to the store has none yet.
  refusals: `WITH made AS (
      INSERT INTO refusals SELECT $host, "user", ${NO_REFUSALS}
      FROM (SELECT '' AS "user" UNION SELECT "user" FROM enrolment WHERE "user" = $user) AS known
      ON CONFLICT DO NOTHING RETURNING *)
    SELECT * FROM (SELECT * FROM made UNION ALL SELECT * FROM refusals WHERE host = $host AND "user" IN ($user, '')) AS present
    ORDER BY "user" DESC LIMIT 1`,
};

/** One connection to the server that takes writes. */
export class Session {
  private readonly place: PostgresPlace;
  private connected: Client | undefined;
  /** Why nothing is waited for any more. */
  private over: string | undefined;

  constructor(place: PostgresPlace) {
    this.place = place;
  }

  /** From now on everything has DEADLINE_MS in all, until the function it gives is called. */
  startClock(): () => void {
    this.over = undefined;
    const timer = setTimeout(() => {
      this.over = `no answer in ${String(DEADLINE_MS / 1000)} seconds`;
      this.drop();
    }, DEADLINE_MS);
    return () => {
      clearTimeout(timer);
    };
  }

  /** Begins a transaction with the lock of this host; on a new connection where the one before is not what it was. */
  async begin(): Promise<Statements> {
    const reused = this.connected !== undefined;
    try {
      return await this.beginOnce();
    } catch (error) {
      this.drop();
      if (!reused) throw error;
      return await this.beginOnce();
    }
  }

  private async beginOnce(): Promise<Statements> {
    const client = await this.client({ checked: true });
    const query = async (sql: string, values: Values = {}): Promise<readonly Row[]> =>
      await this.named(async () => (await client.query<Row>(numbered(sql, { ...values, host: this.place.thisHost }))).rows);
    // One round trip for all of it.
    const locked = `SELECT host FROM chain WHERE host = ${client.escapeLiteral(this.place.thisHost)}${DIALECT.lock}`;
    const began: unknown = await this.named(() => client.query(`${BEGIN}; ${DURABLE}; ${locked}`));
    const isKnown = Array.isArray(began) && (began.at(-1) as { readonly rowCount: number }).rowCount === 1;
    if (!isKnown) await query(`INSERT INTO chain VALUES ($host, 0, '${'0'.repeat(64)}')`);
    return { all: query, run: async (sql, values) => void (await query(sql, values)), dialect: DIALECT };
  }

  /** Throws also where the server undid it all, because a statement before had failed. */
  async commit(): Promise<void> {
    const { command } = await this.named(() => this.present().query('COMMIT'));
    if (command !== 'COMMIT') throw new NotpError('store_unavailable', `${nameOf(this.place)}: the server did not commit`);
  }

  async rollBack(): Promise<void> {
    try {
      await this.present().query('ROLLBACK');
    } catch {
      this.drop();
    }
  }

  drop(): void {
    const client = this.connected;
    this.connected = undefined;
    // Without a farewell, which would wait for a server that says nothing.
    client?.connection.stream.destroy();
  }

  private present(): Client {
    if (this.connected === undefined) throw new Error('the connection is lost');
    return this.connected;
  }

  /** The connection; a new one is made to the first server that takes writes and, where `checked`, has the tables of this release. */
  async client({ checked }: { checked: boolean }): Promise<Client> {
    if (this.connected !== undefined) return this.connected;
    const failures: string[] = [];
    for (const server of this.place.servers) {
      try {
        return await this.connect(server, checked);
      } catch (error) {
        this.drop();
        if (error instanceof NotpError) throw new NotpError(error.code, `${nameOf(this.place)}: ${error.message}`, error.hint);
        failures.push(`${server.host}: ${messageOf(error)}`);
      }
    }
    throw new NotpError('store_unavailable', `${nameOf(this.place)}: ${this.over ?? failures.join('; ')}`, HINT);
  }

  private async connect(server: PostgresPlace['servers'][number], checked: boolean): Promise<Client> {
    if (this.over !== undefined) throw new Error(this.over);
    const { Client: PgClient } = await import('pg');
    const client = new PgClient(clientConfig(this.place, server));
    client.on('error', () => {
      if (this.connected === client) this.drop();
    });
    this.connected = client;
    await client.connect();
    await takesWrites(client);
    if (checked) checkVersion(await versionOf(client));
    return client;
  }

  private async named<T>(action: () => Promise<T>): Promise<T> {
    return await named(this.place, action, () => this.over);
  }
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
    if (error instanceof NotpError) throw new NotpError(error.code, `${nameOf(place)}: ${error.message}`, error.hint);
    throw new NotpError('store_unavailable', `${nameOf(place)}: ${why() ?? messageOf(error)}`, HINT, { cause: error });
  }
}

/** The store as messages call it. */
export function nameOf({ servers, database }: Pick<PostgresPlace, 'servers' | 'database'>): string {
  return `postgres://${servers.map(({ host, port }) => `${host}:${String(port)}`).join(',')}/${database}`;
}

async function takesWrites(client: Client): Promise<void> {
  const { rows } = await client.query<{ readonly: string }>("SELECT current_setting('transaction_read_only') AS readonly");
  if (rows[0]?.readonly !== 'off') throw new Error('it takes no writes (a standby?)');
}

async function versionOf(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ there: boolean }>(`SELECT to_regclass('${SCHEMA}.version') IS NOT NULL AS there`);
  if (rows[0]?.there !== true) return undefined;
  const found = await client.query<{ version: number }>(`SELECT version FROM ${SCHEMA}.version`);
  return found.rows[0]?.version;
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
    ...{ host, port, database, user, connectionTimeoutMillis: CONNECT_MS, keepAlive: true, application_name: 'notp' },
    // Never from the environment or ~/.pgpass.
    password: () => password ?? '',
    ssl: place.tls && !host.startsWith('/') ? ssl : false,
  };
}

/** `$name` as PostgreSQL has it: $1, and the values in their order. */
function numbered(sql: string, values: Values): { readonly text: string; readonly values: (string | number)[] } {
  const names: string[] = [];
  const text = sql.replace(/\$([a-z_]+)/gi, (_, name: string) => {
    if (!names.includes(name)) names.push(name);
    return `$${String(names.indexOf(name) + 1)}`;
  });
  return { text, values: names.map((name) => values[name] ?? '') };
}

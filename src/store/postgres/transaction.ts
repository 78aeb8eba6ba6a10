/**
 * A transaction on a connection to PostgreSQL. Queries are pipelined, so that a decision takes only a few round trips: BEGIN goes
 * with the first query, writes go with the next one, and the last writes with COMMIT.
 */
import { createHash } from 'node:crypto';
import type { Client, QueryResult } from 'pg';
import { NotpError } from '../../error.ts';
import { checkStored, COUNTS, returning } from '../row-seal.ts';
import { presentHead } from '../rows.ts';
import type { Row, Values } from '../row.ts';
import type { Dialect, Statements } from '../statements.ts';

/** How long a decision waits in all, for the server and for other decisions, before it is refused. */
export const DEADLINE_MS = 20_000;

const DIALECT: Dialect = {
  here: 'host = $host',
  hostColumn: 'host, ',
  hostValue: '$host, ',
  lock: ' FOR UPDATE',
  heads: 'SELECT host, seq, hash, lacking, mac FROM chain ORDER BY host',
  marks: `SELECT seq, hash, mac FROM mark WHERE host = CASE WHEN $of = '' THEN $host ELSE $of END`,
  lockEnrolments: ' FOR UPDATE OF enrolment',
  // Waits for transactions that hold row locks, as every decision with a write does.
  lockAll: (tables) => `LOCK TABLE ${tables.join(', ')} IN EXCLUSIVE MODE`,
  // An UPDATE takes space like an INSERT in PostgreSQL.
  reserves: false,
  joined: (flood) => `LEFT JOIN ${flood} ON ${flood}.host = $host AND ${flood}."user" = enrolment."user"`,
  tally: (flood) => `SELECT known."user", ${COUNTS.join(', ')}, mac
    FROM (SELECT CASE WHEN EXISTS (SELECT 1 FROM enrolment WHERE "user" = $user) THEN $user ELSE '' END AS "user") AS known
    LEFT JOIN ${flood} ON host = $host AND ${flood}."user" = known."user"`,
};

/** Also reads the time, which saves a query: the hosts' clocks may differ, and this one counts for all of them. */
const LOCKED_CHAIN = `SELECT seq, hash, lacking, mac, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS clock_ms FROM chain WHERE host = $host${DIALECT.lock}`;

/** While a host is renamed, some of its processes use the old name and some the new one, each with its own head; the log is the same. */
const LOCKED_LOG = `SELECT 1 FROM log WHERE name = $log${DIALECT.lock}`;

/** The name of the host that writes, and the name of its log. */
interface Writer {
  readonly thisHost: string;
  readonly logName: string;
}

/** The data in the first answer. */
interface Beginning {
  readonly chain: Row;
  readonly clockMs: number;
}

export class PostgresTransaction {
  readonly statements: Omit<Statements, 'seal'>;
  /** Whether the server gave the lock. Before that, nothing was read or done. */
  hasBegun = false;
  /** Whether the server answers at all, even if it makes us wait for the lock. */
  isReached = false;
  /** Whether a write was sent. Before that, `work` wrote nothing to a log either. */
  hasWritten = false;
  private readonly client: Client;
  private readonly thisHost: string;
  private readonly logName: string;
  private readonly named: <T>(action: () => Promise<T>) => Promise<T>;
  private readonly beginning: Promise<Beginning>;
  /** The first failure. For every later query the server only says that something failed before. */
  private failure: unknown;
  /** Writes that were sent and not awaited yet. */
  private written: Promise<unknown>[] = [];

  /** `named`: adds the name of the store to errors. */
  constructor(client: Client, { thisHost, logName }: Writer, named: <T>(action: () => Promise<T>) => Promise<T>) {
    this.client = client;
    this.thisHost = thisHost;
    this.logName = logName;
    this.named = named;
    this.beginning = quiet(this.begin());
    this.statements = {
      all: (sql, values) => this.all(sql, values),
      run: (sql, values) => this.run(sql, values),
      write: (sql, values, stored) => this.write(sql, values, stored),
      chain: async () => (await this.beginning).chain,
      clockMs: async () => (await this.beginning).clockMs,
      dialect: DIALECT,
      host: thisHost,
    };
  }

  /** Commits. Throws also where the server rolled back because an earlier statement had failed. */
  async commit(): Promise<void> {
    await this.beginning;
    this.gather();
    await this.named(async () => {
      const [committed] = await Promise.all([this.client.query('COMMIT'), ...this.written]);
      if (committed.command !== 'COMMIT') throw new NotpError('store_unavailable', 'the server did not commit');
    });
  }

  /** Rolls back. Gives false where the connection is of no more use. */
  async rollBack(): Promise<boolean> {
    try {
      await this.client.query('ROLLBACK');
      return true;
    } catch {
      return false;
    }
  }

  /** Collects everything that is sent before the next await into one packet. */
  private gather(): void {
    const { stream } = this.client.connection;
    stream.cork();
    process.nextTick(() => {
      stream.uncork();
    });
  }

  private async begin(): Promise<Beginning> {
    this.gather();
    const [, , { rows }] = await this.named(() =>
      Promise.all([
        this.reach(),
        this.client.query(prepared(LOCKED_LOG, { log: this.logName })),
        this.client.query<Row>(prepared(LOCKED_CHAIN, { host: this.thisHost })),
      ]),
    );
    this.hasBegun = true;
    return { chain: presentHead(rows[0]), clockMs: Number(rows[0]?.['clock_ms']) };
  }

  private async reach(): Promise<void> {
    await this.client.query('BEGIN READ WRITE');
    this.isReached = true;
  }

  private async all(sql: string, values: Values = {}): Promise<readonly Row[]> {
    const asked = quiet(this.ask(sql, values));
    // A query outside the transaction must not count.
    await this.beginning;
    const { rows } = await asked;
    // The writes were answered before the query.
    await this.named(() => Promise.all(this.written));
    return rows;
  }

  private async run(sql: string, values: Values = {}): Promise<void> {
    // Outside the transaction the write would be permanent.
    await this.beginning;
    this.hasWritten = true;
    this.written.push(quiet(this.ask(sql, values)));
  }

  private async write(sql: string, values: Values, stored: Values): Promise<void> {
    await this.beginning;
    this.hasWritten = true;
    const write = async (): Promise<void> => {
      const { rows } = await this.ask(returning(sql, stored), values);
      await this.named(async () => {
        await Promise.resolve();
        checkStored(sql, rows, stored);
      });
    };
    this.written.push(quiet(write()));
  }

  private async ask(sql: string, values: Values): Promise<QueryResult<Row>> {
    this.gather();
    try {
      return await this.named(() => this.client.query<Row>(prepared(sql, { ...values, host: this.thisHost })));
    } catch (error) {
      throw (this.failure ??= error);
    }
  }
}

/** The same promise. It may be awaited later or never, without an unhandled rejection. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** `sql` with each `$name` as PostgreSQL's $1, and the values in their order. The server parses it once per connection. */
export function prepared(
  sql: string,
  values: Values,
): { readonly name: string; readonly text: string; readonly values: (string | number)[] } {
  const known = PREPARED.get(sql) ?? numbered(sql);
  PREPARED.set(sql, known);
  return { name: known.name, text: known.text, values: known.names.map((name) => values[name] ?? '') };
}

interface Numbered {
  readonly name: string;
  readonly text: string;
  readonly names: readonly string[];
}

const PREPARED = new Map<string, Numbered>();

function numbered(sql: string): Numbered {
  const names: string[] = [];
  const text = sql.replace(/\$([a-z_]\w*)/gi, (_, name: string) => {
    if (!names.includes(name)) names.push(name);
    return `$${String(names.indexOf(name) + 1)}`;
  });
  // The name is a hash of the text: if a pooler mixes up connections, it never means another statement.
  return { name: createHash('sha256').update(text).digest('hex').slice(0, 32), text, names };
}

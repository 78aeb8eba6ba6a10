/**
 * A transaction on a connection to PostgreSQL. Queries are pipelined, so that a decision takes only a few round trips: BEGIN goes
 * with the first query, writes go with the next one, and the last writes with COMMIT.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Client, QueryResult } from 'pg';
import { NotpError } from '../../error.ts';
import { checkStored, COUNTS, returning } from '../row-seal.ts';
import { unknownLog } from '../rows.ts';
import type { Row, Values } from '../row.ts';
import type { Dialect, Statements } from '../statements.ts';
import { NO_RECORD } from '../store.ts';

/** Where the id of this host's log is kept: beside the log, whatever the host is called. */
export interface LogPlace {
  /** The path of the log. */
  readonly name: string;
  /** The id; undefined where there is none yet. Throws `store_unavailable`. */
  readonly id: () => string | undefined;
  /** Whether the log has linked records, besides the one that every host begins with: its host key was made. */
  readonly hasRecords: () => boolean;
  /** Keeps `id`. Throws where it cannot. */
  readonly keep: (id: string) => void;
}

/** How long a decision waits in all, for the server and for other decisions, before it is refused. */
export const DEADLINE_MS = 20_000;

const DIALECT: Dialect = {
  here: 'log = $log',
  logColumn: 'log, ',
  logValue: '$log, ',
  lock: ' FOR UPDATE',
  heads: 'SELECT name AS host, log, seq, hash FROM host JOIN chain USING (log) ORDER BY name, number',
  marks: `SELECT seq, hash, mac FROM mark WHERE log = CASE WHEN $of = '' THEN $log ELSE $of END`,
  lockEnrolments: ' FOR UPDATE OF enrolment',
  // Waits for transactions that hold row locks, as every decision with a write does.
  lockAll: (tables) => `LOCK TABLE ${tables.join(', ')} IN EXCLUSIVE MODE`,
  // An UPDATE takes space like an INSERT in PostgreSQL.
  reserves: false,
  joined: (flood) => `LEFT JOIN ${flood} ON ${flood}.log = $log AND ${flood}."user" = enrolment."user"`,
  tally: (flood) => `SELECT known."user", ${COUNTS.join(', ')}, mac
    FROM (SELECT CASE WHEN EXISTS (SELECT 1 FROM enrolment WHERE "user" = $user) THEN $user ELSE '' END AS "user") AS known
    LEFT JOIN ${flood} ON log = $log AND ${flood}."user" = known."user"`,
};

/** The time: the hosts' clocks may differ, and this one counts for all of them. */
const CLOCK = 'floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS clock_ms';
/** Also reads the time and whether the log has the present name of the host, which saves queries. */
const LOCKED_CHAIN = `SELECT seq, hash, lacking, mac, ${CLOCK},
  EXISTS (SELECT 1 FROM host WHERE name = $host AND log = $log) AS is_named FROM chain WHERE log = $log${DIALECT.lock}`;
/** The first log of a name. Of several processes that have none yet, one makes it. */
const FIRST_LOG = 'INSERT INTO host VALUES ($host, 1, $log) ON CONFLICT DO NOTHING';
const LATEST_LOG = 'SELECT log FROM host WHERE name = $host ORDER BY number DESC LIMIT 1';
const FIRST_HEAD = 'INSERT INTO chain (log, seq, hash, host) VALUES ($log, $seq, $hash, $host) ON CONFLICT DO NOTHING';

/** The host that writes, and the place of its log. */
interface Writer {
  readonly thisHost: string;
  readonly log: LogPlace;
}

/** The data in the first answer. */
interface Beginning {
  /** Undefined where the store does not know the log of this host. */
  readonly chain: Row | undefined;
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
  private readonly writer: Writer;
  private readonly named: <T>(action: () => Promise<T>) => Promise<T>;
  private readonly beginning: Promise<Beginning>;
  /** The id of the log; undefined where there is none yet. */
  private log: string | undefined;
  /** Whether the id is not beside the log yet. */
  private isNew = false;
  /** The first failure. For every later query the server only says that something failed before. */
  private failure: unknown;
  /** Writes that were sent and not awaited yet. */
  private written: Promise<unknown>[] = [];

  /** `named`: adds the name of the store to errors. Throws as LogPlace.id(). */
  constructor(client: Client, writer: Writer, named: <T>(action: () => Promise<T>) => Promise<T>) {
    this.client = client;
    this.writer = writer;
    this.named = named;
    this.log = writer.log.id();
    this.beginning = quiet(this.begin());
    this.statements = {
      all: (sql, values) => this.all(sql, values),
      run: (sql, values) => this.run(sql, values),
      write: (sql, values, stored) => this.write(sql, values, stored),
      chain: async () => {
        const { chain } = await this.beginning;
        if (chain === undefined) throw unknownLog(writer.log.name, writer.thisHost);
        return chain;
      },
      clockMs: async () => (await this.beginning).clockMs,
      dialect: DIALECT,
      log: {
        id: async () => {
          await this.beginning;
          return this.log ?? '';
        },
        isNamed: async () => (await this.beginning).chain?.['is_named'] === true,
        keepLogId: () => this.keepLogId(),
        renewLog: () => this.renewLog(),
      },
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
    const [, locked] = await this.named(() => Promise.all([this.reach(), this.log === undefined ? undefined : this.lockChain()]));
    this.hasBegun = true;
    const chain = locked ?? (await this.named(() => this.firstHead()));
    const { clock_ms: clockMs } = chain ?? (await this.named(() => this.direct(`SELECT ${CLOCK}`))) ?? {};
    return { chain, clockMs: Number(clockMs) };
  }

  private async lockChain(): Promise<Row | undefined> {
    return await this.direct(LOCKED_CHAIN);
  }

  /**
   * The head of a log that the store does not know yet. Undefined where this host may not begin one: it has a log of another store, or the
   * store has another log under its name.
   */
  private async firstHead(): Promise<Row | undefined> {
    const present = this.log;
    // Another process of this host may begin the log at this moment. It keeps the id before the first record.
    if (present === undefined && this.writer.log.hasRecords() && this.writer.log.id() === undefined) return undefined;
    const proposed = present ?? newLogId();
    await this.direct(FIRST_LOG, { log: proposed });
    const latest = String((await this.direct(LATEST_LOG))?.['log']);
    if (present !== undefined && latest !== present) return undefined;
    this.log = latest;
    if (latest === proposed) await this.direct(FIRST_HEAD, { ...NO_RECORD });
    const chain = await this.lockChain();
    if (present !== undefined) return chain;
    // It may have kept the id while this one waited for the lock.
    const kept = this.writer.log.id();
    if (kept !== undefined) return kept === latest ? chain : undefined;
    this.isNew = true;
    // Without an id beside it, the log has none of its records yet.
    return chain?.['seq'] === chain?.['lacking'] ? chain : undefined;
  }

  private async keepLogId(): Promise<void> {
    await this.beginning;
    if (!this.isNew || this.log === undefined) return;
    this.writer.log.keep(this.log);
    this.isNew = false;
  }

  private async renewLog(): Promise<void> {
    await this.beginning;
    this.log = newLogId();
    this.isNew = true;
    await this.run(FIRST_HEAD, { ...NO_RECORD });
    await this.keepLogId();
  }

  /** The first row that `sql` gives, without waiting for the beginning. */
  private async direct(sql: string, values: Values = {}): Promise<Row | undefined> {
    return (await this.client.query<Row>(prepared(sql, { ...this.own(), ...values }))).rows[0];
  }

  /** The values that each statement may use. */
  private own(): Values {
    return { host: this.writer.thisHost, log: this.log ?? '' };
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
    // Its values may include the id of the log.
    if (this.log === undefined) await this.beginning;
    this.gather();
    try {
      return await this.named(() => this.client.query<Row>(prepared(sql, { ...values, ...this.own() })));
    } catch (error) {
      throw (this.failure ??= error);
    }
  }
}

function newLogId(): string {
  return randomBytes(16).toString('hex');
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

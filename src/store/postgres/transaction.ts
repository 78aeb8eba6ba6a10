/**
 * A transaction on a connection to PostgreSQL. Questions are sent without waiting for what was sent before them to be answered, so that a
 * decision takes a few round trips: what begins it goes with its first question, what it writes with its next, and the last of it with COMMIT.
 */
import { createHash } from 'node:crypto';
import type { Client, QueryResult } from 'pg';
import { NotpError } from '../../error.ts';
import { checkStored, COUNTS, returning } from '../row-seal.ts';
import { presentHead } from '../rows.ts';
import type { Row, Values } from '../row.ts';
import type { Dialect, Statements } from '../statements.ts';

/** How long a decision waits in all, for the server and for others' decisions, before it is refused. */
export const DEADLINE_MS = 20_000;

const DIALECT: Dialect = {
  here: 'host = $host',
  hostColumn: 'host, ',
  hostValue: '$host, ',
  lock: ' FOR UPDATE',
  heads: 'SELECT host, seq, hash, lacking, mac FROM chain ORDER BY host',
  marks: `SELECT seq, hash, mac FROM mark WHERE host = CASE WHEN $of = '' THEN $host ELSE $of END`,
  lockEnrolments: ' FOR UPDATE OF enrolment',
  // Waits for who has a row of them, as every decision does that changes anything.
  lockAll: (tables) => `LOCK TABLE ${tables.join(', ')} IN EXCLUSIVE MODE`,
  // An UPDATE takes space like an INSERT here.
  reserves: false,
  joined: (flood) => `LEFT JOIN ${flood} ON ${flood}.host = $host AND ${flood}."user" = enrolment."user"`,
  tally: (flood) => `SELECT known."user", ${COUNTS.join(', ')}, mac
    FROM (SELECT CASE WHEN EXISTS (SELECT 1 FROM enrolment WHERE "user" = $user) THEN $user ELSE '' END AS "user") AS known
    LEFT JOIN ${flood} ON host = $host AND ${flood}."user" = known."user"`,
};

/** With the time, which costs no question of its own: the hosts' clocks may differ, and this one is for all of them. */
const LOCKED_CHAIN = `SELECT seq, hash, lacking, mac, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS clock_ms FROM chain WHERE host = $host${DIALECT.lock}`;

/** While a host gets another name, some of its processes have the one and some the other, and each a head of its own: the log is one. */
const LOCKED_LOG = 'SELECT pg_advisory_xact_lock(hashtextextended($log, 0))';

/** Who writes: what this host is called, and what its log is. */
interface Writer {
  readonly thisHost: string;
  readonly logName: string;
}

/** What the first answer holds. */
interface Beginning {
  readonly chain: Row;
  readonly clockMs: number;
}

export class PostgresTransaction {
  readonly statements: Omit<Statements, 'seal'>;
  /** Whether the server has answered: before that, nothing was learnt or done. */
  hasBegun = false;
  /** Whether it answers at all, though it may let us wait for the lock. */
  isReached = false;
  /** Whether anything was sent that changes something: before that, its work wrote nothing to a log either. */
  hasWritten = false;
  private readonly client: Client;
  private readonly thisHost: string;
  private readonly logName: string;
  private readonly named: <T>(action: () => Promise<T>) => Promise<T>;
  private readonly beginning: Promise<Beginning>;
  /** The first failure: of what comes after it the server says no more than that something failed before. */
  private failure: unknown;
  /** Sent, and not waited for yet. */
  private written: Promise<unknown>[] = [];

  /** `named`: has what fails say of which store. */
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

  /** Throws also where the server undid it all, because a statement before had failed. */
  async commit(): Promise<void> {
    await this.beginning;
    this.gather();
    await this.named(async () => {
      const [committed] = await Promise.all([this.client.query('COMMIT'), ...this.written]);
      if (committed.command !== 'COMMIT') throw new NotpError('store_unavailable', 'the server did not commit');
    });
  }

  /** Gives false where the connection is of no more use. */
  async rollBack(): Promise<boolean> {
    try {
      await this.client.query('ROLLBACK');
      return true;
    } catch {
      return false;
    }
  }

  /** What is sent before anything else is waited for goes as one packet. */
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
        this.reached(),
        this.client.query(prepared(LOCKED_LOG, { log: this.logName })),
        this.client.query<Row>(prepared(LOCKED_CHAIN, { host: this.thisHost })),
      ]),
    );
    this.hasBegun = true;
    return { chain: presentHead(rows[0]), clockMs: Number(rows[0]?.['clock_ms']) };
  }

  private async reached(): Promise<void> {
    await this.client.query('BEGIN READ WRITE');
    this.isReached = true;
  }

  private async all(sql: string, values: Values = {}): Promise<readonly Row[]> {
    const asked = quiet(this.ask(sql, values));
    // A question that is not inside the transaction has asked nothing.
    await this.beginning;
    const { rows } = await asked;
    // They were answered before it.
    await this.named(() => Promise.all(this.written));
    return rows;
  }

  private async run(sql: string, values: Values = {}): Promise<void> {
    // Outside the transaction it would be done for good.
    await this.beginning;
    this.hasWritten = true;
    this.written.push(quiet(this.ask(sql, values)));
  }

  private async write(sql: string, values: Values, stored: Values): Promise<void> {
    await this.beginning;
    this.hasWritten = true;
    const taken = async (): Promise<void> => {
      const { rows } = await this.ask(returning(sql, stored), values);
      await this.named(async () => {
        await Promise.resolve();
        checkStored(sql, rows, stored);
      });
    };
    this.written.push(quiet(taken()));
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

/** The same promise, for one that may be waited for later or never. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** `$name` as PostgreSQL has it: $1, and the values in their order; read by the server once in a connection. */
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
  // By what it says: where a pooler mixes up whose connection is whose, another statement is never meant by it.
  return { name: createHash('sha256').update(text).digest('hex').slice(0, 32), text, names };
}

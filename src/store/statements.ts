/** The statements of a database inside a transaction, and the differences between databases. */
import type { Row, Values } from './row.ts';
import type { RowSeal } from './row-seal.ts';
import type { Flood } from './store.ts';

/** A database inside a transaction. Its promises reject with `store_unavailable`. */
export interface Statements {
  /** The rows that `sql` gives. */
  readonly all: (sql: string, values?: Values) => Promise<readonly Row[]>;
  /** Runs a statement that may change no row. */
  readonly run: (sql: string, values?: Values) => Promise<void>;
  /**
   * Writes one row with `sql`. Rejects, at the latest when the transaction ends, where the stored row does not have the values of
   * `stored`; see checkStored().
   */
  readonly write: (sql: string, values: Values, stored: Values) => Promise<void>;
  /** The head of the chain as the transaction found it, where that is known without a query. */
  readonly chain?: () => Promise<Row>;
  /** The database's time when the transaction began, in milliseconds, where many hosts share that clock. */
  readonly clockMs?: () => Promise<number>;
  readonly dialect: Dialect;
  /** The identity of this host's log in a database that many share; undefined where it is alone. */
  readonly log?: LogIdentity;
  /** The seal that proves the rows. */
  readonly seal: RowSeal;
}

/** What ties the log of this host to a database that many share, whatever the host is called. */
export interface LogIdentity {
  /** The id of the log; empty where the log is not known. */
  readonly id: () => Promise<string>;
  /** Whether the database knows the log under the present name of the host. */
  readonly isNamed: () => Promise<boolean>;
  /** See Transaction. */
  readonly keepLogId: () => Promise<void>;
  readonly renewLog: () => Promise<void>;
}

/** The id of this host's log; empty in a database that belongs to one host. */
export async function logIn({ log }: Pick<Statements, 'log'>): Promise<string> {
  return (await log?.id()) ?? '';
}

/** The differences between databases. */
export interface Dialect {
  /** The condition for the rows of this host's log, where many hosts share a database. */
  readonly here: string;
  /** The prefix of the columns and values of a row that belongs to one log. */
  readonly logColumn: string;
  readonly logValue: string;
  /** The query for the heads of all hosts that share the database. */
  readonly heads: string;
  /** The query for the marks of the log `$of`, this host's where it is empty; undefined where none are kept. */
  readonly marks?: string;
  /** The end of a SELECT whose rows nobody else may change until the transaction ends. */
  readonly lock: string;
  /** The same for a SELECT that joins enrolments with other tables. */
  readonly lockEnrolments: string;
  /** The statement that locks `tables` against changes until the transaction ends, where transactions run in parallel. */
  readonly lockAll?: (tables: readonly string[]) => string;
  /** The JOIN of the counts of `flood` with the enrolments. */
  readonly joined: (flood: Flood) => string;
  /** The query for the counts of `$user`, or of unknown names where `$user` has no enrolment. */
  readonly tally: (flood: Flood) => string;
  /** Whether an enrolment gets all its rows when it is made, so that a login needs no space. */
  readonly reserves: boolean;
}

/** How a database is asked inside a transaction, and in what databases differ. */
import type { Row, Values } from './row.ts';
import type { RowSeal } from './row-seal.ts';
import type { Flood } from './store.ts';

/** A database inside a transaction. Its promises reject with `store_unavailable`. */
export interface Statements {
  /** The rows that `sql` gives. */
  readonly all: (sql: string, values?: Values) => Promise<readonly Row[]>;
  /** Does what may change no row. */
  readonly run: (sql: string, values?: Values) => Promise<void>;
  /** Writes one row with `sql`. Rejects, at the latest when the transaction ends, where the row does not have the values of `stored` then; see checkStored(). */
  readonly write: (sql: string, values: Values, stored: Values) => Promise<void>;
  /** The head of the chain as the transaction found it, where that is known without asking. */
  readonly chain?: () => Promise<Row>;
  /** What the database's clock said when the transaction began, in milliseconds, where that clock is one for many hosts. */
  readonly clockMs?: () => Promise<number>;
  readonly dialect: Dialect;
  /** What this host is called in a database that many share; empty where it is alone. */
  readonly host: string;
  /** What proves the rows. */
  readonly seal: RowSeal;
}

/** What differs. */
export interface Dialect {
  /** What holds for the rows of this host, where a database is shared by many: a condition. */
  readonly here: string;
  /** Before the columns and values of a row that is of this host. */
  readonly hostColumn: string;
  readonly hostValue: string;
  /** Asks for the heads of the hosts that share it. */
  readonly heads: string;
  /** Asks for the marks of the chain of `$of`, this host where it is empty; undefined where none are kept. */
  readonly marks?: string;
  /** After a SELECT of rows that nobody else may change until the transaction ends. */
  readonly lock: string;
  /** The same where it joins them with others. */
  readonly lockEnrolments: string;
  /** Keeps everybody from changing `tables` until the transaction ends, where a transaction is not alone. */
  readonly lockAll?: (tables: readonly string[]) => string;
  /** Joins the counts of `flood` to the enrolments. */
  readonly joined: (flood: Flood) => string;
  /** Asks for what is counted of `$user`, or of nobody where `$user` has no enrolment. */
  readonly tally: (flood: Flood) => string;
  /** Whether an enrolment has all its rows from the beginning, so that a login needs no space. */
  readonly reserves: boolean;
}

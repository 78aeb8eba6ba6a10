/**
 * The embedded store, on node:sqlite. A login updates rows in place and inserts none. The rollback journal keeps its space
 * (`journal_mode=PERSIST`), and the database keeps a few free pages. So a login needs no new block, and works on a full disk.
 * `synchronous=FULL`: committed means on the disk.
 */
import { DatabaseSync } from 'node:sqlite';
import { messageOf, NotpError } from '../../error.ts';
import { TOUCHED_SLOTS } from '../backlog.ts';
import { newerSchema } from '../newer.ts';
import { checkStored, returning, UNKEYED, type RowSeal } from '../row-seal.ts';
import type { Store, StoreOptions, Transaction } from '../store.ts';
import { timeLeft } from '../clock.ts';
import { keptFile } from '../rows.ts';
import type { Row, Values } from '../row.ts';
import { SCHEMAS } from './schema.ts';
import { filesOf, SEALED_FILES, transactionOn } from '../tables.ts';
import type { Dialect, Statements } from '../statements.ts';

/** How long a decision waits for other decisions before it is refused. */
const BUSY_TIMEOUT_MS = 20_000;
const RESERVE_BYTES = 32 * 1024;
const MIN_FREE_PAGES = 4;

/** All rows belong to one host, and only one transaction runs at a time. */
const DIALECT: Dialect = {
  here: 'TRUE',
  logColumn: '',
  logValue: '',
  lock: '',
  heads: 'SELECT NULL AS host, NULL AS log, 0 AS seq, NULL AS hash WHERE FALSE',
  lockEnrolments: '',
  reserves: true,
  joined: (flood) => `LEFT JOIN ${flood} ON ${flood}."user" = enrolment."user"`,
  tally: (flood) => `SELECT * FROM ${flood} WHERE "user" IN ($user, '') ORDER BY "user" DESC LIMIT 1`,
};

/**
 * Opens the database at `path`, and makes it where it is missing and `create` is set. The caller has checked the path and set the
 * umask. Throws `store_unavailable`.
 */
export function openSqliteStore(path: string, { create, rows = UNKEYED, untilMs: openUntilMs = Infinity }: StoreOptions): Store {
  const waitMs = timeLeft(openUntilMs, BUSY_TIMEOUT_MS);
  const database = unavailable(path, () => connect(path, create, waitMs));
  return {
    exclusively: (work, untilMs = Infinity) => inTurn(path, () => exclusively(path, database, rows, work, untilMs)),
    sealedFiles: (user) => promised(path, () => database.prepare(SEALED_FILES).all(filesOf(user)).map(keptFile)),
    close: () => {
      database.close();
    },
  };
}

function connect(path: string, create: boolean, waitMs: number): DatabaseSync {
  const database = new DatabaseSync(create ? path : existing(path), { timeout: waitMs });
  try {
    database.exec('PRAGMA journal_mode = PERSIST; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF');
    refusePrograms(database);
    bringUpToDate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Refuses views and triggers: they are programs, which may never end. The file may be a user's, and root may open it. */
function refusePrograms(database: DatabaseSync): void {
  const program = database.prepare(`SELECT type FROM sqlite_schema WHERE type IN ('view', 'trigger') LIMIT 1`).get();
  if (program !== undefined) throw new Error(`it has a ${String(program['type'])}, and notp makes none`);
}

/** Upgrades the tables. Throws where they are of a newer release, or cannot be made; then nothing was changed. */
function bringUpToDate(database: DatabaseSync): void {
  if (version(database) < SCHEMAS.length) upgrade(database);
  if (version(database) !== SCHEMAS.length) throw newerSchema('store_unavailable', version(database), SCHEMAS.length);
}

function upgrade(database: DatabaseSync): void {
  database.exec('BEGIN EXCLUSIVE');
  try {
    // Another process may have upgraded them first.
    for (const schema of SCHEMAS.slice(version(database))) database.exec(schema);
    database.exec(`PRAGMA user_version = ${String(Math.max(version(database), SCHEMAS.length))}; COMMIT`);
    database.exec(TOUCHED_SLOTS);
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** Rolls back, where SQLite has not done so by itself. */
function rollBack(database: DatabaseSync): void {
  if (database.isTransaction) database.exec('ROLLBACK');
}

function version(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}

/** The URI of an existing file (sqlite.org/uri.html); "?" and "#" may be part of its name. */
function existing(path: string): string {
  return `file:${path.split('/').map(encodeURIComponent).join('/')}?mode=rw`;
}

const turns = new Map<string, Promise<unknown>>();

/**
 * Runs this process's transactions on one file one after the other. SQLite waits for a lock without running the event loop: a
 * second transaction would keep the first, which waits for its audit line, from ending.
 */
function inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
  const mine = (turns.get(path) ?? Promise.resolve()).then(work);
  turns.set(
    path,
    mine.catch(() => undefined),
  );
  return mine;
}

async function exclusively<T>(
  path: string,
  database: DatabaseSync,
  seal: RowSeal,
  work: (transaction: Transaction) => Promise<T>,
  untilMs: number,
): Promise<T> {
  const waitMs = timeLeft(untilMs, BUSY_TIMEOUT_MS);
  unavailable(path, () => {
    database.exec(`PRAGMA busy_timeout = ${String(waitMs)}; BEGIN EXCLUSIVE`);
  });
  try {
    const result = await work(transactionOn(statementsOf(path, database, seal), () => promised(path, () => keepFreePages(database))));
    unavailable(path, () => {
      database.exec('COMMIT');
    });
    return result;
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

function statementsOf(path: string, database: DatabaseSync, seal: RowSeal): Statements {
  return {
    all: (sql, values: Values = {}) => promised(path, (): Row[] => database.prepare(sql).all(values)),
    run: (sql, values: Values = {}) => promised(path, () => void database.prepare(sql).run(values)),
    write: async (sql, values, stored) => {
      checkStored(sql, await promised(path, (): Row[] => database.prepare(returning(sql, stored)).all(values)), stored);
    },
    dialect: DIALECT,
    seal,
  };
}

/** Reserves free pages, so that the journal of a later login, and rows that it makes longer, need no new space. */
function keepFreePages(database: DatabaseSync): void {
  const free = Number(database.prepare('PRAGMA freelist_count').get()?.['freelist_count']);
  if (free < MIN_FREE_PAGES) database.exec(`INSERT INTO reserve VALUES (zeroblob(${String(RESERVE_BYTES)})); DELETE FROM reserve`);
}

function promised<T>(path: string, action: () => T): Promise<T> {
  try {
    return Promise.resolve(unavailable(path, action));
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Runs `action`, and throws SQLite's errors as `store_unavailable`. */
function unavailable<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new NotpError(
      'store_unavailable',
      `${path}: ${messageOf(error)}`,
      error instanceof NotpError && error.hint !== undefined
        ? error.hint
        : 'check the disk, and the owner and mode of the file and its folder',
      { cause: error },
    );
  }
}

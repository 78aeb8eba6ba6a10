/**
 * The embedded store, on node:sqlite. A login updates rows in place and inserts none; the rollback journal keeps
 * its space (`journal_mode=PERSIST`) and the database keeps a few free pages, so that a login needs no new block
 * and works on a full disk. `synchronous=FULL`: committed means on the disk.
 */
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { messageOf, NotpError } from '../error.ts';
import type { ChainHead, Connection, Enrolment, Status, Store, Transaction } from './store.ts';

/** How long a decision waits for the others' decisions before it is refused. */
const BUSY_TIMEOUT_MS = 20_000;
const CONNECTION_SLOTS = 8;
const RESERVE_BYTES = 32 * 1024;
const MIN_FREE_PAGES = 4;

/** What each version of the schema adds to the one before; the version is the number of those that were applied. */
const SCHEMAS = [
  `
  CREATE TABLE chain (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
  INSERT INTO chain VALUES (1, 0, '${'0'.repeat(64)}');
  CREATE TABLE enrolment (
    user TEXT NOT NULL, context TEXT NOT NULL,
    id TEXT NOT NULL, pending_id TEXT NOT NULL, status TEXT NOT NULL,
    last_step INTEGER NOT NULL, tokens REAL NOT NULL, as_of_ms INTEGER NOT NULL, spent TEXT NOT NULL,
    pending_tokens REAL NOT NULL, pending_spent TEXT NOT NULL, last_accepted_ms INTEGER NOT NULL,
    PRIMARY KEY (user, context)) STRICT, WITHOUT ROWID;
  CREATE TABLE connection (
    user TEXT NOT NULL, context TEXT NOT NULL, slot INTEGER NOT NULL,
    id TEXT NOT NULL, pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL, boot_id TEXT NOT NULL, turn INTEGER NOT NULL,
    PRIMARY KEY (user, context, slot)) STRICT, WITHOUT ROWID;
  CREATE TABLE reserve (filler BLOB) STRICT;
`,
  `
  ALTER TABLE enrolment ADD COLUMN pending_inherits INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE counter (id TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`,
  `
  CREATE TABLE peer (
    user TEXT NOT NULL, context TEXT NOT NULL, slot INTEGER NOT NULL,
    id TEXT NOT NULL, digest TEXT NOT NULL, accepted_ms INTEGER NOT NULL,
    PRIMARY KEY (user, context, slot)) STRICT, WITHOUT ROWID;
  INSERT INTO peer SELECT user, context, slot, '${'0'.repeat(32)}', '${'0'.repeat(64)}', 1099511627776 FROM connection;
`,
];

/** Opens the database at `path`, making it where there is none and `create` is set. The caller has checked the path and set the umask. Throws `store_unavailable`. */
export function openSqliteStore(path: string, { create }: { create: boolean }): Store {
  const database = unavailable(path, () => connect(path, create));
  return {
    exclusively: (work) => inTurn(path, () => exclusively(path, database, work)),
    close: () => {
      database.close();
    },
  };
}

function connect(path: string, create: boolean): DatabaseSync {
  const database = new DatabaseSync(create ? path : existing(path), { timeout: BUSY_TIMEOUT_MS });
  try {
    database.exec('PRAGMA journal_mode = PERSIST; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF');
    if (version(database) < SCHEMAS.length) upgrade(database);
    if (version(database) !== SCHEMAS.length)
      throw new Error(`its schema ${String(version(database))} is of a newer notp than this one, which knows ${String(SCHEMAS.length)}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** The URI of a file that must be there (sqlite.org/uri.html); "?" and "#" may be part of its name. */
function existing(path: string): string {
  return `file:${path.split('/').map(encodeURIComponent).join('/')}?mode=rw`;
}

function version(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}

function upgrade(database: DatabaseSync): void {
  database.exec('BEGIN EXCLUSIVE');
  try {
    // Another process may have been first.
    for (const schema of SCHEMAS.slice(version(database))) database.exec(schema);
    database.exec(`PRAGMA user_version = ${String(Math.max(version(database), SCHEMAS.length))}; COMMIT`);
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

const turns = new Map<string, Promise<unknown>>();

/**
 * Transactions of this process on one file, one after the other: SQLite waits for a lock without letting the event
 * loop go on, so that a second transaction would keep the first, which waits for its audit line, from ending.
 */
function inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
  const mine = (turns.get(path) ?? Promise.resolve()).then(work);
  turns.set(
    path,
    mine.catch(() => undefined),
  );
  return mine;
}

async function exclusively<T>(path: string, database: DatabaseSync, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  unavailable(path, () => {
    database.exec('BEGIN EXCLUSIVE');
  });
  try {
    const result = await work(transactionOn(path, database));
    unavailable(path, () => {
      database.exec('COMMIT');
    });
    return result;
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** SQLite rolls back by itself after some failures; where it did not, we do. */
function rollBack(database: DatabaseSync): void {
  if (database.isTransaction) database.exec('ROLLBACK');
}

function unavailable<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new NotpError(
      'store_unavailable',
      `${path}: ${messageOf(error)}`,
      'check the disk, and the owner and mode of the file and its folder',
      { cause: error },
    );
  }
}

type Row = Record<string, SQLOutputValue>;
const STATUSES: readonly Status[] = ['active', 'revoked', 'invited'];

function transactionOn(path: string, database: DatabaseSync): Transaction {
  const run = (sql: string, values: Record<string, string | number>): Promise<void> =>
    promised(path, () => void database.prepare(sql).run(values));
  const get = (sql: string, values: Record<string, string | number> = {}): Promise<Row | undefined> =>
    promised(path, () => database.prepare(sql).get(values));
  return {
    enrolment: async (user, context) => {
      const row = await get('SELECT * FROM enrolment WHERE user = $user AND context = $context', { user, context });
      return row === undefined ? undefined : enrolmentOf(row);
    },
    enrolmentsOf: async (user) => {
      const rows = await promised(path, () =>
        database.prepare('SELECT * FROM enrolment WHERE user = $user ORDER BY context').all({ user }),
      );
      return rows.map(enrolmentOf);
    },
    enrolments: async () => {
      const rows = await promised(path, () => database.prepare('SELECT * FROM enrolment ORDER BY user, context').all());
      return rows.map(enrolmentOf);
    },
    insert: async (enrolment) => {
      await run(
        `INSERT INTO enrolment VALUES ($user, $context, $id, $pending_id, $status, $last_step, $tokens, $as_of_ms, $spent,
           $pending_tokens, $pending_spent, $last_accepted_ms, $pending_inherits)`,
        rowOf(enrolment),
      );
      await promised(path, () => {
        reserve(database, enrolment);
      });
    },
    save: (enrolment) =>
      run(
        `UPDATE enrolment SET id = $id, pending_id = $pending_id, status = $status, last_step = $last_step, tokens = $tokens,
           as_of_ms = $as_of_ms, spent = $spent, pending_tokens = $pending_tokens, pending_spent = $pending_spent,
           last_accepted_ms = $last_accepted_ms, pending_inherits = $pending_inherits WHERE user = $user AND context = $context`,
        rowOf(enrolment),
      ),
    head: async () => headOf(await get('SELECT seq, hash FROM chain')),
    moveHead: (head) => run('UPDATE chain SET seq = $seq, hash = $hash', { ...head }),
    remembers: async ({ user, context, id }, connection) =>
      (await get(
        `SELECT slot FROM connection WHERE user = $user AND context = $context AND id = $id
           AND pid = $pid AND start_ticks = $startTicks AND boot_id = $bootId`,
        { user, context, id, ...connection },
      )) !== undefined,
    remember: ({ user, context, id }, connection: Connection) =>
      run(
        `UPDATE connection SET id = $id, pid = $pid, start_ticks = $startTicks, boot_id = $bootId,
           turn = 1 + (SELECT max(turn) FROM connection WHERE user = $user AND context = $context)
         WHERE user = $user AND context = $context AND slot =
           (SELECT slot FROM connection WHERE user = $user AND context = $context ORDER BY turn, slot LIMIT 1)`,
        { user, context, id, ...connection },
      ),
    lastAccepted: async ({ user, context, id }, digest) => {
      const row = await get(
        'SELECT max(accepted_ms) AS ms FROM peer WHERE user = $user AND context = $context AND id = $id AND digest = $digest',
        { user, context, id, digest },
      );
      return row === undefined || row['ms'] === null ? undefined : Number(row['ms']);
    },
    rememberPeer: ({ user, context, id }, { digest, acceptedMs }) =>
      run(
        `UPDATE peer SET id = $id, digest = $digest, accepted_ms = $acceptedMs
         WHERE user = $user AND context = $context AND slot =
           (SELECT slot FROM peer WHERE user = $user AND context = $context
            ORDER BY id = $id AND digest = $digest DESC, id = $id, accepted_ms, slot LIMIT 1)`,
        { user, context, id, digest, acceptedMs },
      ),
    counter: async (id) => {
      const row = await get('SELECT next FROM counter WHERE id = $id', { id });
      return row === undefined ? undefined : Number(row['next']);
    },
    setCounter: (id, next) => run('INSERT INTO counter VALUES ($id, $next) ON CONFLICT (id) DO UPDATE SET next = $next', { id, next }),
    dropCounter: (id) => run('DELETE FROM counter WHERE id = $id', { id }),
  };
}

/** The rows and free pages that later logins of this enrolment update, so that they need no space of their own. */
function reserve(database: DatabaseSync, { user, context }: Enrolment): void {
  const slot = database.prepare(
    `INSERT INTO connection VALUES (?, ?, ?, '${'0'.repeat(32)}', 4194304, 1099511627776, '${'0'.repeat(36)}', 65536)`,
  );
  const peer = database.prepare(`INSERT INTO peer VALUES (?, ?, ?, '${'0'.repeat(32)}', '${'0'.repeat(64)}', 1099511627776)`);
  for (let i = 0; i < CONNECTION_SLOTS; i++) {
    slot.run(user, context, i);
    peer.run(user, context, i);
  }
  const free = Number(database.prepare('PRAGMA freelist_count').get()?.['freelist_count']);
  if (free < MIN_FREE_PAGES) database.exec(`INSERT INTO reserve VALUES (zeroblob(${String(RESERVE_BYTES)})); DELETE FROM reserve`);
}

function rowOf(enrolment: Enrolment): Record<string, string | number> {
  const { user, context, id, pendingId: pending_id, status, state, pendingState, lastAcceptedMs: last_accepted_ms } = enrolment;
  const current = { last_step: state.lastStep, tokens: state.bucket.tokens, as_of_ms: state.bucket.asOfMs, spent: state.spent };
  const { bucket, spent } = pendingState ?? state;
  const pending = { pending_id, pending_tokens: bucket.tokens, pending_spent: spent, pending_inherits: pendingState === undefined ? 1 : 0 };
  return { user, context, id, status, ...current, ...pending, last_accepted_ms };
}

function enrolmentOf(row: Row): Enrolment {
  const asOfMs = Number(row['as_of_ms']);
  return {
    user: String(row['user']),
    context: String(row['context']),
    id: String(row['id']),
    pendingId: String(row['pending_id']),
    // What a newer notp may have written is no reason to let anybody in.
    status: STATUSES.find((status) => status === row['status']) ?? 'revoked',
    state: { lastStep: Number(row['last_step']), bucket: { tokens: Number(row['tokens']), asOfMs }, spent: String(row['spent']) },
    pendingState:
      row['pending_inherits'] === 1
        ? undefined
        : { lastStep: -1, bucket: { tokens: Number(row['pending_tokens']), asOfMs }, spent: String(row['pending_spent']) },
    lastAcceptedMs: Number(row['last_accepted_ms']),
  };
}

function headOf(row: Row | undefined): ChainHead {
  if (row === undefined) throw new NotpError('store_unavailable', 'the store has lost the head of the audit chain');
  return { seq: Number(row['seq']), hash: String(row['hash']) };
}

function promised<T>(path: string, action: () => T): Promise<T> {
  try {
    return Promise.resolve(unavailable(path, action));
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}

/** What a transaction does on the tables of the embedded store. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { messageOf, NotpError } from '../error.ts';
import type { LoginState } from '../verdict/decide.ts';
import { NO_REFUSALS } from './sqlite-schema.ts';
import { SHARED_BYTES, type ChainHead, type Connection, type Enrolment, type Refusals, type Status, type Transaction } from './store.ts';

const CONNECTION_SLOTS = 8;
const RESERVE_BYTES = 32 * 1024;
const MIN_FREE_PAGES = 4;

type Row = Record<string, SQLOutputValue>;
const STATUSES: readonly Status[] = ['active', 'revoked', 'invited'];

/** Inside an exclusive transaction on the database at `path`. */
export function transactionOn(path: string, database: DatabaseSync): Transaction {
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
    refusals: async (user) =>
      refusalsOf(await get("SELECT * FROM refusals WHERE user IN ($user, '') ORDER BY user DESC LIMIT 1", { user })),
    saveRefusals: ({ user, records, count, sinceMs, ref, shared }) =>
      run(
        `UPDATE refusals SET tokens = $tokens, as_of_ms = $asOfMs, count = $count, since_ms = $sinceMs, ref = $ref, shared = $shared
         WHERE user = $user`,
        { user, ...records, count, sinceMs, ref, shared: shared.padEnd(SHARED_BYTES) },
      ),
    insert: async (enrolment) => {
      await run(
        `INSERT INTO enrolment VALUES ($user, $context, $id, $pending_id, $status, $last_step, $tokens, $as_of_ms, $spent,
           $pending_tokens, $pending_spent, $last_accepted_ms, $pending_inherits, $pending_last_step)`,
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
           last_accepted_ms = $last_accepted_ms, pending_inherits = $pending_inherits, pending_last_step = $pending_last_step
         WHERE user = $user AND context = $context`,
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
    formerChainKeys: async () => {
      const rows = await promised(path, () => database.prepare('SELECT key FROM former_chain_key ORDER BY key').all());
      return rows.map(({ key }) => new Uint8Array(Buffer.from(String(key), 'hex')));
    },
    keepChainKey: (key) =>
      run('INSERT INTO former_chain_key VALUES ($key) ON CONFLICT (key) DO NOTHING', { key: Buffer.from(key).toString('hex') }),
  };
}

/** The rows and free pages that later logins of this enrolment update, so that they need no space of their own. */
function reserve(database: DatabaseSync, { user, context }: Enrolment): void {
  database.prepare(`INSERT INTO refusals VALUES (?, ${NO_REFUSALS}) ON CONFLICT (user) DO NOTHING`).run(user);
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
  const { bucket, spent, lastStep: pending_last_step } = { ...state, ...pendingState };
  const pending = { pending_id, pending_tokens: bucket.tokens, pending_spent: spent, pending_last_step };
  return { user, context, id, status, ...current, ...pending, pending_inherits: INHERITED[inheritanceOf(pendingState)], last_accepted_ms };
}

/** What the file that is pending takes over: nothing, everything, or everything but the recovery codes. */
const INHERITED = { nothing: 0, all: 1, 'all but recovery codes': 2 } as const;

function inheritanceOf(pendingState: Partial<LoginState>): keyof typeof INHERITED {
  if (pendingState.lastStep !== undefined) return 'nothing';
  return pendingState.spent === undefined ? 'all' : 'all but recovery codes';
}

function pendingStateOf(row: Row, asOfMs: number): Partial<LoginState> {
  if (row['pending_inherits'] === INHERITED.all) return {};
  const spent = String(row['pending_spent']);
  if (row['pending_inherits'] === INHERITED['all but recovery codes']) return { spent };
  return { lastStep: Number(row['pending_last_step']), bucket: { tokens: Number(row['pending_tokens']), asOfMs }, spent };
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
    pendingState: pendingStateOf(row, asOfMs),
    lastAcceptedMs: Number(row['last_accepted_ms']),
  };
}

function refusalsOf(row: Row | undefined): Refusals {
  if (row === undefined) throw new NotpError('store_unavailable', 'the store has lost the counts of refusals');
  return {
    user: String(row['user']),
    records: { tokens: Number(row['tokens']), asOfMs: Number(row['as_of_ms']) },
    count: Number(row['count']),
    sinceMs: Number(row['since_ms']),
    ref: String(row['ref']),
    shared: String(row['shared']).trimEnd(),
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

/** What SQLite throws as `store_unavailable`. */
export function unavailable<T>(path: string, action: () => T): T {
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

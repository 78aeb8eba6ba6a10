/** What a transaction does on the tables, which are the same in each database: its statements, in what SQLite and PostgreSQL both understand. */
import { NotpError } from '../error.ts';
import { putTables, tablesOf } from './contents.ts';
import { outageOn } from './outage-tables.ts';
import type { LoginState } from '../verdict/decide.ts';
import {
  SHARED_BYTES,
  type ChainHead,
  type Connection,
  type Enrolment,
  type KeptFile,
  type Refusals,
  type Status,
  type Transaction,
} from './store.ts';

const CONNECTION_SLOTS = 8;
const FIRST_TURN = '65536';
/** What is counted of refusals, as columns. */
const COUNTS = ['tokens', 'as_of_ms', 'count', 'since_ms', 'ref', 'shared'];

/** A bucket that is full by any policy, from long ago. */
const NONE_REFUSED = { records: { tokens: 1e6 + 0.5, asOfMs: 0 }, count: 0, sinceMs: 2 ** 40, ref: '0'.repeat(8), shared: '' } as const;
/** The same as values, in as much space as some take. */
export const NO_REFUSALS = `1e6 + 0.5, 0, 0, 1099511627776, '${'0'.repeat(8)}', '${' '.repeat(SHARED_BYTES)}'`;

export type Row = Readonly<Record<string, unknown>>;
/** By name, as `$name` stands for them. */
export type Values = Readonly<Record<string, string | number>>;

/** A database inside a transaction. Its promises reject with `store_unavailable`. */
export interface Statements {
  /** The rows that `sql` gives. */
  readonly all: (sql: string, values?: Values) => Promise<readonly Row[]>;
  readonly run: (sql: string, values?: Values) => Promise<void>;
  /** The head of the chain as the transaction found it, where that is known without asking. */
  readonly head?: () => Promise<ChainHead>;
  readonly dialect: Dialect;
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
  /** After a SELECT of rows that nobody else may change until the transaction ends. */
  readonly lock: string;
  /** The same where it joins them with others. */
  readonly lockEnrolments: string;
  /** Keeps everybody from changing `tables` until the transaction ends, where a transaction is not alone. */
  readonly lockAll?: (tables: readonly string[]) => string;
  /** The refusals of `$user`, or of nobody where `$user` has no enrolment. */
  readonly refusals: string;
  /** Whether an enrolment has all its rows from the beginning, so that a login needs no space. */
  readonly reserves: boolean;
}

/** `reserved`: called when the rows of an enrolment were added. */
export function transactionOn(statements: Statements, reserved: () => Promise<void> = () => Promise.resolve()): Transaction {
  const { all, run, dialect } = statements;
  const { here, lock } = dialect;
  let moved: ChainHead | undefined;
  let counted: Refusals | undefined;
  const head = async (): Promise<ChainHead> =>
    moved ?? (await statements.head?.()) ?? headOf(await get(`SELECT seq, hash FROM chain WHERE ${here}`));
  const moveHead = async (next: ChainHead): Promise<void> => {
    await run(`UPDATE chain SET seq = $seq, hash = $hash WHERE ${here}`, { ...next });
    moved = next;
  };
  const get = async (sql: string, values: Values = {}): Promise<Row | undefined> => (await all(sql, values))[0];
  return {
    ...outageOn(statements),
    enrolment: async (user, context) => {
      const row = await get(`SELECT * FROM enrolment WHERE "user" = $user AND context = $context${lock}`, { user, context });
      return row === undefined ? undefined : enrolmentOf(row);
    },
    enrolmentsOf: async (user) => {
      const rows = await all(
        `SELECT enrolment.*, ${COUNTS.map((column) => `refusals.${column} AS refused_${column}`).join(', ')}
         FROM enrolment LEFT JOIN refusals ON ${here} AND refusals."user" = enrolment."user"
         WHERE enrolment."user" = $user ORDER BY context${dialect.lockEnrolments}`,
        { user },
      );
      // What a decision on them will ask for next.
      counted = rows[0] === undefined ? undefined : refusalsOf(user, rows[0], 'refused_');
      return rows.map(enrolmentOf);
    },
    enrolments: async () => (await all('SELECT * FROM enrolment ORDER BY "user", context')).map(enrolmentOf),
    refusals: async (user) => {
      if (counted?.user === user) return counted;
      const row = await get(dialect.refusals, { user });
      if (row === undefined) throw new NotpError('store_unavailable', 'the store has lost the counts of refusals');
      return refusalsOf(String(row['user']), row);
    },
    saveRefusals: async (refusals) => {
      const { user, records, count, sinceMs, ref, shared } = refusals;
      await run(
        `INSERT INTO refusals (${dialect.hostColumn}"user", ${COUNTS.join(', ')})
         VALUES (${dialect.hostValue}$user, $tokens, $asOfMs, $count, $sinceMs, $ref, $shared)
         ON CONFLICT (${dialect.hostColumn}"user") DO UPDATE SET ${COUNTS.map((column) => `${column} = excluded.${column}`).join(', ')}`,
        { user, ...records, count, sinceMs, ref, shared: shared.padEnd(SHARED_BYTES) },
      );
      counted = refusals;
    },
    insert: async (enrolment) => {
      await run(
        `INSERT INTO enrolment VALUES ($user, $context, $id, $pending_id, $status, $last_step, $tokens, $as_of_ms, $spent,
           $pending_tokens, $pending_spent, $last_accepted_ms, $pending_inherits, $pending_last_step)`,
        rowOf(enrolment),
      );
      counted = undefined;
      if (dialect.reserves) await reserve(statements, enrolment);
      await reserved();
    },
    save: (enrolment) =>
      run(
        `UPDATE enrolment SET id = $id, pending_id = $pending_id, status = $status, last_step = $last_step, tokens = $tokens,
           as_of_ms = $as_of_ms, spent = $spent, pending_tokens = $pending_tokens, pending_spent = $pending_spent,
           last_accepted_ms = $last_accepted_ms, pending_inherits = $pending_inherits, pending_last_step = $pending_last_step
         WHERE "user" = $user AND context = $context`,
        rowOf(enrolment),
      ),
    head,
    moveHead,
    heads: async () => (await all(dialect.heads)).map((row) => ({ host: String(row['host']), ...headOf(row) })),
    remembers: async ({ user, context, id }, connection) =>
      (await get(
        `SELECT slot FROM connection WHERE "user" = $user AND context = $context AND id = $id
           AND pid = $pid AND start_ticks = $startTicks AND boot_id = $bootId`,
        { user, context, id, ...connection },
      )) !== undefined,
    remember: ({ user, context, id }, connection: Connection) =>
      run(
        `INSERT INTO connection ("user", context, slot, id, pid, start_ticks, boot_id, turn)
         VALUES ($user, $context, coalesce(${unusedSlot('connection')},
             (SELECT slot FROM connection WHERE "user" = $user AND context = $context ORDER BY turn, slot LIMIT 1)),
           $id, $pid, $startTicks, $bootId,
           1 + (SELECT coalesce(max(turn), ${FIRST_TURN}) FROM connection WHERE "user" = $user AND context = $context))
         ON CONFLICT ("user", context, slot) DO UPDATE SET id = excluded.id, pid = excluded.pid,
           start_ticks = excluded.start_ticks, boot_id = excluded.boot_id, turn = excluded.turn`,
        { user, context, id, ...connection },
      ),
    lastAccepted: async ({ user, context, id }, digest) => {
      const row = await get(
        'SELECT max(accepted_ms) AS ms FROM peer WHERE "user" = $user AND context = $context AND id = $id AND digest = $digest',
        { user, context, id, digest },
      );
      return row === undefined || row['ms'] === null ? undefined : Number(row['ms']);
    },
    rememberPeer: ({ user, context, id }, { digest, acceptedMs }) =>
      run(
        `INSERT INTO peer ("user", context, slot, id, digest, accepted_ms)
         VALUES ($user, $context, coalesce(
             (SELECT min(slot) FROM peer WHERE "user" = $user AND context = $context AND id = $id AND digest = $digest),
             ${unusedSlot('peer')},
             (SELECT slot FROM peer WHERE "user" = $user AND context = $context ORDER BY id = $id, accepted_ms, slot LIMIT 1)),
           $id, $digest, $acceptedMs)
         ON CONFLICT ("user", context, slot) DO UPDATE SET id = excluded.id, digest = excluded.digest, accepted_ms = excluded.accepted_ms`,
        { user, context, id, digest, acceptedMs },
      ),
    counter: async (id) => {
      const row = await get(`SELECT next FROM counter WHERE id = $id${lock}`, { id });
      return row === undefined ? undefined : Number(row['next']);
    },
    setCounter: (id, next) => run('INSERT INTO counter VALUES ($id, $next) ON CONFLICT (id) DO UPDATE SET next = $next', { id, next }),
    dropCounter: (id) => run('DELETE FROM counter WHERE id = $id', { id }),
    sealed: async (user, context) => {
      const row = await get(`SELECT text FROM sealed WHERE "user" = $user AND context = $context${lock}`, { user, context });
      return row === undefined ? undefined : String(row['text']);
    },
    putSealed: (user, context, text) =>
      run('INSERT INTO sealed VALUES ($user, $context, $text) ON CONFLICT ("user", context) DO UPDATE SET text = $text', {
        user,
        context,
        text,
      }),
    dropSealed: (user, context) => run('DELETE FROM sealed WHERE "user" = $user AND context = $context', { user, context }),
    // Of all hosts: a key that several of them had is kept by the one that gave it up first.
    formerChainKeys: async () => {
      const rows = await all('SELECT DISTINCT key FROM former_chain_key ORDER BY key');
      return rows.map(({ key }) => new Uint8Array(Buffer.from(String(key), 'hex')));
    },
    keepChainKey: (key) =>
      run(`INSERT INTO former_chain_key (${dialect.hostColumn}key) VALUES (${dialect.hostValue}$key) ON CONFLICT DO NOTHING`, {
        key: Buffer.from(key).toString('hex'),
      }),
    contents: async () => ({ tables: await tablesOf(statements), head: await head() }),
    add: async (contents, told) => {
      const enrolled = async (user: string, context: string): Promise<void> => {
        if (dialect.reserves) await reserve(statements, { user, context });
      };
      await putTables(statements, contents.tables, { enrolled, told });
      await reserved();
      await moveHead(contents.head);
      counted = undefined;
    },
  };
}

/** The next slot of `$user` and `$context` in `table` that has no row yet; NULL where all have. */
function unusedSlot(table: 'connection' | 'peer'): string {
  return `(SELECT CASE WHEN count(*) < ${String(CONNECTION_SLOTS)} THEN CAST(count(*) AS integer) END
    FROM ${table} WHERE "user" = $user AND context = $context)`;
}

/** What sealedFiles() asks; `$all` is 1 where it is not of `$user` alone. */
export const SEALED_FILES = 'SELECT "user", context, text FROM sealed WHERE "user" = $user OR $all = 1 ORDER BY "user", context';

export function filesOf(user: string | undefined): Values {
  return { user: user ?? '', all: user === undefined ? 1 : 0 };
}

export function keptFile({ user, context, text }: Row): KeptFile {
  return { user: String(user), context: String(context), text: String(text) };
}

/** The rows that later logins of this enrolment update, so that they insert none. */
async function reserve({ run, dialect }: Statements, { user, context }: Pick<Enrolment, 'user' | 'context'>): Promise<void> {
  const { hostColumn, hostValue } = dialect;
  const columns = `${hostColumn}"user", tokens, as_of_ms, count, since_ms, ref, shared`;
  await run(`INSERT INTO refusals (${columns}) VALUES (${hostValue}$user, ${NO_REFUSALS}) ON CONFLICT DO NOTHING`, { user });
  const slots = Array.from({ length: CONNECTION_SLOTS }, (_, slot) => `$user, $context, ${String(slot)}`);
  const connection = `'${'0'.repeat(32)}', 4194304, 1099511627776, '${'0'.repeat(36)}', ${FIRST_TURN}`;
  const peer = `'${'0'.repeat(32)}', '${'0'.repeat(64)}', 1099511627776`;
  const rows = (filler: string): string => slots.map((slot) => `(${slot}, ${filler})`).join(', ');
  await run(`INSERT INTO connection VALUES ${rows(connection)}`, { user, context });
  await run(`INSERT INTO peer VALUES ${rows(peer)}`, { user, context });
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

const STATUSES: readonly Status[] = ['active', 'revoked', 'invited'];

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

/** What `row` counts of the refusals of `user`: none so far where it has nothing. */
function refusalsOf(user: string, row: Row, prefix = ''): Refusals {
  if (row[`${prefix}count`] === null) return { user, ...NONE_REFUSED };
  const [tokens, asOfMs, count, sinceMs, ref, shared] = COUNTS.map((column) => row[`${prefix}${column}`]);
  return {
    user,
    records: { tokens: Number(tokens), asOfMs: Number(asOfMs) },
    count: Number(count),
    sinceMs: Number(sinceMs),
    ref: String(ref),
    shared: String(shared).trimEnd(),
  };
}

/** Throws `store_unavailable` where there is none. */
export function headOf(row: Row | undefined): ChainHead {
  if (row === undefined) throw new NotpError('store_unavailable', 'the store has lost the head of the audit chain');
  return { seq: Number(row['seq']), hash: String(row['hash']) };
}

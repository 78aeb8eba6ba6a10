/** What a transaction does on the tables, which are the same in each database: its statements, in what SQLite and PostgreSQL both understand. */
import { NotpError } from '../error.ts';
import { escapeControls } from '../otp/escape.ts';
import { backlogOn } from './backlog.ts';
import { putTables, renewMacs, tablesOf } from './contents.ts';
import { outageOn } from './outage-tables.ts';
import { CHAIN, chainOf, COUNTS, enrolmentOf, NO_FLOOD, possibleHead, rowOf, tallyOf, type Chain, type Row, type Values } from './rows.ts';
import { drop, macOf, sealedRows, type RowSeal } from './row-seal.ts';
import { reserveSlots, slotsOn } from './slots.ts';
import { FLOODS, SHARED_BYTES, type ChainHead, type Enrolment, type Flood, type Tally, type Transaction } from './store.ts';

/** So many records of a host are between two marks, which nobody needs to change or remove; see examples/postgres-roles.sql. */
const MARK_EVERY = 50;

/** A database inside a transaction. Its promises reject with `store_unavailable`. */
export interface Statements {
  /** The rows that `sql` gives. */
  readonly all: (sql: string, values?: Values) => Promise<readonly Row[]>;
  /** Does what may change no row. */
  readonly run: (sql: string, values?: Values) => Promise<void>;
  /** Writes one row with `sql`. Rejects, at the latest when the transaction ends, where the row does not have the values of `stored` then; see checkStored(). */
  readonly write: (sql: string, values: Values, stored: Values) => Promise<void>;
  /** The head of the chain as the transaction found it, where that is known without asking. */
  readonly chain?: () => Promise<Chain>;
  /** What the database's clock said when the transaction began, in milliseconds, where that clock is one for many hosts. */
  readonly clockMs?: () => Promise<number>;
  readonly dialect: Dialect;
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

/** `reserved`: called when the rows of an enrolment were added. */
export function transactionOn(statements: Statements, reserved: () => Promise<void> = () => Promise.resolve()): Transaction {
  const { all, run, write, dialect, seal } = statements;
  const { here, lock } = dialect;
  let moved: Chain | undefined;
  const counted = new Map<Flood, Tally>();
  /** The enrolments that were asked for or made: no other is signed. */
  const known = new Set<string>();
  const chain = async (): Promise<Chain> => moved ?? (await statements.chain?.()) ?? chainOf(await get(`${CHAIN} WHERE ${here}`));
  const head = async (): Promise<ChainHead> => (await chain()).head;
  const { backlog, keepLine } = backlogOn(statements, chain);
  const moveHead = async (next: ChainHead, lacking = 0): Promise<void> => {
    const values = { ...next, lacking };
    await write(`UPDATE chain SET seq = $seq, hash = $hash, lacking = $lacking WHERE ${here}`, values, values);
    if (dialect.marks !== undefined && next.seq % MARK_EVERY === 0)
      await run(`INSERT INTO mark (${dialect.hostColumn}seq, hash) VALUES (${dialect.hostValue}$seq, $hash) ON CONFLICT DO NOTHING`, {
        ...next,
      });
    moved = { head: next, lacking };
  };
  const get = async (sql: string, values: Values = {}): Promise<Row | undefined> => (await all(sql, values))[0];
  return {
    clockMs: async () => await statements.clockMs?.(),
    ...outageOn(statements),
    ...slotsOn(statements),
    enrolment: async (user, context) => {
      const sql = `SELECT * FROM enrolment WHERE "user" = $user AND context = $context${lock}`;
      const [found] = (await sealedRows(statements, 'enrolment', sql, { user, context })).map(enrolmentOf);
      known.add(nameOf({ user, context }));
      return found;
    },
    enrolmentsOf: async (user) => {
      const rows = await sealedRows(
        statements,
        'enrolment',
        `SELECT enrolment.*, ${FLOODS.flatMap((flood) => COUNTS.map((column) => `${flood}.${column} AS ${flood}_${column}`)).join(', ')}
         FROM enrolment ${FLOODS.map((flood) => dialect.joined(flood)).join(' ')}
         WHERE enrolment."user" = $user ORDER BY context${dialect.lockEnrolments}`,
        { user },
      );
      // What a decision on them will ask for next.
      counted.clear();
      if (rows[0] !== undefined) for (const flood of FLOODS) counted.set(flood, tallyOf(user, rows[0].row, `${flood}_`));
      const found = rows.map(enrolmentOf);
      for (const each of found) known.add(nameOf(each));
      return found;
    },
    enrolmentsOfUid: async (uid) =>
      (await sealedRows(statements, 'enrolment', 'SELECT * FROM enrolment WHERE uid = $uid ORDER BY "user", context', { uid })).map(
        enrolmentOf,
      ),
    enrolments: async () =>
      (await sealedRows(statements, 'enrolment', 'SELECT * FROM enrolment ORDER BY "user", context')).map(enrolmentOf),
    tally: async (flood, user) => {
      const found = counted.get(flood);
      if (found?.user === user) return found;
      const row = await get(dialect.tally(flood), { user });
      if (row === undefined) throw new NotpError('store_unavailable', `the store has lost the counts of ${flood}`);
      const of = String(row['user']);
      if (of !== user && of !== '')
        throw new NotpError('store_unavailable', `the store answered with the counts of another user than ${user}`);
      return tallyOf(of, row);
    },
    saveTally: async (flood, tally) => {
      const { user, records, count, sinceMs, untilMs, ref, shared } = tally;
      await write(
        `INSERT INTO ${flood} (${dialect.hostColumn}"user", ${COUNTS.join(', ')})
         VALUES (${dialect.hostValue}$user, $tokens, $asOfMs, $count, $sinceMs, $ref, $shared, $untilMs)
         ON CONFLICT (${dialect.hostColumn}"user") DO UPDATE SET ${COUNTS.map((column) => `${column} = excluded.${column}`).join(', ')}`,
        { user, ...records, count, sinceMs, untilMs, ref, shared: shared.padEnd(SHARED_BYTES) },
        { count, ref, since_ms: sinceMs, until_ms: untilMs },
      );
      counted.set(flood, tally);
    },
    insert: async (enrolment) => {
      const row = rowOf(enrolment, seal);
      await write(
        `INSERT INTO enrolment VALUES ($user, $context, $id, $pending_id, $status, $last_step, $tokens, $as_of_ms, $spent,
           $pending_tokens, $pending_spent, $last_accepted_ms, $pending_inherits, $pending_last_step, $digest, $pending_digest, $period_seconds, $mac, $uid)`,
        row,
        macIn(row),
      );
      counted.clear();
      known.add(nameOf(enrolment));
      if (dialect.reserves) await reserve(statements, enrolment);
      await reserved();
    },
    save: async (enrolment) => {
      const { user, context } = enrolment;
      if (!known.has(nameOf(enrolment)))
        throw new NotpError('store_unavailable', `the enrolment of ${user} for ${context} was not asked for, so it is not written`);
      const row = rowOf(enrolment, seal);
      await write(
        `UPDATE enrolment SET id = $id, pending_id = $pending_id, status = $status, last_step = $last_step, tokens = $tokens,
           as_of_ms = $as_of_ms, spent = $spent, pending_tokens = $pending_tokens, pending_spent = $pending_spent,
           last_accepted_ms = $last_accepted_ms, pending_inherits = $pending_inherits, pending_last_step = $pending_last_step,
           digest = $digest, pending_digest = $pending_digest, period_seconds = $period_seconds, mac = $mac, uid = $uid
         WHERE "user" = $user AND context = $context`,
        row,
        macIn(row),
      );
    },
    renewRows: (users) => renewMacs(statements, users),
    head,
    moveHead,
    backlog,
    keepLine,
    marks: async (host = '') =>
      new Map(
        (dialect.marks === undefined ? [] : await all(dialect.marks, { of: host })).map(({ seq, hash }) => [Number(seq), String(hash)]),
      ),
    heads: async () => (await all(dialect.heads)).map((row) => ({ host: escapeControls(String(row['host'])), head: possibleHead(row) })),
    counter: async (id) => {
      const row = await get(`SELECT next FROM counter WHERE id = $id${lock}`, { id });
      return row === undefined ? undefined : Number(row['next']);
    },
    setCounter: (id, next) =>
      write('INSERT INTO counter VALUES ($id, $next) ON CONFLICT (id) DO UPDATE SET next = $next', { id, next }, { id, next }),
    dropCounter: (id) => run('DELETE FROM counter WHERE id = $id', { id }),
    sealed: async (user, context) => {
      const row = await get(`SELECT text FROM sealed WHERE "user" = $user AND context = $context${lock}`, { user, context });
      return row === undefined ? undefined : String(row['text']);
    },
    putSealed: (user, context, text) =>
      write(
        'INSERT INTO sealed VALUES ($user, $context, $text) ON CONFLICT ("user", context) DO UPDATE SET text = $text',
        { user, context, text },
        { text },
      ),
    dropSealed: (user, context) => drop(statements, 'sealed', '"user" = $user AND context = $context', { user, context }),
    // Of all hosts: a key that several of them had is kept by the one that gave it up first.
    formerChainKeys: async () => {
      const rows = await sealedRows(statements, 'former_chain_key', 'SELECT * FROM former_chain_key ORDER BY key');
      const keys = new Set(rows.filter(({ doubt }) => doubt === undefined).map(({ row }) => String(row['key'])));
      return [...keys].map((key) => new Uint8Array(Buffer.from(key, 'hex')));
    },
    keepChainKey: async (bytes) => {
      const key = Buffer.from(bytes).toString('hex');
      const sql = `INSERT INTO former_chain_key (${dialect.hostColumn}key, mac) VALUES (${dialect.hostValue}$key, $mac)
         ON CONFLICT (${dialect.hostColumn}key) DO UPDATE SET mac = excluded.mac`;
      const mac = macOf(seal, 'former_chain_key', { key });
      await write(sql, { key, mac }, { mac });
    },
    contents: async () => ({ tables: await tablesOf(statements), head: await head(), backlog: await backlog() }),
    add: async (contents, told) => {
      const enrolled = async (user: string, context: string): Promise<void> => {
        if (dialect.reserves) await reserve(statements, { user, context });
      };
      await putTables(statements, contents.tables, { enrolled, told });
      await reserved();
      if (contents.backlog.length > 0 && (await backlog()).length > 0) return;
      for (const line of contents.backlog) await keepLine(line);
      await moveHead(contents.head, contents.backlog.length);
      counted.clear();
    },
  };
}

function macIn({ mac = '' }: Values): Values {
  return { mac };
}

function nameOf({ user, context }: Pick<Enrolment, 'user' | 'context'>): string {
  return JSON.stringify([user, context]);
}

/** What sealedFiles() asks; `$all` is 1 where it is not of `$user` alone. */
export const SEALED_FILES = 'SELECT "user", context, text FROM sealed WHERE "user" = $user OR $all = 1 ORDER BY "user", context';

export function filesOf(user: string | undefined): Values {
  return { user: user ?? '', all: user === undefined ? 1 : 0 };
}

/** The rows that later logins of this enrolment update, so that they insert none. */
async function reserve(statements: Statements, enrolment: Pick<Enrolment, 'user' | 'context'>): Promise<void> {
  const { hostColumn, hostValue } = statements.dialect;
  for (const flood of FLOODS) {
    const sql = `INSERT INTO ${flood} (${hostColumn}"user", ${COUNTS.join(', ')}) VALUES (${hostValue}$user, ${NO_FLOOD}) ON CONFLICT DO NOTHING`;
    await statements.run(sql, { user: enrolment.user });
  }
  await reserveSlots(statements, enrolment);
}

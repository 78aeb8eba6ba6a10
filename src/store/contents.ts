/** Copies all data of this host and its users out of one database and into another. */
import { FLOODS, type Flood, type TableRow, type Tables } from './store.ts';
import {
  COUNTS,
  isForged,
  isSealed,
  macOf,
  renewedMac,
  sealedRows,
  valueOf,
  type Asking,
  type SealedRow,
  type SealedTable,
} from './row-seal.ts';
import type { Row, Values } from './row.ts';
import { logIn, type Dialect, type Statements } from './statements.ts';
import { inParts } from '../lists.ts';

/** The copied columns of each table, which are the same in each database, and the key of its rows. */
const TABLES = {
  enrolment: {
    columns: [
      ...['"user"', 'context', 'id', 'pending_id', 'status', 'last_step', 'tokens', 'as_of_ms', 'spent', 'pending_tokens'],
      ...[
        'pending_spent',
        'last_accepted_ms',
        'pending_inherits',
        'pending_last_step',
        'digest',
        'pending_digest',
        'period_seconds',
        'uid',
        'tries',
        'pending_period_seconds',
        'mac',
      ],
    ],
    key: ['"user"', 'context'],
  },
  connection: {
    columns: ['"user"', 'context', 'slot', 'id', 'pid', 'start_ticks', 'boot_id', 'turn', 'mac'],
    key: ['"user"', 'context', 'slot'],
  },
  peer: { columns: ['"user"', 'context', 'slot', 'id', 'digest', 'accepted_ms', 'mac'], key: ['"user"', 'context', 'slot'] },
  counter: { columns: ['id', 'next'], key: ['id'] },
  sealed: { columns: ['"user"', 'context', 'text'], key: ['"user"', 'context'] },
  approved: { columns: ['"user"', 'as_of_ms', 'mac'], key: ['"user"'] },
  granted: { columns: ['id', '"user"', 'uid', 'as_of_ms', 'until_ms', 'address', 'key', 'service', 'reason', 'mac'], key: ['id'] },
  imported: { columns: ['uid', 'mark', 'key', 'last_step', 'codes', 'spent', 'mac'], key: ['uid', 'mark'] },
  member: { columns: ['host', 'until_ms', 'seen_ms', 'revoked_ms'], key: ['host'] },
  rules: { columns: ['id', 'as_of_ms', 'text', 'mac'], key: ['id'] },
  former_chain_key: { columns: ['key', 'mac'], key: ['key'] },
  // Their MACs cover the id of the log, so they are made where the rows are written.
  refusals: { columns: ['"user"', ...COUNTS], key: ['"user"'] },
  acceptances: { columns: ['"user"', ...COUNTS], key: ['"user"'] },
} as const satisfies Record<string, { columns: readonly string[]; key: readonly string[] }>;

type Table = keyof typeof TABLES;
const NAMES = Object.keys(TABLES) as Table[];
/** How many rows one statement writes before its answer is awaited: so the pending data takes little memory. */
const BATCH_ROWS = 25;
const OF_LOG: readonly Table[] = ['former_chain_key', ...FLOODS];
/** The conditions that leave out filler rows, which only reserve space. */
const SAYING: Partial<Record<Table, string>> = {
  connection: `id <> '${'0'.repeat(32)}'`,
  peer: `id <> '${'0'.repeat(32)}'`,
  refusals: 'as_of_ms <> 0',
  acceptances: 'as_of_ms <> 0',
};

/**
 * All tables, without filler rows, counts that somebody changed, and the head of the chain. Nobody else changes them from here
 * until the transaction ends. Each valid row gets the MAC of the present key. So it counts where earlier keys are unknown, and the
 * same row is the same in each database.
 */
export async function tablesOf(statements: Statements): Promise<Tables> {
  const { all, dialect, seal } = statements;
  const log = await logIn(statements);
  if (dialect.lockAll !== undefined) await all(dialect.lockAll(NAMES));
  const tables: Record<string, readonly TableRow[]> = {};
  for (const name of NAMES) {
    const { columns, key } = TABLES[name];
    const conditions = [SAYING[name] ?? 'TRUE', OF_LOG.includes(name) ? dialect.here : 'TRUE'].join(' AND ');
    const selected = isCounted(name) ? [...columns, 'mac'] : columns;
    const sql = `SELECT ${selected.join(', ')} FROM ${name} WHERE ${conditions} ORDER BY ${key.join(', ')}`;
    const values = (row: Row): TableRow => columns.map((column) => valueOf(bare(column), row[bare(column)]));
    if (isCounted(name)) tables[name] = (await all(sql)).filter((row) => !isForged(seal, name, { ...row, log })).map(values);
    else if (isSealed(name))
      tables[name] = (await sealedRows({ all, seal }, name, sql)).map((each) => values({ ...each.row, mac: renewedMac(seal, name, each) }));
    else tables[name] = (await all(sql)).map(values);
  }
  return tables;
}

/** The rows of `incoming` that `present` has with other values: table and key of each. */
export function clashes(present: Tables, incoming: Tables): string[] {
  return NAMES.flatMap((name) => {
    const known = new Map(present[name]?.map((row) => [keyOf(name, row), JSON.stringify(row)]));
    return (incoming[name] ?? [])
      .filter((row) => (known.get(keyOf(name, row)) ?? JSON.stringify(row)) !== JSON.stringify(row))
      .map((row) => `${name} ${keyOf(name, row)}`);
  });
}

/** The rows of `incoming` that are not in `present`. */
export function lacking(present: Tables, incoming: Tables): Tables {
  return Object.fromEntries(
    NAMES.map((name) => {
      const known = new Set(present[name]?.map((row) => keyOf(name, row)));
      return [name, (incoming[name] ?? []).filter((row) => !known.has(keyOf(name, row)))];
    }),
  );
}

/** Gives each valid row of `users` the MAC of the present key, before earlier keys are deleted. A forged row stays as it is. */
export async function renewMacs({ all, write, dialect, seal }: Statements, users: readonly string[]): Promise<void> {
  for (const name of NAMES.filter(isSealed).filter((each) => !OF_LOG.includes(each))) {
    const { key } = TABLES[name];
    const update = `UPDATE ${name} SET mac = $mac WHERE ${key.map((column) => `${column} = $${bare(column)}`).join(' AND ')}`;
    for (const user of users) {
      for (const each of await rowsOfUser({ all, seal }, name, user, dialect.lock)) {
        const { row, doubt } = each;
        if (doubt === 'forged') continue;
        const mac = macOf(seal, name, row);
        if (mac === row['mac']) continue;
        const values = Object.fromEntries(key.map((column) => [bare(column), valueOf(bare(column), row[bare(column)])]));
        await write(update, { ...values, mac }, { mac });
      }
    }
  }
}

/** Those of `rules` and `imported` name no user. The rules go with the empty name. The empty name has those of accounts without an enrolment: the account has another uid by now. */
async function rowsOfUser({ all, seal }: Asking, name: Table & SealedTable, user: string, lock: string): Promise<SealedRow[]> {
  if (name === 'rules') return user === '' ? await sealedRows({ all, seal }, name, `SELECT * FROM rules${lock}`) : [];
  if (name !== 'imported') return await sealedRows({ all, seal }, name, `SELECT * FROM ${name} WHERE "user" = $user${lock}`, { user });
  const ofAccount = (sql: string): ReturnType<typeof all> => all(sql, user === '' ? {} : { user });
  const uids = 'SELECT uid FROM enrolment';
  const theirs = user === '' ? `uid NOT IN (${uids})` : `uid IN (${uids} WHERE "user" = $user)`;
  return await sealedRows({ all: ofAccount, seal }, name, `SELECT * FROM imported WHERE ${theirs}${lock}`);
}

function isCounted(name: Table): name is Flood {
  return FLOODS.some((flood) => flood === name);
}

export interface Putting {
  /** Called for each enrolment whose row is written. */
  readonly enrolled: (user: string, context: string) => Promise<void>;
  /** Called with the number of rows written so far. */
  readonly onProgress: (rows: number) => void;
}

/** Writes `tables`, whose rows must not exist yet. An existing row is an error, and is not overwritten. */
export async function putTables(statements: Statements, tables: Tables, { enrolled, onProgress }: Putting): Promise<void> {
  const { all, dialect, seal } = statements;
  const log = await logIn(statements);
  let count = 0;
  for (const name of NAMES) {
    for (const rows of inParts(tables[name] ?? [], BATCH_ROWS)) {
      const macs = isCounted(name) ? rows.map((row) => macOf(seal, name, { ...named(name, row), log })) : undefined;
      await all(insertion(name, rows.length, dialect), { ...valuesOf(name, rows), ...numbered(macs) });
      if (name === 'enrolment') for (const [user, context] of rows) await enrolled(String(user), String(context));
      onProgress((count += rows.length));
    }
  }
}

/** The statement for `rows` rows of a table: the values of the third are $user_2, $context_2 and so on. */
function insertion(name: Table, rows: number, dialect: Dialect): string {
  const { key } = TABLES[name];
  const columns: readonly string[] = isCounted(name) ? [...TABLES[name].columns, 'mac'] : TABLES[name].columns;
  const [logColumn, logValue] = OF_LOG.includes(name) ? [dialect.logColumn, dialect.logValue] : ['', ''];
  const row = (i: number): string => `(${logValue}${columns.map((column) => `$${bare(column)}_${String(i)}`).join(', ')})`;
  const sql = `INSERT INTO ${name} (${logColumn}${columns.join(', ')}) VALUES ${Array.from({ length: rows }, (_, i) => row(i)).join(', ')}`;
  if (SAYING[name] === undefined) return sql;
  // Overwrites filler rows, which only reserve space.
  const rest = columns.filter((column) => !(key as readonly string[]).includes(column));
  return `${sql} ON CONFLICT (${logColumn}${key.join(', ')}) DO UPDATE SET ${rest.map((column) => `${column} = excluded.${column}`).join(', ')}`;
}

function valuesOf(name: Table, rows: readonly TableRow[]): Values {
  const { columns } = TABLES[name];
  return Object.fromEntries(rows.flatMap((row, i) => columns.map((column, j) => [`${bare(column)}_${String(i)}`, row[j] ?? ''])));
}

function named(name: Table, row: TableRow): Row {
  return Object.fromEntries(TABLES[name].columns.map((column, i) => [bare(column), row[i]]));
}

function numbered(macs: readonly string[] = []): Values {
  return Object.fromEntries(macs.map((mac, i) => [`mac_${String(i)}`, mac]));
}

/** The first columns of each table are its key. */
function keyOf(name: Table, row: TableRow): string {
  return row.slice(0, TABLES[name].key.length).join(' ');
}

function bare(column: string): string {
  return column.replaceAll('"', '');
}

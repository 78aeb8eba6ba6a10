/**
 * Proves that notp wrote a row, and not somebody who can only write to the database: by a MAC beside the columns, with a key that
 * no database has. The caller that opens a store provides the seal, so nothing in this folder knows a key.
 *
 * The MAC covers "notp row/1", the name of the table and the value of each column of SEALED in its order. Each is encoded as its
 * length in bytes (32 bits, big-endian) followed by its UTF-8. A number is printed as JavaScript does. So no two rows have the same
 * encoding, and a row counts only for its own user and context.
 */
import { NotpError } from '../error.ts';
import type { Row, Values } from './row.ts';

/** Why a row counts for nothing: its MAC does not match, or the key to check it is not here. */
export type Doubt = 'forged' | 'unverified';

export interface RowSeal {
  /** The MAC of an encoded row, MAC_LENGTH hex digits. Throws where the key is not here. */
  readonly sign: (row: Uint8Array) => string;
  /**
   * The same for a mark, with the key of the audit chain: everybody who can check that chain, later or on another host, can check
   * its marks.
   * Undefined: sign.
   */
  readonly signMark?: (row: Uint8Array) => string;
  /** Undefined where `mac` is the MAC of the encoded row. */
  readonly doubt: (row: Uint8Array, mac: string) => Doubt | undefined;
}

export const MAC_LENGTH = 64;
/** Stands for a missing MAC, and takes the same space. */
export const NO_MAC = '0'.repeat(MAC_LENGTH);

/** The seal of a user's own state, which proves nothing: the user may write it, and would have any key. */
export const UNKEYED: RowSeal = { sign: () => NO_MAC, doubt: () => undefined };

/** The counts of a flood, as columns. */
export const COUNTS = ['tokens', 'as_of_ms', 'count', 'since_ms', 'ref', 'shared', 'until_ms'] as const;

/**
 * The columns that decide: of enrolments, of rows that let somebody in without a code, and of data that becomes a part of the
 * records of a host.
 * `log` is the id of the log of this host in a store that many share, and empty in any other.
 */
const SEALED = {
  enrolment: [
    ...['user', 'context', 'id', 'digest', 'pending_id', 'pending_digest', 'status'],
    ...['last_step', 'tokens', 'as_of_ms', 'spent', 'period_seconds', 'last_accepted_ms'],
    ...['pending_inherits', 'pending_last_step', 'pending_tokens', 'pending_spent', 'uid'],
  ],
  connection: ['user', 'context', 'id', 'pid', 'start_ticks', 'boot_id'],
  peer: ['user', 'context', 'id', 'digest', 'accepted_ms'],
  approved: ['user', 'as_of_ms'],
  granted: ['id', 'user', 'uid', 'as_of_ms', 'until_ms', 'address', 'key', 'service', 'reason'],
  imported: ['uid', 'mark', 'key', 'last_step', 'codes', 'spent'],
  rules: ['id', 'as_of_ms', 'text'],
  former_chain_key: ['key'],
  chain: ['log', 'seq', 'hash', 'lacking'],
  mark: ['log', 'seq', 'hash'],
  outage: ['log', 'id', 'seq', 'text'],
  refusals: ['log', 'user', ...COUNTS],
  acceptances: ['log', 'user', ...COUNTS],
} as const satisfies Record<string, readonly string[]>;

/**
 * Covered too where they are neither blank nor 0, so rows that were written before these columns were there keep their MAC. The first
 * one is covered as it is, and the second one after its name: so no two rows have the same encoding.
 */
const ALSO_SEALED: Partial<Record<SealedTable, readonly [string, string]>> = { enrolment: ['tries', 'pending_period_seconds'] };

export type SealedTable = keyof typeof SEALED;

/** The key of the rows of each table. */
const KEYS: Readonly<Record<SealedTable, readonly string[]>> = {
  enrolment: ['user', 'context'],
  connection: ['user', 'context', 'slot'],
  peer: ['user', 'context', 'slot'],
  approved: ['user'],
  granted: ['id'],
  imported: ['uid', 'mark'],
  rules: ['id'],
  former_chain_key: ['log', 'key'],
  chain: ['log'],
  mark: ['log', 'seq'],
  outage: ['id'],
  refusals: ['log', 'user'],
  acceptances: ['log', 'user'],
};

/** A row of a sealed table, and why it counts for nothing; no doubt where it counts. */
export interface SealedRow {
  readonly row: Row;
  readonly doubt: Doubt | undefined;
}

/** A way to query a database. */
export interface Asking {
  readonly all: (sql: string, values?: Values) => Promise<readonly Row[]>;
  readonly seal: RowSeal;
}

/**
 * Reads rows of a sealed table; every such read goes through here, since a genuine row may still be the answer to another question.
 * `asked`: the values that `sql` asks for, by column. Throws `store_unavailable` where a row has another value, or two rows have
 * the same key.
 */
export async function sealedRows({ all, seal }: Asking, table: SealedTable, sql: string, asked: Values = {}): Promise<SealedRow[]> {
  const keys = new Set<string>();
  return (await all(sql, asked)).map((row) => {
    for (const [column, value] of Object.entries(asked))
      if (valueOf(column, row[column]) !== value) throw wrongAnswer(`a row of ${table} with another ${column} than was asked for`);
    const key = JSON.stringify(KEYS[table].map((column) => valueOf(column, row[column])));
    if (keys.has(key)) throw wrongAnswer(`two rows of ${table} for ${key}`);
    keys.add(key);
    return { row: asProven(table, row), doubt: doubtOf(seal, table, row) };
  });
}

const CHANGED = 'somebody changed how the database answers: find out who administers it, and what is between it and this host';

function wrongAnswer(what: string): NotpError {
  return notDone(`answered with ${what}`);
}

/** The error where the database did something else than it was asked. `what` goes on after "the store". */
export function notDone(what: string): NotpError {
  return new NotpError('store_unavailable', `the store ${what}`, CHANGED);
}

/** `sql`, which writes one row, extended to return that row's values in the columns of `stored`. */
export function returning(sql: string, stored: Values): string {
  return `${sql} RETURNING ${Object.keys(stored).join(', ')}`;
}

/** A way to delete rows and to check that they are gone. */
type Dropping = Pick<Asking, 'all'> & { readonly run: (sql: string, values: Values) => Promise<void> };

/** Deletes the rows of `table` that `where` names. Throws `store_unavailable` where some are left. */
export async function drop({ all, run }: Dropping, table: string, where: string, values: Values): Promise<void> {
  await run(`DELETE FROM ${table} WHERE ${where}`, values);
  if ((await all(`SELECT 1 FROM ${table} WHERE ${where}`, values)).length > 0) throw notDone(`did not delete a row of ${table}`);
}

/**
 * Throws `store_unavailable` unless `rows`, the answer to returning(), is one row with the values of `stored`: a trigger, a rule or
 * a policy can silently swallow a write.
 */
export function checkStored(sql: string, rows: readonly Row[], stored: Values): void {
  const isStored = Object.entries(stored).every(([column, value]) => String(rows[0]?.[column]) === String(value));
  if (rows.length === 1 && isStored) return;
  throw notDone(`did not take a row of ${/(?:INTO|UPDATE) (\w+)/.exec(sql)?.[1] ?? 'it'}`);
}

export function isSealed<T extends string>(table: T): table is T & SealedTable {
  return Object.hasOwn(SEALED, table);
}

/** The MAC of `row`, which has the sealed columns of `table` by name. Throws where the key is not here. */
export function macOf(seal: RowSeal, table: SealedTable, row: Row): string {
  return seal.sign(encoded(table, row));
}

/**
 * Why `row` of `table`, as the database gives it, counts for nothing; undefined where it counts. An impossible number never counts,
 * even without a key.
 */
function doubtOf(seal: RowSeal, table: SealedTable, row: Row): Doubt | undefined {
  if (![...SEALED[table], ...(ALSO_SEALED[table] ?? [])].every((column) => isPossible(valueOf(column, row[column])))) return 'forged';
  return seal.doubt(encoded(table, row), String(row['mac']));
}

/** Whether the MAC of `row` is wrong. Without a key nobody can tell, and it is not. */
export function isForged(seal: RowSeal, table: SealedTable, row: Row): boolean {
  return seal.doubt(encoded(table, row), String(row['mac'])) === 'forged';
}

/**
 * The MAC of a row that is to be written again: with the present key where the row counts. A forged row keeps the MAC that it has: it may
 * be genuine by a key that is not here, and counts again once that is back. Throws where the present key is not here.
 */
export function renewedMac(seal: RowSeal, table: SealedTable, { row, doubt }: SealedRow): string {
  if (doubt !== 'forged') return macOf(seal, table, row);
  const mac = String(row['mac']);
  return mac.length === MAC_LENGTH ? mac : NO_MAC;
}

/** The MAC of a mark. Throws where the key is not here. */
export function markMac(seal: RowSeal, row: Row): string {
  return (seal.signMark ?? seal.sign)(encoded('mark', row));
}

/** The bytes that the MAC of `row` covers. `row` has the sealed columns of `table` by name. */
export function encoded(table: SealedTable, row: Row): Uint8Array {
  const values = SEALED[table].map((column) => String(valueOf(column, row[column])));
  return new Uint8Array(Buffer.concat(['notp row/1', table, ...values, ...alsoEncoded(table, row)].flatMap(lengthPrefixed)));
}

function alsoEncoded(table: SealedTable, row: Row): string[] {
  return (ALSO_SEALED[table] ?? []).flatMap((column, i) => {
    const value = String(valueOf(column, row[column] ?? '')).trimEnd();
    if (value === '' || value === '0') return [];
    return i === 0 ? [value] : [column, value];
  });
}

/** The latest time that a Date can hold, in milliseconds: no number of a sealed row is further from 0. */
const MAX_NUMBER = 8.64e15;

function isPossible(value: string | number): boolean {
  return typeof value === 'string' || Math.abs(value) <= MAX_NUMBER;
}

function lengthPrefixed(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}

/** The row with exactly the values that its MAC covers, whatever types the database's columns have. */
function asProven(table: SealedTable, row: Row): Row {
  return { ...row, ...Object.fromEntries(SEALED[table].map((column) => [column, valueOf(column, row[column])])) };
}

/** A value in its proper type: databases differ in how they give numbers. */
export function valueOf(column: string, value: unknown): string | number {
  return NUMBERS.has(column) ? Number(value) : String(value);
}

const NUMBERS: ReadonlySet<string> = new Set([
  ...['last_step', 'tokens', 'as_of_ms', 'pending_tokens', 'last_accepted_ms', 'pending_inherits', 'pending_last_step'],
  ...['period_seconds', 'pending_period_seconds'],
  ...['slot', 'pid', 'start_ticks', 'turn', 'accepted_ms', 'next', 'count', 'since_ms', 'until_ms', 'seq', 'lacking', 'uid'],
  ...['seen_ms', 'revoked_ms'],
]);

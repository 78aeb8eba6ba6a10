/**
 * What proves that notp wrote a row, and not somebody who can merely write to the database: a MAC beside the columns, by a key that no
 * database has. Whoever opens a store brings the seal along, so nothing in this folder knows a key.
 *
 * What the MAC is of: "notp row/1", the name of the table and the value of each column of SEALED in its order, each as its length in bytes
 * (32 bits, big-endian) followed by its UTF-8. A number is printed as JavaScript does. So no two rows have the same encoding, and a row
 * counts for its own user and context alone.
 */
import { NotpError } from '../error.ts';
import type { Row, Values } from './row.ts';

/** Why a row counts for nothing: its MAC is not the one that belongs to it, or the key to tell is not here. */
export type Doubt = 'forged' | 'unverified';

export interface RowSeal {
  /** The MAC of an encoded row, MAC_LENGTH hex digits. Throws where the key is not here. */
  readonly sign: (row: Uint8Array) => string;
  /** The same of a mark, by the key of the audit chain: whoever can check that chain, by now or on another host, can check its marks. Undefined: sign. */
  readonly signMark?: (row: Uint8Array) => string;
  /** Undefined where `mac` is that of the encoded row. */
  readonly doubt: (row: Uint8Array, mac: string) => Doubt | undefined;
}

export const MAC_LENGTH = 64;
/** Takes the place of a MAC where there is none, in as much space as one takes. */
export const NO_MAC = '0'.repeat(MAC_LENGTH);

/** For the state that a user keeps: whoever can write it owns it, and there is no key that they do not have. Nothing is proven there. */
export const UNKEYED: RowSeal = { sign: () => NO_MAC, doubt: () => undefined };

/** What is counted of a flood, as columns. */
export const COUNTS = ['tokens', 'as_of_ms', 'count', 'since_ms', 'ref', 'shared', 'until_ms'] as const;

/**
 * The columns that decide: those of an enrolment, and of what lets somebody in without a code; and what becomes part of the records of a host.
 * `host` is what this host is called in a store that many share, and else empty.
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
  former_chain_key: ['key'],
  chain: ['host', 'seq', 'hash', 'lacking'],
  mark: ['host', 'seq', 'hash'],
  outage: ['host', 'id', 'seq', 'text'],
  refusals: ['host', 'user', ...COUNTS],
  acceptances: ['host', 'user', ...COUNTS],
} as const satisfies Record<string, readonly string[]>;

export type SealedTable = keyof typeof SEALED;

/** What tells the rows of each apart. */
const KEYS: Readonly<Record<SealedTable, readonly string[]>> = {
  enrolment: ['user', 'context'],
  connection: ['user', 'context', 'slot'],
  peer: ['user', 'context', 'slot'],
  approved: ['user'],
  former_chain_key: ['host', 'key'],
  chain: ['host'],
  mark: ['host', 'seq'],
  outage: ['id'],
  refusals: ['host', 'user'],
  acceptances: ['host', 'user'],
};

/** A row of a sealed table, and why it counts for nothing; no doubt where it counts. */
export interface SealedRow {
  readonly row: Row;
  readonly doubt: Doubt | undefined;
}

/** What asks a database. */
export interface Asking {
  readonly all: (sql: string, values?: Values) => Promise<readonly Row[]>;
  readonly seal: RowSeal;
}

/**
 * Every read of a sealed table goes through here: a genuine row is no answer to another question. `asked` is what `sql` names, by column,
 * and each row must have it; no two may have the same key. Throws `store_unavailable` where that is not so.
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
  return new NotpError('store_unavailable', `the store answered with ${what}`, CHANGED);
}

/** Has `sql`, which writes one row, tell what that row has now in the columns of `stored`. */
export function returning(sql: string, stored: Values): string {
  return `${sql} RETURNING ${Object.keys(stored).join(', ')}`;
}

/** What deletes, and asks what is left. */
type Dropping = Pick<Asking, 'all'> & { readonly run: (sql: string, values: Values) => Promise<void> };

/** Deletes those rows of `table`. Throws `store_unavailable` where the database has some left. */
export async function drop({ all, run }: Dropping, table: string, where: string, values: Values): Promise<void> {
  await run(`DELETE FROM ${table} WHERE ${where}`, values);
  if ((await all(`SELECT 1 FROM ${table} WHERE ${where}`, values)).length > 0)
    throw new NotpError('store_unavailable', `the store did not delete a row of ${table}`, CHANGED);
}

/** Throws `store_unavailable` where `rows`, the answer to returning(), are not one with the values of `stored`: a trigger, a rule or a policy can swallow a write and say nothing. */
export function checkStored(sql: string, rows: readonly Row[], stored: Values): void {
  const isStored = Object.entries(stored).every(([column, value]) => String(rows[0]?.[column]) === String(value));
  if (rows.length === 1 && isStored) return;
  throw new NotpError('store_unavailable', `the store did not take a row of ${/(?:INTO|UPDATE) (\w+)/.exec(sql)?.[1] ?? 'it'}`, CHANGED);
}

export function isSealed<T extends string>(table: T): table is T & SealedTable {
  return Object.hasOwn(SEALED, table);
}

/** The MAC of `row`, which has the sealed columns of `table` by name. Throws where the key is not here. */
export function macOf(seal: RowSeal, table: SealedTable, row: Row): string {
  return seal.sign(encoded(table, row));
}

/** Why `row` of `table`, as the database gives it with its column mac, counts for nothing; undefined where it does count. Without a key too, no number is taken that notp never writes. */
function doubtOf(seal: RowSeal, table: SealedTable, row: Row): Doubt | undefined {
  if (!SEALED[table].every((column) => isPossible(valueOf(column, row[column])))) return 'forged';
  return seal.doubt(encoded(table, row), String(row['mac']));
}

/** Whether `row` of `table` has a MAC that is not its own. Without a key nobody can tell. */
export function isForged(seal: RowSeal, table: SealedTable, row: Row): boolean {
  return seal.doubt(encoded(table, row), String(row['mac'])) === 'forged';
}

/** The MAC of a row that is read to be written again: that of the present key where it counts, and none where it does not. Throws where the key is not here. */
export function renewedMac(seal: RowSeal, table: SealedTable, { row, doubt }: SealedRow): string {
  return doubt === 'forged' ? NO_MAC : macOf(seal, table, row);
}

/** The MAC of a mark, and what it is of. Throws where the key is not here. */
export function markMac(seal: RowSeal, row: Row): string {
  return (seal.signMark ?? seal.sign)(encoded('mark', row));
}

/** What the MAC of `row` is of, which has the sealed columns of `table` by name. */
export function encoded(table: SealedTable, row: Row): Uint8Array {
  const values = SEALED[table].map((column) => String(valueOf(column, row[column])));
  return new Uint8Array(Buffer.concat(['notp row/1', table, ...values].flatMap(lengthPrefixed)));
}

/** The latest time that a Date can be, in milliseconds: no number of a sealed row is further from 0. */
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

/** The row with the values that its MAC is of, whatever types the columns have in the database: nobody reads them otherwise. */
function asProven(table: SealedTable, row: Row): Row {
  return { ...row, ...Object.fromEntries(SEALED[table].map((column) => [column, valueOf(column, row[column])])) };
}

/** A value as it counts: databases differ in how they give numbers. */
export function valueOf(column: string, value: unknown): string | number {
  return NUMBERS.has(column) ? Number(value) : String(value);
}

const NUMBERS: ReadonlySet<string> = new Set([
  ...['last_step', 'tokens', 'as_of_ms', 'pending_tokens', 'last_accepted_ms', 'pending_inherits', 'pending_last_step', 'period_seconds'],
  ...['slot', 'pid', 'start_ticks', 'turn', 'accepted_ms', 'next', 'count', 'since_ms', 'until_ms', 'seq', 'lacking', 'uid'],
]);

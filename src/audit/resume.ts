/**
 * If the store has lost the head of a chain, the chain can continue after the last record of the log. Only root can order that: somebody may
 * have changed the head, which root must check first, or the store may be new beside an existing log.
 */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { parseJson } from '../json.ts';
import { quoted } from '../otp/escape.ts';
import { ChangedHead, NO_RECORD, type ChainHead, type Transaction } from '../store/store.ts';
import { hashOf } from './chain.ts';
import { endOf, LAST_BYTES, END_BYTES, type Linked } from './log-end.ts';
import { presentFilesOf } from './reading.ts';
import { verifyLog } from './verify.ts';
import { MAX_CUT_OFF, transactionOf, type ChainKey } from './walk.ts';

/**
 * Whether `head` says that there is no record yet although `file` has records of more than one transaction. A crash can leave those of one.
 * An unreadable file counts as empty.
 */
export function isLost(file: string, head: ChainHead): boolean {
  if (head.seq > 0) return false;
  let [transactions, before] = [new Set<unknown>(), 0];
  for (const each of endOf(file, END_BYTES)) {
    // If a number is repeated, the records before were cut off. Only a record that follows another proves that the other was committed.
    if (each.seq !== before + 1) transactions = new Set();
    const transaction = transactionOf(each);
    if (transaction !== undefined) transactions.add(transaction);
    if (transactions.size > 1 || each.seq > MAX_CUT_OFF) return true;
    before = each.seq;
  }
  return false;
}

/** The error for the case that isLost() is true. */
export function lostHead(file: string): ChangedHead {
  const last = endOf(file, LAST_BYTES).at(-1);
  const host = last === undefined ? undefined : hostIn(last);
  const by = host === undefined || host === hostname() ? '' : `, the last of them by a host called ${quoted(host)}`;
  return new ChangedHead(
    'store_unavailable',
    `the store knows no record of ${file}, which has ${String(last?.seq ?? 0)}${by}: the store is new, or this host joined it with an existing log, ` +
      'or somebody removed its entry there',
    'if the store is new or the host joined it, run as root: notp audit verify --resume; otherwise find out first who can write to the database',
  );
}

/**
 * Moves the head to the last record of `file` and returns its number. The chain continues with `keys[0]`. If several hosts share the store, the
 * log gets a new id: marks and waiting records of the earlier one are not of this log, or are given up. Throws as verifyLog() does.
 */
export async function moveToLast(file: string, transaction: Transaction, keys: readonly ChainKey[]): Promise<number> {
  const last = isThere(file) ? (await verifyLog(file, { known: NO_RECORD, keys })).last : undefined;
  await transaction.renewLog();
  await transaction.moveHead(last === undefined ? NO_RECORD : { seq: last.seq, hash: hashOf(last.line, keys[0]) });
  return last?.seq ?? 0;
}

/** Whether there is any file of the log. A new host has none. */
function isThere(file: string): boolean {
  return presentFilesOf(file).some((each) => existsSync(each));
}

/** The host name in a record; undefined if it has none. */
function hostIn({ line }: Linked): string | undefined {
  const { host } = parseJson(line.toString('utf8')) as { host?: unknown };
  return typeof host === 'string' ? host : undefined;
}

/**
 * A chain whose head the store has lost goes on after the last record of the log: where somebody has changed the head, which root must look
 * at first, and where a store is new beside a log that is there, which root must say.
 */
import { hostname } from 'node:os';
import { parseJson } from '../json.ts';
import { quoted } from '../otp/escape.ts';
import { ChangedHead, type ChainHead, type Transaction } from '../store/store.ts';
import { hashOf } from './chain.ts';
import { endOf, LAST_BYTES, END_BYTES, type Linked } from './log-end.ts';
import { verifyLog } from './verify.ts';
import { MAX_CUT_OFF, transactionOf, type ChainKey } from './walk.ts';

const FIRST: ChainHead = { seq: 0, hash: '0'.repeat(64) };

/** Whether `head` says that there is no record yet, and `file` has those of more than one transaction: a crash leaves that one. A file that cannot be read has none. */
export function isLost(file: string, head: ChainHead): boolean {
  if (head.seq > 0) return false;
  let [told, before] = [new Set<unknown>(), 0];
  for (const each of endOf(file, END_BYTES)) {
    // What begins again at a number was cut off before: only what follows a record was written after that was told.
    if (each.seq !== before + 1) told = new Set();
    const transaction = transactionOf(each);
    if (transaction !== undefined) told.add(transaction);
    if (told.size > 1 || each.seq > MAX_CUT_OFF) return true;
    before = each.seq;
  }
  return false;
}

/** Why nothing goes on where isLost() is so, and what to do. */
export function lostHead(file: string): ChangedHead {
  const last = endOf(file, LAST_BYTES).at(-1);
  const host = last === undefined ? undefined : hostIn(last);
  const by = host === undefined || host === hostname() ? '' : `, the last of them by a host called ${quoted(host)}`;
  return new ChangedHead(
    'store_unavailable',
    `the store knows no record of ${file}, which has ${String(last?.seq ?? 0)}${by}: the store is new, or this host has joined it with a log of its own ` +
      'or has another name in it than before, or somebody has removed its place there',
    'where it was joined, renamed or made anew, run as root: notp audit verify --resume (one that was renamed while its log took nothing gets its earlier ' +
      'name back first, or what waits in the store is lost); else find out first who can write to the database',
  );
}

/** Moves the head to the last record of `file`, and gives the number of that. `keys`: the key that the chain goes on with first. Throws as verifyLog does. */
export async function moveToLast(file: string, transaction: Transaction, keys: readonly ChainKey[]): Promise<number> {
  const { last } = await verifyLog(file, { known: FIRST, keys });
  await transaction.moveHead(last === undefined ? FIRST : { seq: last.seq, hash: hashOf(last.line, keys[0]) });
  return last?.seq ?? 0;
}

/** What a record says that its host was called; undefined where it says nothing. */
function hostIn({ line }: Linked): string | undefined {
  const { host } = parseJson(line.toString('utf8')) as { host?: unknown };
  return typeof host === 'string' ? host : undefined;
}

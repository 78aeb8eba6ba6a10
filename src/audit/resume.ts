/**
 * A chain whose head the store has lost goes on after the last record of the log: where somebody has changed the head, which root must look
 * at first, and where a store is new beside a log that is there.
 */
import { NotpError } from '../error.ts';
import type { ChainHead, Transaction } from '../store/store.ts';
import { hashOf } from './chain.ts';
import { verifyLog } from './verify.ts';
import { MAX_CUT_OFF, type ChainKey } from './walk.ts';

const FIRST: ChainHead = { seq: 0, hash: '0'.repeat(64) };
const LOOKED_AT_BYTES = 256 * 1024;

/** Whether `head` says that there is no record yet, and `file` has those of more than one transaction: a crash leaves that one. A file that cannot be read has none. */
export async function isLost(file: string, head: ChainHead, keys: readonly ChainKey[]): Promise<boolean> {
  if (head.seq > 0) return false;
  const none = (): Promise<ChainHead> => Promise.resolve(FIRST);
  // FIRST is known before anything is read, and what is read is unknown.
  const looking = verifyLog(file, { known: FIRST, headNow: none, keys, lastBytes: LOOKED_AT_BYTES });
  const found = await looking.catch((error: unknown) => {
    if (error instanceof NotpError && error.code === 'audit_unavailable') return undefined;
    throw error;
  });
  return found !== undefined && ((found.last?.seq ?? 0) > MAX_CUT_OFF || found.putBack.length > 0);
}

/** Moves the head to the last record of `file`, and gives the number of that. `keys`: the key that the chain goes on with first. Throws as verifyLog does. */
export async function moveToLast(file: string, transaction: Transaction, keys: readonly ChainKey[]): Promise<number> {
  const { last } = await verifyLog(file, { known: FIRST, keys });
  await transaction.moveHead(last === undefined ? FIRST : { seq: last.seq, hash: hashOf(last.line, keys[0]) });
  return last?.seq ?? 0;
}

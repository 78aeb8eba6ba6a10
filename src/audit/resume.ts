/**
 * A chain whose head the store has lost goes on after the last record of the log: where somebody has changed the head, which root must look
 * at first; where a store is new beside a log that is there, which root must say; and, by itself, where the store has the head of this very log
 * under another name of this host.
 */
import { hostname } from 'node:os';
import { NotpError } from '../error.ts';
import { quoted } from '../otp/escape.ts';
import { parseJson } from '../json.ts';
import { ChangedHead, type ChainHead, type HostHead, type Transaction } from '../store/store.ts';
import { hashOf } from './chain.ts';
import { presentFilesOf, rawLinesIn, readAt } from './reading.ts';
import { MAX_RECORD_BYTES, type Link } from './record.ts';
import { verifyLog } from './verify.ts';
import { linkOfBytes, MAX_CUT_OFF, transactionOf, type ChainKey } from './walk.ts';

const FIRST: ChainHead = { seq: 0, hash: '0'.repeat(64) };
const LOOKED_AT_BYTES = 256 * 1024;
const GROWTH = 8;
const NEWLINE = 10;
/** The last record is in these, whatever part of one stands behind it. */
const LAST_BYTES = 3 * MAX_RECORD_BYTES;

/** Whether `head` says that there is no record yet, and `file` has those of more than one transaction: a crash leaves that one. A file that cannot be read has none. */
export function isLost(file: string, head: ChainHead): boolean {
  if (head.seq > 0) return false;
  let [told, before] = [new Set<unknown>(), 0];
  for (const each of endOf(file, LOOKED_AT_BYTES)) {
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

/**
 * The head that another name has in the store, where it is that of this very log, further on than `own`, that of this name: signed for that name,
 * of a record that `file` has, after which come no more than a crash leaves. So nothing that `file` has is passed over, whoever writes to the
 * database. Undefined where there is none.
 */
export async function underAnotherName(
  file: string,
  transaction: Pick<Transaction, 'heads'>,
  own: ChainHead,
  keys: readonly ChainKey[],
): Promise<NamedHead | undefined> {
  if ((endOf(file, LAST_BYTES).at(-1)?.seq ?? 0) <= own.seq) return undefined;
  return await endOfThis(file, await transaction.heads(), keys, (head) => head.seq > own.seq);
}

interface NamedHead {
  readonly host: string;
  readonly head: ChainHead;
}

/** Of the heads that `isMeant` that of the end of the log `file`. */
async function endOfThis(
  file: string,
  heads: readonly HostHead[],
  keys: readonly ChainKey[],
  isMeant: (head: ChainHead) => boolean,
): Promise<NamedHead | undefined> {
  const lines = endOf(file, LOOKED_AT_BYTES);
  for (const { host, head, isWhole } of heads) {
    if (!isWhole || head === undefined || !isMeant(head) || !lines.some((line) => isHead(line, head, keys))) continue;
    const headNow = (): Promise<ChainHead> => Promise.resolve(head);
    const { reached, putBack } = await verifyLog(file, { known: head, headNow, keys, lastBytes: LOOKED_AT_BYTES });
    if (reached && putBack.length === 0) return { host, head };
  }
  return undefined;
}

function isHead({ seq, line }: Linked, head: ChainHead, keys: readonly ChainKey[]): boolean {
  return seq === head.seq && keys.some((key) => hashOf(line, key) === head.hash);
}

function takenName(file: string, host: string, { seq }: ChainHead): ChangedHead {
  return new ChangedHead(
    'store_unavailable',
    `the store has the log of another host under the name of this one, with ${String(seq)} records, and ${file} as that of ${quoted(host)}`,
    `give this host a name of its own (host in [store]: ${quoted(host)} goes on as before); if the other one is gone for good, run as root: notp audit verify --resume`,
  );
}

/**
 * The head after which the log `file` of this host goes on, and the other name under which the store has that, where it does. Where records
 * wait, they are of the name that the store knows now. Throws ChangedHead where the head of this name is none of this log, and that of another
 * name is: then the store has the log of another host under this one.
 */
export async function headOf(
  file: string,
  transaction: Pick<Transaction, 'head' | 'heads' | 'backlog'>,
  keys: readonly ChainKey[],
): Promise<Partial<NamedHead> & { readonly head: ChainHead }> {
  const own = await transaction.head();
  const last = endOf(file, LAST_BYTES).at(-1);
  if (last === undefined || isHead(last, own, keys) || (await transaction.backlog()).length > 0) return { head: own };
  const found = await endOfThis(file, await transaction.heads(), keys, ({ seq, hash }) => seq > 0 && hash !== own.hash);
  if (found === undefined) return { head: own };
  if (own.seq > 0 && !(await isIn(file, own, keys))) throw takenName(file, found.host, own);
  return found.head.seq > own.seq ? found : { head: own };
}

/** Whether the log has the record of `head`, however far back. */
async function isIn(file: string, head: ChainHead, keys: readonly ChainKey[]): Promise<boolean> {
  if (endOf(file, LOOKED_AT_BYTES).some((line) => isHead(line, head, keys))) return true;
  return (await verifyLog(file, { known: head, keys })).reached;
}

/** Moves the head to the last record of `file`, and gives the number of that. `keys`: the key that the chain goes on with first. Throws as verifyLog does. */
export async function moveToLast(file: string, transaction: Transaction, keys: readonly ChainKey[]): Promise<number> {
  const { last } = await verifyLog(file, { known: FIRST, keys });
  await transaction.moveHead(last === undefined ? FIRST : { seq: last.seq, hash: hashOf(last.line, keys[0]) });
  return last?.seq ?? 0;
}

interface Linked extends Link {
  readonly line: Buffer;
}

/** The records of the last `bytes` of what is not packed, oldest first, or where those hold none of the chain of as many more as it takes. None where it cannot be read. */
function endOf(file: string, bytes: number): readonly Linked[] {
  const lines: Linked[] = [];
  let left = bytes;
  for (const each of presentFiles(file)) {
    const found = bytesAtEnd(each, left);
    lines.unshift(...recordsIn(found));
    left -= found.length;
    if (left <= 0) break;
  }
  return lines.length > 0 || left > 0 ? lines : endOf(file, bytes * GROWTH);
}

function presentFiles(file: string): readonly string[] {
  return unlessUnreadable(() => presentFilesOf(file).filter((each) => !each.endsWith('.gz'))).toReversed();
}

function bytesAtEnd(file: string, length: number): Buffer {
  const [bytes] = unlessUnreadable(() => [readAt(file, -length).bytes]);
  return bytes ?? Buffer.alloc(0);
}

function unlessUnreadable<T>(read: () => readonly T[]): readonly T[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof NotpError && error.code === 'audit_unavailable') return [];
    throw error;
  }
}

function recordsIn(bytes: Buffer): readonly Linked[] {
  return [...rawLinesIn(bytes)].flatMap((line) => {
    const link = line.at(-1) === NEWLINE ? linkOfBytes(line) : undefined;
    return typeof link === 'object' ? [{ ...link, line }] : [];
  });
}

/** What a record says that its host was called; undefined where it says nothing. */
function hostIn({ line }: Linked): string | undefined {
  const { host } = parseJson(line.toString('utf8')) as { host?: unknown };
  return typeof host === 'string' ? host : undefined;
}

/**
 * The name of a host in the store may change, or two hosts may have the same. So a host is recognised by the head of its own log, whatever
 * its name is. See headOf().
 */
import { quoted } from '../otp/escape.ts';
import { ChangedHead, type ChainHead, type HostHead, type KeptLine, type Transaction } from '../store/store.ts';
import { hashOf } from './chain.ts';
import { endBytesOf, endOf, isHead, LAST_BYTES, END_BYTES } from './log-end.ts';
import { verifyLog } from './verify.ts';
import { linkOf, type ChainKey } from './walk.ts';

/** A head, and the host to which the store assigns it. */
interface NamedHead {
  readonly host: string;
  readonly head: ChainHead;
}

/**
 * The head after which the log `file` of this host continues, and the other name under which the store has it, if any. Throws ChangedHead if
 * the head of this name is not from this log but that of another name is: then the store has another host's log under this name.
 */
export async function headOf(
  file: string,
  transaction: Pick<Transaction, 'head' | 'heads' | 'backlog'>,
  keys: readonly ChainKey[],
): Promise<Partial<NamedHead> & { readonly head: ChainHead }> {
  const own = await transaction.head();
  const last = endOf(file, LAST_BYTES).at(-1);
  if (last === undefined || isHead(last, own, keys) || isFollowedBy(file, await transaction.backlog(), keys)) return { head: own };
  const heads = await transaction.heads();
  const found = await endOfThis(file, heads, keys, ({ seq, hash }) => seq > 0 && hash !== own.hash);
  if (found === undefined) {
    if (last.seq > own.seq)
      for (const { host } of heads) if (isFollowedBy(file, await transaction.backlog(host), keys)) throw waitingElsewhere(file, host);
    return { head: own };
  }
  if (own.seq > 0 && !(await isIn(file, own, keys))) throw takenName(file, found.host, own);
  return found.head.seq > own.seq ? found : { head: own };
}

/**
 * The head that the store has for this log under another name, if it is later than `own`, the head of this name. It must be signed for that
 * name and match a record of `file` after which only the remains of a crash follow. So nobody who can write to the database can make notp
 * skip records of `file`. Undefined if there is none.
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

/** Whether the waiting records continue the log `file`. A crash may have left some of them in the file already. */
function isFollowedBy(file: string, [first, ...rest]: readonly KeptLine[], keys: readonly ChainKey[]): boolean {
  if (first === undefined) return false;
  const link = linkOf(first.line);
  const waiting = new Set([first, ...rest].map(({ line }) => line));
  return endOf(file, END_BYTES).some(
    ({ line }) => waiting.has(line.toString('utf8')) || (typeof link === 'object' && keys.some((key) => hashOf(line, key) === link.prev)),
  );
}

/** Among the heads that `isMeant` accepts, the one that is at the end of the log `file`. */
async function endOfThis(
  file: string,
  heads: readonly HostHead[],
  keys: readonly ChainKey[],
  isMeant: (head: ChainHead) => boolean,
): Promise<NamedHead | undefined> {
  const lines = endOf(file, END_BYTES);
  for (const { host, head, isWhole } of heads) {
    if (!isWhole || head === undefined || !isMeant(head) || !lines.some((line) => isHead(line, head, keys))) continue;
    const headNow = (): Promise<ChainHead> => Promise.resolve(head);
    const { reached, putBack } = await verifyLog(file, { known: head, headNow, keys, lastBytes: endBytesOf(file) });
    if (reached && putBack.length === 0) return { host, head };
  }
  return undefined;
}

/** Whether the log contains the record of `head`, however old. */
async function isIn(file: string, head: ChainHead, keys: readonly ChainKey[]): Promise<boolean> {
  if (endOf(file, END_BYTES).some((line) => isHead(line, head, keys))) return true;
  return (await verifyLog(file, { known: head, keys })).reached;
}

function waitingElsewhere(file: string, host: string): ChangedHead {
  return new ChangedHead(
    'store_unavailable',
    `records of ${file} wait in the store under the name ${quoted(host)}, which this host had before`,
    `give this host that name again (host in [store]: ${quoted(host)}) until they are written: notp doctor says so`,
  );
}

function takenName(file: string, host: string, { seq }: ChainHead): ChangedHead {
  return new ChangedHead(
    'store_unavailable',
    `the store has another host's log with ${String(seq)} records under the name of this host, and ${file} under the name ${quoted(host)}`,
    `give this host its own name (host in [store]: ${quoted(host)} continues as before); if the other host is gone for good, run as root: notp audit verify --resume`,
  );
}

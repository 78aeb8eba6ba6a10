/**
 * What the store calls a host may change, or be given to two of them: by the head of its very log a host is known whatever its name is. See
 * headOf().
 */
import { quoted } from '../otp/escape.ts';
import { ChangedHead, type ChainHead, type HostHead, type KeptLine, type Transaction } from '../store/store.ts';
import { hashOf } from './chain.ts';
import { endOf, isHead, LAST_BYTES, END_BYTES } from './log-end.ts';
import { verifyLog } from './verify.ts';
import { linkOf, type ChainKey } from './walk.ts';

/** A head, and the host whose it is to the store. */
interface NamedHead {
  readonly host: string;
  readonly head: ChainHead;
}

/**
 * The head after which the log `file` of this host goes on, and the other name under which the store has that, where it does. Throws ChangedHead where the head of this name is none of this log, and that of another
 * name is: then the store has the log of another host under this one.
 */
export async function headOf(
  file: string,
  transaction: Pick<Transaction, 'head' | 'heads' | 'backlog'>,
  keys: readonly ChainKey[],
): Promise<Partial<NamedHead> & { readonly head: ChainHead }> {
  const own = await transaction.head();
  const last = endOf(file, LAST_BYTES).at(-1);
  if (last === undefined || isHead(last, own, keys) || isFollowedBy(file, await transaction.backlog(), keys)) return { head: own };
  const found = await endOfThis(file, await transaction.heads(), keys, ({ seq, hash }) => seq > 0 && hash !== own.hash);
  if (found === undefined) return { head: own };
  if (own.seq > 0 && !(await isIn(file, own, keys))) throw takenName(file, found.host, own);
  return found.head.seq > own.seq ? found : { head: own };
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

/** Whether `waiting` are the next records of the log `file`, some of which a crash may have left there already. */
function isFollowedBy(file: string, [first, ...rest]: readonly KeptLine[], keys: readonly ChainKey[]): boolean {
  if (first === undefined) return false;
  const link = linkOf(first.line);
  const waiting = new Set([first, ...rest].map(({ line }) => line));
  return endOf(file, END_BYTES).some(
    ({ line }) => waiting.has(line.toString('utf8')) || (typeof link === 'object' && keys.some((key) => hashOf(line, key) === link.prev)),
  );
}

/** Of the heads that `isMeant` that of the end of the log `file`. */
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
    const { reached, putBack } = await verifyLog(file, { known: head, headNow, keys, lastBytes: END_BYTES });
    if (reached && putBack.length === 0) return { host, head };
  }
  return undefined;
}

/** Whether the log has the record of `head`, however far back. */
async function isIn(file: string, head: ChainHead, keys: readonly ChainKey[]): Promise<boolean> {
  if (endOf(file, END_BYTES).some((line) => isHead(line, head, keys))) return true;
  return (await verifyLog(file, { known: head, keys })).reached;
}

function takenName(file: string, host: string, { seq }: ChainHead): ChangedHead {
  return new ChangedHead(
    'store_unavailable',
    `the store has the log of another host under the name of this one, with ${String(seq)} records, and ${file} as that of ${quoted(host)}`,
    `give this host a name of its own (host in [store]: ${quoted(host)} goes on as before); if the other one is gone for good, run as root: notp audit verify --resume`,
  );
}

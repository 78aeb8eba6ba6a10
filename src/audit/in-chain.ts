/** Whether a record stands in the chain that leads to the head: a line alone may be one that a crash cut off. */
import type { ChainHead, KeptLine } from '../store/store.ts';
import { hashOf } from './chain.ts';
import { linesSince } from './log-file.ts';
import { linkOf, type ChainKey } from './walk.ts';

/** The end of a chain: its head, the lines that wait for the file, and the keys that it may be made with. */
export interface ChainEnd {
  readonly head: ChainHead;
  readonly backlog: readonly KeptLine[];
  readonly keys: readonly ChainKey[];
}

/** Whether record number `seq` of the chain of `file` has the hash `hash`. It has where the log does not go back that far, or nobody looks there. */
export async function isInChain(file: string, { head, backlog, keys }: ChainEnd, { seq, hash }: ChainHead): Promise<boolean> {
  if (seq >= head.seq) return seq === head.seq && hash === head.hash;
  const bySeq = Map.groupBy([...(await linesSince(file, seq)), ...backlog.map(({ line }) => line)], seqOf);
  const seqs = [...bySeq.keys()].filter((each) => each > 0);
  let at = head;
  while (at.seq > seq) {
    const line = bySeq.get(at.seq)?.find((each) => keys.some((key) => hashOf(Buffer.from(each), key) === at.hash));
    const link = line === undefined ? undefined : linkOf(line);
    if (typeof link !== 'object') return !seqs.some((each) => each <= seq);
    at = { seq: at.seq - 1, hash: link.prev };
  }
  return at.hash === hash;
}

function seqOf(line: string): number {
  const link = linkOf(line);
  return typeof link === 'object' ? link.seq : 0;
}

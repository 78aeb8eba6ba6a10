/** Whether a record is in the chain that leads to the head. A line in the file alone proves nothing, as a crash may have cut it off. */
import type { ChainHead, KeptLine } from '../store/store.ts';
import { hashOf } from './chain.ts';
import { linesSince } from './log-file.ts';
import { linkOf, type ChainKey } from './walk.ts';

/** The end of a chain: its head, the lines that wait for the file, and the keys with which it may be hashed. */
export interface ChainEnd {
  readonly head: ChainHead;
  readonly backlog: readonly KeptLine[];
  readonly keys: readonly ChainKey[];
}

/** Whether record number `seq` in the chain of `file` has the hash `hash`. Also true if the part of the log that is read begins later. */
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

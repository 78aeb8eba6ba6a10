/** Walking along the chain of an audit log: whether each record stands where it was written, as it was written. */
import type { ChainHead } from '../store/store.ts';
import { headAfter } from './chain.ts';
import type { Link } from './record.ts';

export interface Walk {
  /** What the next record links to; undefined before the first record, whose own link is taken as it is. */
  readonly head: ChainHead | undefined;
  /** What the last record linked to. Where the next one links there too, a crash has cut the last one off: nobody was told of it. */
  readonly before: ChainHead | undefined;
  readonly first: number;
  readonly records: number;
  readonly cutOff: number;
  /** Records of refusals that had no state to link to. */
  readonly unlinked: number;
}

export const START: Walk = { head: undefined, before: undefined, first: 0, records: 0, cutOff: 0, unlinked: 0 };

/** The walk after `line` (without its newline), or a sentence on what is wrong there. `key`: as in headAfter. */
export function step(walk: Walk, line: string, key: Uint8Array | undefined): Walk | string {
  const link = linkOf(line);
  if (link === 'none') return { ...walk, unlinked: walk.unlinked + 1 };
  if (link === undefined) return 'is no record';
  const { head, before } = walk;
  const again = head !== undefined && before !== undefined && linksTo(link, before);
  if (head !== undefined && !again && !linksTo(link, head)) return wrongLink(link, head);
  const here = { seq: link.seq - 1, hash: link.prev };
  return {
    ...walk,
    head: headAfter(link, `${line}\n`, key),
    before: here,
    first: head === undefined ? link.seq : walk.first,
    records: walk.records + 1,
    cutOff: walk.cutOff + (again ? 1 : 0),
  };
}

function linksTo({ seq, prev }: Link, { seq: last, hash }: ChainHead): boolean {
  return seq === last + 1 && prev === hash;
}

function wrongLink({ seq }: Link, head: ChainHead): string {
  const expected = head.seq + 1;
  if (seq > expected) return `is record ${String(seq)}, and ${String(seq - expected)} before it are missing`;
  if (seq < expected) return `is record ${String(seq)}, which does not belong here`;
  return `does not follow from the record before it: one of the two was changed`;
}

/** The link of a record; `none` where it has none, undefined for what is no record. */
export function linkOf(line: string): Link | 'none' | undefined {
  try {
    const record = JSON.parse(line) as { seq?: unknown; prev?: unknown; event?: unknown } | null;
    if (typeof record?.event !== 'string') return undefined;
    if (record.seq === undefined && record.prev === undefined) return 'none';
    const { seq, prev } = record;
    return typeof seq === 'number' && Number.isSafeInteger(seq) && typeof prev === 'string' ? { seq, prev } : undefined;
  } catch {
    return undefined;
  }
}

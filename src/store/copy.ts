/** Copies one store into another: everything or nothing, and compared before it counts. */
import { NotpError } from '../error.ts';
import { clashes, lacking } from './contents.ts';
import type { Contents, Store, Tables } from './store.ts';
import { namesUpTo } from '../lists.ts';

/** How many conflicting rows the error names. */
const NAMED = 5;

/** The number of rows of each table that were copied, or would be. */
export type Counts = Readonly<Record<string, number>>;

export interface CopyOptions {
  readonly dryRun: boolean;
  /** Called with the number of rows written so far, and the total. */
  readonly onProgress: (rows: number, total: number) => void;
}

/**
 * Adds the contents of `source` to `target`, which may hold those of other hosts. Nobody decides on either meanwhile. Equal rows in
 * `target` stay. Throws `refused`, with nothing changed, where `target` has a different row for the same key.
 */
export async function copyStore(source: Store, target: Store, { dryRun, onProgress }: CopyOptions): Promise<Counts> {
  return await source.exclusively(async (from) => {
    const contents = await from.contents();
    return await target.exclusively(async (to) => {
      const present = await to.contents();
      refuseClash(present, contents);
      const tables = lacking(present.tables, contents.tables);
      const counts = countsOf(tables);
      if (dryRun) return counts;
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
      await to.add({ ...contents, tables }, (rows) => {
        onProgress(rows, total);
      });
      compare(await to.contents(), contents);
      return counts;
    });
  });
}

function refuseClash(present: Contents, incoming: Contents): void {
  const found = clashes(present.tables, incoming.tables);
  const { seq } = present.head;
  if (seq > 0 && (seq !== incoming.head.seq || present.head.hash !== incoming.head.hash))
    found.push(`the audit chain of this host, at record ${String(seq)}`);
  if (found.length === 0) return;
  throw new NotpError('refused', `the target has other values for ${namesUpTo(NAMED, found)}`, 'nothing was changed');
}

/** Throws `failed` where the target does not give back the rows that were written. Then nothing is committed. */
function compare(now: Contents, wanted: Contents): void {
  if (wanted.backlog.length > 0 && waitingIn(now) !== waitingIn(wanted))
    throw new NotpError('failed', 'the target did not store the records that wait for the log', 'nothing was changed');
  const missing = Object.values(countsOf(lacking(now.tables, wanted.tables))).some((count) => count > 0);
  if (missing || clashes(now.tables, wanted.tables).length > 0 || now.head.seq !== wanted.head.seq || now.head.hash !== wanted.head.hash)
    throw new NotpError('failed', 'the target did not store all rows', 'nothing was changed');
}

/** The lines of records that the log file has not taken yet. */
function waitingIn({ backlog }: Contents): string {
  return backlog.map(({ line }) => line).join('');
}

function countsOf(tables: Tables): Counts {
  return Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, rows.length]));
}

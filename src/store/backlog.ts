/**
 * Keeps lines of the audit log that its file has not taken yet. They are cut into parts for which the database reserves space from
 * the beginning, so that they can be kept on a full disk too. The same statements for each database.
 */
import { CHAIN, chainOf, type Chain } from './rows.ts';
import type { Transaction } from './store.ts';
import type { Statements } from './statements.ts';

/** A usual line takes one slot, the longest possible one nineteen. */
export const SLOTS = 256;
const SLOT_BYTES = 512;

/** The statement that makes the slots of the embedded store. */
export const RESERVED_SLOTS = `WITH RECURSIVE each(slot) AS (SELECT 0 UNION ALL SELECT slot + 1 FROM each WHERE slot + 1 < ${String(SLOTS)})
  INSERT INTO backlog SELECT slot, 0, 0, '${' '.repeat(SLOT_BYTES)}' FROM each;`;

/** The statement that makes the rollback journal long enough to keep a line on a full disk. The embedded store's journal never shrinks. */
export const TOUCHED_SLOTS = 'UPDATE backlog SET part = 1 WHERE seq = 0 AND slot < 112';

/** `chain`: gives the head as the transaction has it now. */
export function backlogOn(
  { all, write, dialect }: Pick<Statements, 'all' | 'write' | 'dialect'>,
  chain: () => Promise<Chain>,
): Pick<Transaction, 'backlog' | 'keepLine'> {
  const { here, logColumn, logValue } = dialect;
  return {
    backlog: async (log) => {
      const [where, of] = log === undefined ? [here, {}] : ['log = $of', { of: log }];
      const { head, lacking } = log === undefined ? await chain() : chainOf((await all(`${CHAIN} WHERE ${where}`, of))[0]);
      if (lacking === 0) return [];
      const rows = await all(`SELECT seq, text FROM backlog WHERE ${where} AND seq > $filed AND seq <= $last ORDER BY seq, part`, {
        ...of,
        ...{ filed: head.seq - lacking, last: head.seq },
      });
      const texts = new Map<number, string>();
      for (const { seq, text } of rows) texts.set(Number(seq), (texts.get(Number(seq)) ?? '') + String(text));
      return [...texts].map(([seq, text]) => ({ seq, line: text.slice(0, text.indexOf('\n') + 1) }));
    },
    keepLine: async ({ seq, line }, keptFree = 0) => {
      const { head, lacking } = await chain();
      const rows = lacking === 0 ? [] : await all(`SELECT slot, seq FROM backlog WHERE ${here}`);
      const waits = (number: number): boolean => number > head.seq - lacking && number <= head.seq;
      const taken = new Set(rows.filter((row) => waits(Number(row['seq']))).map(({ slot }) => Number(slot)));
      const free = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => !taken.has(slot));
      const parts = partsOf(line);
      if (parts.length > free.length - keptFree) return false;
      for (const [part, text] of parts.entries())
        await write(
          `INSERT INTO backlog (${logColumn}slot, seq, part, text) VALUES (${logValue}$slot, $seq, $part, $text)
           ON CONFLICT (${logColumn}slot) DO UPDATE SET seq = excluded.seq, part = excluded.part, text = excluded.text`,
          { slot: free[part] ?? 0, seq, part, text },
          { seq, part, text },
        );
      return true;
    },
  };
}

/** The number of slots that the line takes. */
export function slotsOf(line: string): number {
  return partsOf(line).length;
}

/** Texts of SLOT_BYTES each, or up to three fewer where a character would be cut. Only the last one is padded, after the newline. */
function partsOf(line: string): string[] {
  const parts: string[] = [];
  let [part, bytes] = ['', 0];
  for (const character of line) {
    const more = Buffer.byteLength(character);
    if (bytes + more > SLOT_BYTES) {
      parts.push(part);
      [part, bytes] = ['', 0];
    }
    part += character;
    bytes += more;
  }
  return [...parts, part + ' '.repeat(SLOT_BYTES - bytes)];
}

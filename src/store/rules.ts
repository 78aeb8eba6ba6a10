/** The table of the rules of a fleet: one row, or none. The same statements for each database. */
import { drop, macOf, sealedRows } from './row-seal.ts';
import type { Statements } from './statements.ts';
import type { RuleTables } from './store.ts';

/** The id of the only row. */
const ID = 'rules';

export function rulesOn({ all, run, write, seal }: Pick<Statements, 'all' | 'run' | 'write' | 'seal'>): RuleTables {
  return {
    keptRules: async () => {
      const [found] = await sealedRows({ all, seal }, 'rules', 'SELECT * FROM rules WHERE id = $id', { id: ID });
      if (found === undefined) return undefined;
      const { row, doubt } = found;
      return { text: String(row['text']), asOfMs: Number(row['as_of_ms']), ...(doubt === undefined ? {} : { doubt }) };
    },
    putRules: async ({ text, asOfMs: as_of_ms }) => {
      const row = { id: ID, as_of_ms, text };
      const mac = macOf(seal, 'rules', row);
      const sql = `INSERT INTO rules (id, as_of_ms, text, mac) VALUES ($id, $as_of_ms, $text, $mac)
        ON CONFLICT (id) DO UPDATE SET as_of_ms = excluded.as_of_ms, text = excluded.text, mac = excluded.mac`;
      await write(sql, { ...row, mac }, { mac });
    },
    dropRules: () => drop({ all, run }, 'rules', 'id = $id', { id: ID }),
  };
}

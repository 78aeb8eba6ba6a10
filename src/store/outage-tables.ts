/**
 * The tables for outages of a server: the users who may be let in meanwhile, and the decisions made then. The same statements for
 * each database.
 */
import { FLOODS, type OutageRecord, type OutageTables } from './store.ts';
import { drop, isForged, macOf, sealedRows } from './row-seal.ts';
import type { Row } from './row.ts';
import { logIn, type Statements } from './statements.ts';

export function outageOn(statements: Pick<Statements, 'all' | 'run' | 'write' | 'seal' | 'log'>): OutageTables {
  const { all, run, write, seal } = statements;
  return {
    approved: async () =>
      (await sealedRows({ all, seal }, 'approved', 'SELECT * FROM approved ORDER BY "user"'))
        .filter(({ doubt }) => doubt !== 'forged')
        .map(({ row: { user, as_of_ms: asOfMs } }) => ({ user: String(user), asOfMs: Number(asOfMs) })),
    hasApproval: async (user) => (await all('SELECT 1 FROM approved WHERE "user" = $user', { user })).length > 0,
    approve: async ({ user, asOfMs }) => {
      const mac = macOf(seal, 'approved', { user, as_of_ms: asOfMs });
      const sql = 'INSERT INTO approved VALUES ($user, $asOfMs, $mac) ON CONFLICT ("user") DO UPDATE SET as_of_ms = $asOfMs, mac = $mac';
      await write(sql, { user, asOfMs, mac }, { mac });
    },
    disapprove: (user) => drop({ all, run }, 'approved', '"user" = $user', { user }),
    outageRecords: async (limit) =>
      (await all('SELECT id, seq, text FROM outage ORDER BY seq, id LIMIT $limit', { limit })).map(outageRecordOf),
    keepOutageRecord: async ({ id, seq, text }) => {
      if ((await all('SELECT 1 FROM outage WHERE id = $id', { id })).length > 0) return false;
      const row = { id, seq, text, mac: macOf(seal, 'outage', { id, seq, text, log: await logIn(statements) }) };
      await write('INSERT INTO outage VALUES ($id, $seq, $text, $mac)', row, row);
      return true;
    },
    reportedAs: async (id) => {
      const [row] = await all('SELECT * FROM outage WHERE id = $id', { id });
      if (row === undefined) return undefined;
      return isForged(seal, 'outage', { ...row, log: await logIn(statements) })
        ? 'forged'
        : { seq: Number(row['seq']), hash: String(row['text']) };
    },
    dropOutageRecord: (id) => run('DELETE FROM outage WHERE id = $id', { id }),
    counted: async () => {
      const users = FLOODS.map((flood) => `SELECT "user" FROM ${flood} WHERE count > 0 AND "user" <> ''`);
      return (await all(users.join(' UNION '), {})).map(({ user }) => String(user));
    },
    forget: async (user) => {
      for (const table of ['approved', 'enrolment', 'connection', 'peer', 'sealed', 'refusals', 'acceptances'])
        await run(`DELETE FROM ${table} WHERE "user" = $user`, { user });
    },
  };
}

function outageRecordOf({ id, seq, text }: Row): OutageRecord {
  return { id: String(id), seq: Number(seq), text: String(text) };
}

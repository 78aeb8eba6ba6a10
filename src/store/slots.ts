/**
 * The tables of the last connections and sources that an accepted code also lets in: a few slots for each enrolment, of which the
 * oldest is overwritten. The same statements for each database.
 */
import { macOf, NO_MAC, notDone, sealedRows, type SealedTable } from './row-seal.ts';
import type { Row, Values } from './row.ts';
import type { Connection, Enrolment, Transaction } from './store.ts';
import type { Statements } from './statements.ts';

const CONNECTION_SLOTS = 8;
const FIRST_TURN = '65536';

/** The id in a row that only reserves space. No sealed file has it. */
const NO_ID = '0'.repeat(32);
/** The values of such rows, by column. */
const FILLERS = {
  connection: [
    ['id', `'${NO_ID}'`],
    ['pid', '4194304'],
    ['start_ticks', '1099511627776'],
    ['boot_id', `'${'0'.repeat(36)}'`],
    ['turn', FIRST_TURN],
    ['mac', `'${NO_MAC}'`],
  ],
  peer: [
    ['id', `'${NO_ID}'`],
    ['digest', `'${'0'.repeat(64)}'`],
    ['accepted_ms', '1099511627776'],
    ['mac', `'${NO_MAC}'`],
  ],
} as const;

export type Slots = Pick<Transaction, 'remembers' | 'remember' | 'lastAccepted' | 'rememberPeer' | 'sources' | 'forgetSources'>;

export function slotsOn({ all, run, write, seal }: Pick<Statements, 'all' | 'run' | 'write' | 'seal'>): Slots {
  /** The rows that `sql` gives and that notp signed; see sealedRows(). */
  const proven = async (table: SealedTable, sql: string, asked: Values): Promise<readonly Row[]> =>
    (await sealedRows({ all, seal }, table, sql, asked)).filter(({ doubt }) => doubt === undefined).map(({ row }) => row);
  return {
    remembers: async ({ user, context, id }, { pid, startTicks: start_ticks, bootId: boot_id }) => {
      const sql = `SELECT * FROM connection WHERE "user" = $user AND context = $context AND id = $id
           AND pid = $pid AND start_ticks = $start_ticks AND boot_id = $boot_id`;
      return (await proven('connection', sql, { user, context, id, pid, start_ticks, boot_id })).length > 0;
    },
    remember: async ({ user, context, id }, connection: Connection) => {
      const { pid, startTicks: start_ticks, bootId: boot_id } = connection;
      const mac = macOf(seal, 'connection', { user, context, id, pid, start_ticks, boot_id });
      await write(
        `INSERT INTO connection ("user", context, slot, id, pid, start_ticks, boot_id, turn, mac)
         VALUES ($user, $context, coalesce(${unusedSlot('connection')},
             (SELECT slot FROM connection WHERE "user" = $user AND context = $context ORDER BY turn, slot LIMIT 1)),
           $id, $pid, $startTicks, $bootId,
           1 + (SELECT coalesce(max(turn), ${FIRST_TURN}) FROM connection WHERE "user" = $user AND context = $context), $mac)
         ON CONFLICT ("user", context, slot) DO UPDATE SET id = excluded.id, pid = excluded.pid,
           start_ticks = excluded.start_ticks, boot_id = excluded.boot_id, turn = excluded.turn, mac = excluded.mac`,
        { user, context, id, ...connection, mac },
        { mac },
      );
    },
    lastAccepted: async ({ user, context, id }, digest) => {
      const sql = 'SELECT * FROM peer WHERE "user" = $user AND context = $context AND id = $id AND digest = $digest';
      const rows = await proven('peer', sql, { user, context, id, digest });
      return rows.length === 0 ? undefined : Math.max(...rows.map((row) => Number(row['accepted_ms'])));
    },
    rememberPeer: async ({ user, context, id }, { digest, acceptedMs }) => {
      const mac = macOf(seal, 'peer', { user, context, id, digest, accepted_ms: acceptedMs });
      await write(
        `INSERT INTO peer ("user", context, slot, id, digest, accepted_ms, mac)
         VALUES ($user, $context, coalesce(
             (SELECT min(slot) FROM peer WHERE "user" = $user AND context = $context AND id = $id AND digest = $digest),
             ${unusedSlot('peer')},
             (SELECT slot FROM peer WHERE "user" = $user AND context = $context ORDER BY id = $id, accepted_ms, slot LIMIT 1)),
           $id, $digest, $acceptedMs, $mac)
         ON CONFLICT ("user", context, slot) DO UPDATE SET id = excluded.id, digest = excluded.digest,
           accepted_ms = excluded.accepted_ms, mac = excluded.mac`,
        { user, context, id, digest, acceptedMs, mac },
        { mac },
      );
    },
    sources: async (since, user) => {
      const theirs = user === undefined ? '' : ' AND "user" = $user';
      const rows = (sql: string): ReturnType<typeof all> => all(sql, user === undefined ? { since } : { since, user });
      const sql = `SELECT * FROM peer WHERE accepted_ms > $since AND id <> '${NO_ID}'${theirs}`;
      return (await sealedRows({ all: rows, seal }, 'peer', sql))
        .filter(({ doubt }) => doubt === undefined)
        .map(({ row }) => ({
          ...{ user: String(row['user']), context: String(row['context']) },
          ...{ id: String(row['id']), acceptedMs: Number(row['accepted_ms']) },
        }));
    },
    forgetSources: async (user) => {
      const left = async (table: keyof typeof FILLERS): Promise<number> =>
        (await all(`SELECT 1 FROM ${table} WHERE "user" = $user AND id <> '${NO_ID}'`, { user })).length;
      let count = 0;
      for (const table of ['connection', 'peer'] as const) {
        const found = await left(table);
        if (found === 0) continue;
        count += found;
        const values = FILLERS[table].map(([column, value]) => `${column} = ${value}`).join(', ');
        await run(`UPDATE ${table} SET ${values} WHERE "user" = $user`, { user });
        if ((await left(table)) > 0) throw notDone(`did not change a row of ${table}`);
      }
      return count > 0;
    },
  };
}

/** The next unused slot of `$user` and `$context` in `table`; NULL where all are used. */
function unusedSlot(table: 'connection' | 'peer'): string {
  return `(SELECT CASE WHEN count(*) < ${String(CONNECTION_SLOTS)} THEN CAST(count(*) AS integer) END
    FROM ${table} WHERE "user" = $user AND context = $context)`;
}

/** Fills the slots of an enrolment, so that its logins insert no rows. */
export async function reserveSlots(
  { run }: Pick<Statements, 'run'>,
  { user, context }: Pick<Enrolment, 'user' | 'context'>,
): Promise<void> {
  const slots = Array.from({ length: CONNECTION_SLOTS }, (_, slot) => `$user, $context, ${String(slot)}`);
  for (const [table, filler] of Object.entries(FILLERS)) {
    const columns = filler.map(([column]) => column).join(', ');
    const values = filler.map(([, value]) => value).join(', ');
    const rows = slots.map((slot) => `(${slot}, ${values})`).join(', ');
    await run(`INSERT INTO ${table} ("user", context, slot, ${columns}) VALUES ${rows}`, { user, context });
  }
}

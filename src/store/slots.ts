/**
 * The tables of what an accepted code still stands for: the last connections and sources of each enrolment, a few slots each, the oldest of
 * which is written over. The same statements for each database.
 */
import type { Row, Values } from './rows.ts';
import type { Connection, Enrolment, Transaction } from './store.ts';
import type { Statements } from './tables.ts';

const CONNECTION_SLOTS = 8;
const FIRST_TURN = '65536';

export type Slots = Pick<Transaction, 'remembers' | 'remember' | 'lastAccepted' | 'rememberPeer'>;

export function slotsOn({ all, run }: Pick<Statements, 'all' | 'run'>): Slots {
  const get = async (sql: string, values: Values): Promise<Row | undefined> => (await all(sql, values))[0];
  return {
    remembers: async ({ user, context, id }, connection) =>
      (await get(
        `SELECT slot FROM connection WHERE "user" = $user AND context = $context AND id = $id
           AND pid = $pid AND start_ticks = $startTicks AND boot_id = $bootId`,
        { user, context, id, ...connection },
      )) !== undefined,
    remember: ({ user, context, id }, connection: Connection) =>
      run(
        `INSERT INTO connection ("user", context, slot, id, pid, start_ticks, boot_id, turn)
         VALUES ($user, $context, coalesce(${unusedSlot('connection')},
             (SELECT slot FROM connection WHERE "user" = $user AND context = $context ORDER BY turn, slot LIMIT 1)),
           $id, $pid, $startTicks, $bootId,
           1 + (SELECT coalesce(max(turn), ${FIRST_TURN}) FROM connection WHERE "user" = $user AND context = $context))
         ON CONFLICT ("user", context, slot) DO UPDATE SET id = excluded.id, pid = excluded.pid,
           start_ticks = excluded.start_ticks, boot_id = excluded.boot_id, turn = excluded.turn`,
        { user, context, id, ...connection },
      ),
    lastAccepted: async ({ user, context, id }, digest) => {
      const row = await get(
        'SELECT max(accepted_ms) AS ms FROM peer WHERE "user" = $user AND context = $context AND id = $id AND digest = $digest',
        { user, context, id, digest },
      );
      return row === undefined || row['ms'] === null ? undefined : Number(row['ms']);
    },
    rememberPeer: ({ user, context, id }, { digest, acceptedMs }) =>
      run(
        `INSERT INTO peer ("user", context, slot, id, digest, accepted_ms)
         VALUES ($user, $context, coalesce(
             (SELECT min(slot) FROM peer WHERE "user" = $user AND context = $context AND id = $id AND digest = $digest),
             ${unusedSlot('peer')},
             (SELECT slot FROM peer WHERE "user" = $user AND context = $context ORDER BY id = $id, accepted_ms, slot LIMIT 1)),
           $id, $digest, $acceptedMs)
         ON CONFLICT ("user", context, slot) DO UPDATE SET id = excluded.id, digest = excluded.digest, accepted_ms = excluded.accepted_ms`,
        { user, context, id, digest, acceptedMs },
      ),
  };
}

/** The next slot of `$user` and `$context` in `table` that has no row yet; NULL where all have. */
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
  const connection = `'${'0'.repeat(32)}', 4194304, 1099511627776, '${'0'.repeat(36)}', ${FIRST_TURN}`;
  const peer = `'${'0'.repeat(32)}', '${'0'.repeat(64)}', 1099511627776`;
  const rows = (filler: string): string => slots.map((slot) => `(${slot}, ${filler})`).join(', ');
  await run(`INSERT INTO connection VALUES ${rows(connection)}`, { user, context });
  await run(`INSERT INTO peer VALUES ${rows(peer)}`, { user, context });
}

/**
 * The table of the members of a fleet. The same statements for each database. A row is in no seal: whoever can write to the database could put
 * an earlier one back all the same, and can otherwise only keep members out.
 */
import type { Statements } from './statements.ts';
import type { MemberTables } from './store.ts';

export function membersOn({ all, write }: Pick<Statements, 'all' | 'write'>): MemberTables {
  return {
    members: async () =>
      (await all('SELECT * FROM member ORDER BY host')).map((row) => ({
        host: String(row['host']),
        untilMs: Number(row['until_ms']),
        seenMs: Number(row['seen_ms']),
        revokedMs: Number(row['revoked_ms']),
      })),
    noteMember: async ({ host, untilMs, seenMs }) => {
      const seen = { until_ms: untilMs, seen_ms: seenMs };
      const sql = `INSERT INTO member VALUES ($member, $until_ms, $seen_ms, 0)
        ON CONFLICT (host) DO UPDATE SET until_ms = excluded.until_ms, seen_ms = excluded.seen_ms`;
      await write(sql, { member: host, ...seen }, seen);
    },
    revokeMember: async (host, revokedMs) => {
      const revoked = { revoked_ms: revokedMs };
      const sql =
        'INSERT INTO member VALUES ($member, 0, 0, $revoked_ms) ON CONFLICT (host) DO UPDATE SET revoked_ms = excluded.revoked_ms';
      await write(sql, { member: host, ...revoked }, revoked);
    },
  };
}

/** What whoever has the host key may write past notp: the MACs of rows as src/store/row-seal.ts describes them, by Node's own crypto. */
import type { DatabaseSync } from 'node:sqlite';

/** The columns of an enrolment that its MAC covers and a test may change: those that hold a text, and those that hold a number. */
export const ENROLMENT_TEXTS = [
  'user',
  'context',
  'id',
  'digest',
  'pending_id',
  'pending_digest',
  'status',
  'spent',
  'pending_spent',
  'mac',
];
export const ENROLMENT_NUMBERS = [
  'last_step',
  'tokens',
  'as_of_ms',
  'period_seconds',
  'last_accepted_ms',
  'pending_inherits',
  'pending_last_step',
  'pending_period_seconds',
  'pending_tokens',
  'uid',
];

/** Signs all rows of a store with the first key in `keyFile`. It needs nothing from outside, so that its text runs elsewhere, too. */
export function signRows(database: DatabaseSync, keyFile: string): void {
  const { createHmac, hkdfSync } = process.getBuiltinModule('node:crypto');
  const { readFileSync } = process.getBuiltinModule('node:fs');
  const key = Buffer.from(hkdfSync('sha256', readFileSync(keyFile).subarray(0, 32), '', 'notp store rows/1', 32));
  const columns = {
    enrolment:
      'user context id digest pending_id pending_digest status last_step tokens as_of_ms spent period_seconds last_accepted_ms pending_inherits pending_last_step pending_tokens pending_spent uid',
    connection: 'user context id pid start_ticks boot_id',
    peer: 'user context id digest accepted_ms',
    approved: 'user as_of_ms',
    granted: 'id user uid as_of_ms until_ms address key service reason',
  };
  database.exec('BEGIN');
  for (const [table, names] of Object.entries(columns)) {
    for (const row of database.prepare(`SELECT * FROM ${table}`).all()) {
      const tries = String(row['tries'] ?? '').trimEnd();
      const period = String(row['pending_period_seconds'] ?? 0);
      const also = [...(tries === '' ? [] : [tries]), ...(period === '0' ? [] : ['pending_period_seconds', period])];
      const texts = ['notp row/1', table, ...names.split(' ').map((name) => String(row[name])), ...also];
      const values = texts.map((value) => Buffer.from(value));
      const mac = createHmac('sha256', key);
      for (const value of values) {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(value.length);
        mac.update(length).update(value);
      }
      const primary = table === 'granted' ? ['id'] : ['user', 'context', 'slot'].filter((name) => name in row);
      const where = primary.map((name) => `${name} = ?`).join(' AND ');
      database.prepare(`UPDATE ${table} SET mac = ? WHERE ${where}`).run(mac.digest('hex'), ...primary.map((name) => row[name] ?? ''));
    }
  }
  database.exec('COMMIT');
}

/** A program for `node -e` that changes the store of a host by `sql` as root could, who has the host key. */
export function changing(database: string, sql: string, keyFile = '/etc/notp/host.key'): string {
  return `const store = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(database)});
    store.exec(${JSON.stringify(sql)});
    (${signRows.toString()})(store, ${JSON.stringify(keyFile)});`;
}

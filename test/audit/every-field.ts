/** A record with every field that one can have. */
import type { AuditRecord } from '../../src/audit/record.ts';

/** The type says so where a field is added. */
export const EVERY: Required<AuditRecord> = {
  ...{ user: 'alice', uid: 1000, context: 'ssh', door: 'gate', service: 'ssh', rhost: '192.0.2.1', tty: '/dev/pts/0' },
  ...{ event: 'login.refused', result: 'refused', reason: 'wrong_code', method: 'totp', step_offset: 0, detail: 'x', count: 2 },
  ...{ since: '2026-01-01T00:00:00.000Z', until: '2026-01-01T00:00:00.000Z', outage: '2026-01-01T00:00:00.000Z', report: '01234567' },
  ...{ step: 1, recovery_codes: [1], ref: '01234567', host: 'web1' },
};

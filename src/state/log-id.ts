/**
 * The id of the log of a host whose store is shared. It is in a small file beside the log, where rotation leaves it alone, and made before the
 * first record is written. Whatever the store keeps of the log is kept for this id, so the host may change its name.
 */
import { endOf, LAST_BYTES } from '../audit/log-end.ts';
import { NotpError } from '../error.ts';
import type { LogPlace } from '../store/postgres/transaction.ts';
import { draft, readTrusted } from '../system/trusted.ts';
import type { User } from '../system/users.ts';

const ID = /^[0-9a-f]{32}$/;
const MAX_BYTES = 64;

/** The file with the id of the log `auditFile`. */
export function logIdFile(auditFile: string): string {
  return `${auditFile}.id`;
}

/** The caller acts as `owner`, whose log it is. `id` throws for a file that is malformed or not trusted. */
export function logPlace(auditFile: string, owner: User): LogPlace {
  const file = logIdFile(auditFile);
  return {
    name: auditFile,
    // Read each time: `notp audit verify --resume` may have replaced it.
    id: () => {
      const bytes = readTrusted(file, { owner: owner.uid, maxBytes: MAX_BYTES, forbidden: 0o022 });
      if (bytes === undefined) return undefined;
      const id = Buffer.from(bytes).toString('latin1').trim();
      if (ID.test(id)) return id;
      throw new NotpError(
        'store_unavailable',
        `${file} has no id of a log`,
        'restore it, or delete it and run as root: notp audit verify --resume',
      );
    },
    hasRecords: () => endOf(auditFile, LAST_BYTES).some(({ seq }) => seq > 1),
    keep: (id) => {
      draft(file, new Uint8Array(Buffer.from(`${id}\n`))).put();
    },
  };
}

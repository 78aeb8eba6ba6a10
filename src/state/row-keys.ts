/**
 * The seal of the store's rows, by the keys of this host.
 *
 * What ties a sealed file to its enrolment is its digest in the row, and what ties the row to notp is the MAC of the row. A keyed tag of the
 * file alone would say that notp once registered the file; the MAC says that too, for the digest is among what it is of, and it says it of the
 * status, the last step, the budget and the recovery codes as well. So the digest is a plain SHA-256, the same with and without a host key,
 * and whoever can write to the database but has no host key can neither register a file nor change anything else that decides.
 */
import { timingSafeEqual } from 'node:crypto';
import { NotpError } from '../error.ts';
import { auditKey, rowKey, rowMac } from '../seal/keys.ts';
import { MAC_LENGTH, UNKEYED, type RowSeal } from '../store/row-seal.ts';
import type { HostKey } from './host-keys.ts';

/** By the present key, and checked with each that is known. A user's own state has no key: it is theirs to write. */
export function rowSealOf(kind: 'service' | 'user', hostKey: HostKey | undefined): RowSeal {
  if (kind === 'user') return UNKEYED;
  return hostKey === undefined ? KEYLESS : sealWith(hostKey);
}

function sealWith(hostKey: HostKey): RowSeal {
  const present = rowKey(hostKey.key);
  const former = hostKey.former.map(({ key }) => rowKey(key));
  return {
    sign: (row) => rowMac(present, row),
    signMark: (row) => rowMac(auditKey(hostKey.key), row),
    doubt: (row, mac) => ([present, ...former].some((key) => isSame(rowMac(key, row), mac)) ? undefined : 'forged'),
  };
}

/** Where the key is encrypted for systemd, or missing: rows can be looked at, and an enrolment can be ended. */
const KEYLESS: RowSeal = {
  sign: () => {
    throw new NotpError(
      'failed',
      'the key of this host cannot be read here, and what the store holds is signed with it',
      'run notp host-key init where there is none; where it is encrypted only the service has it',
    );
  },
  doubt: () => 'unverified',
};

function isSame(mac: string, found: string): boolean {
  return found.length === MAC_LENGTH && Buffer.byteLength(found) === MAC_LENGTH && timingSafeEqual(Buffer.from(mac), Buffer.from(found));
}

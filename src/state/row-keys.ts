/**
 * The seal of the store's rows, made with the keys of this host.
 *
 * The digest in the row ties a sealed file to its enrolment, and the MAC of the row ties the row to notp. A keyed tag of the file
 * alone would prove only that notp once registered the file. The MAC proves that too, since it covers the digest, and it also
 * covers the status, the last step, the budget and the recovery codes.
 * So the digest is a plain SHA-256, the same with and without a host key. An attacker who can write to the database but has no host
 * key can neither register a file nor change anything else that decides.
 */
import { timingSafeEqual } from 'node:crypto';
import { NotpError } from '../error.ts';
import { auditKey, rowKey, rowMac } from '../seal/keys.ts';
import { MAC_LENGTH, UNKEYED, type RowSeal } from '../store/row-seal.ts';
import type { HostKey } from './host-keys.ts';

/** The seal that signs with the present key and checks with each known key. A user's own state has no key: the user may write it. */
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

/** The seal without a key, where that is encrypted for systemd, or missing: rows can be read, and an enrolment can be ended. */
const KEYLESS: RowSeal = {
  sign: () => {
    throw new NotpError(
      'failed',
      'the key of this host cannot be read here, and what the store holds is signed with it',
      'if there is none, run notp host-key init; if it is encrypted, only the service can read it',
    );
  },
  doubt: () => 'unverified',
};

function isSame(mac: string, found: string): boolean {
  return found.length === MAC_LENGTH && Buffer.byteLength(found) === MAC_LENGTH && timingSafeEqual(Buffer.from(mac), Buffer.from(found));
}

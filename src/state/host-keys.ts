/** The keys of the host: they open what they sealed, made its audit chain, and sign the rows of its store. */
import { existsSync } from 'node:fs';
import { NotpError } from '../error.ts';
import { hostKeyId, KEY_BYTES, auditKey, rowKey, rowMac } from '../seal/keys.ts';
import type { Config } from '../system/config.ts';
import { readTrusted } from '../system/trusted.ts';
import type { User } from '../system/users.ts';
import { asStore, type StatePlace } from './place.ts';
import { timingSafeEqual } from 'node:crypto';
import { MAC_LENGTH, UNKEYED, type RowSeal } from '../store/row-seal.ts';

export interface HostKey {
  /** KEY_BYTES raw bytes. */
  readonly key: Uint8Array;
  readonly id: string;
  /** The earlier keys, the newest first: they still open what they sealed. */
  readonly former: readonly Omit<HostKey, 'former'>[];
}

/** Whether the host key is on the disk only encrypted, as `<host_key>.cred` for LoadCredentialEncrypted= in systemd.exec(5). */
export function hasEncryptedKey({ hostKey }: Config): boolean {
  return !existsSync(hostKey) && existsSync(`${hostKey}.cred`);
}

/** The host key and the earlier keys, the present one first; empty without a host key. */
export function keysOf(hostKey: HostKey | undefined): readonly Omit<HostKey, 'former'>[] {
  return hostKey === undefined ? [] : [hostKey, ...hostKey.former];
}

/** The keys of all files: the first key seals, and all of them open. */
export function hostKeysOf({ hostKeyFiles, owner, hostKeyForbidden, openedKey }: StatePlace): HostKey | undefined {
  const [first, ...others] = hostKeyFiles.map((file) => readHostKey(file, owner, hostKeyForbidden));
  const present = first ?? (openedKey === undefined ? undefined : parseHostKey(openedKey, hostKeyFiles[0] ?? ''));
  if (present === undefined) return undefined;
  return { ...present, former: [...present.former, ...others.flatMap((other) => (other === undefined ? [] : [other, ...other.former]))] };
}

/**
 * The host key in `file`, or undefined where there is no file. Throws `store_unavailable` for a file with a wrong owner, mode or
 * length.
 * `forbidden`: mode bits, as readTrusted takes them.
 */
export function readHostKey(file: string, owner: User, forbidden?: number): HostKey | undefined {
  const mode = forbidden === undefined ? {} : { forbidden };
  const bytes = asStore(() => readTrusted(file, { owner: owner.uid, maxBytes: KEY_BYTES * MAX_HOST_KEYS, ...mode }));
  return bytes === undefined ? undefined : parseHostKey(bytes, file);
}

function parseHostKey(bytes: Uint8Array, file: string): HostKey {
  const [present, ...former] = Array.from({ length: Math.ceil(bytes.length / KEY_BYTES) }, (_, i) => {
    const key = bytes.slice(i * KEY_BYTES, (i + 1) * KEY_BYTES);
    return { key, id: hostKeyId(key) };
  });
  if (present !== undefined && bytes.length % KEY_BYTES === 0) return { ...present, former };
  throw new NotpError('store_unavailable', `${file} is no host key: it must be ${String(KEY_BYTES)} bytes`, 'restore it from a backup');
}

/**
 * The most keys in one file: the host key, and earlier ones that some enrolment may still need. All are in one file, so that the
 * key changes in one step.
 */
export const MAX_HOST_KEYS = 8;

/**
 * The seal of the store's rows. It signs with the present key and checks with each known key. A user's own state has no key: the user may
 * write it.
 *
 * The digest in the row ties a sealed file to its enrolment, and the MAC of the row ties the row to notp. A keyed tag of the file
 * alone would prove only that notp once registered the file. The MAC proves that too, since it covers the digest, and it also
 * covers the status, the last step, the budget and the recovery codes.
 * So the digest is a plain SHA-256, the same with and without a host key. An attacker who can write to the database but has no host
 * key can neither register a file nor change anything else that decides.
 */
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

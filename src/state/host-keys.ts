/** Reads the keys of the host: the keys in its files open what they sealed, and also made its audit chain. */
import { existsSync } from 'node:fs';
import { NotpError } from '../error.ts';
import { hostKeyId, KEY_BYTES } from '../seal/keys.ts';
import type { Config } from '../system/config.ts';
import { readTrusted } from '../system/trusted.ts';
import type { User } from '../system/users.ts';
import type { StatePlace } from './place.ts';
import { asStore } from './store-place.ts';

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

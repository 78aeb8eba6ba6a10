/** Finds what systemd hands to a service: the host keys and the password of the store. See LoadCredential= in systemd.exec(5). */
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { credentialNames, ONLY_KEY, type Config } from '../system/config.ts';
import { openCredential } from '../system/systemd.ts';
import { isRoot } from '../system/users.ts';
import { hasEncryptedKey } from './host-keys.ts';
import type { StatePlace } from './place.ts';

const PASSWORD_CREDENTIAL = 'store.password';
/** Allows group read: a credential has mode 0440 where an ACL lets the service in. */
const CREDENTIAL_FORBIDDEN = 0o037;

/**
 * For root's commands where the host key is on the disk only encrypted: the place with the decrypted key, since the rows that they
 * write are signed with it. Unchanged where there is nothing to decrypt or it fails: then commands can only show and end
 * enrolments.
 */
export function withOpenedKey(place: StatePlace, config: Config): StatePlace {
  if (place.kind !== 'service' || !isRoot() || !hasEncryptedKey(config)) return place;
  const openedKey = openCredential(`${config.hostKey}.cred`, credentialNames(config)[0] ?? '');
  return openedKey === undefined ? place : { ...place, openedKey };
}

/** The place with the credentials, where there are any. */
export function withCredentials(place: StatePlace, config: Config, environment: NodeJS.ProcessEnv): StatePlace {
  const folder = environment['CREDENTIALS_DIRECTORY'];
  if (folder === undefined) return place;
  const hostKeyFiles = keyFilesIn(folder, config.hostKeys);
  const passwordFile = path.join(folder, PASSWORD_CREDENTIAL);
  const { store } = place;
  const present = store.kind === 'postgres' && existsSync(passwordFile) ? { ...store, passwordFile } : store;
  return { ...place, hostKeyFiles, hostKeyForbidden: CREDENTIAL_FORBIDDEN, store: present };
}

/**
 * The credentials with the keys of `hostKeys`: each by the name of its file, and the first that is missing by the name that a single key
 * has. So the drop-in of the unit may change before or after `host_key` does.
 */
function keyFilesIn(folder: string, hostKeys: readonly string[]): string[] {
  const files = hostKeys.map((file) => path.join(folder, path.basename(file)));
  const lacking = files.findIndex((file) => !existsSync(file));
  return files.map((file, i) => (i === lacking ? path.join(folder, ONLY_KEY) : file));
}

/** What systemd hands to a service of its own: the keys of the host and the password of the store. See LoadCredential= in systemd.exec(5). */
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { credentialNames, type Config } from '../system/config.ts';
import type { StatePlace } from './state.ts';

const PASSWORD_CREDENTIAL = 'store.password';
/** Not group read: a credential shows 0440 where an ACL lets the service in. */
const CREDENTIAL_FORBIDDEN = 0o037;

/** The place with them, where there are any. */
export function withCredentials(place: StatePlace, config: Config, environment: NodeJS.ProcessEnv): StatePlace {
  const folder = environment['CREDENTIALS_DIRECTORY'];
  if (folder === undefined) return place;
  const hostKeyFiles = credentialNames(config).map((name) => path.join(folder, name));
  const passwordFile = path.join(folder, PASSWORD_CREDENTIAL);
  const { store } = place;
  const present = store.kind === 'postgres' && existsSync(passwordFile) ? { ...store, passwordFile } : store;
  return { ...place, hostKeyFiles, hostKeyForbidden: CREDENTIAL_FORBIDDEN, store: present };
}

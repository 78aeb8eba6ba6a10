/**
 * Whose state a login is judged on: the service's, for root and the service itself, or the user's own, for
 * somebody who is only a user on this machine.
 */
import * as path from 'node:path';
import type { Config, StoreSetting } from '../system/config.ts';
import { secretsFolder } from '../system/secrets.ts';
import { isRoot, SERVICE_USER, userByName, type User } from '../system/users.ts';

export interface StatePlace {
  readonly kind: 'service' | 'user';
  /** Who owns the state, and acts on it. */
  readonly owner: User;
  /** Where its changing part is. */
  readonly store: Exclude<StoreSetting, { kind: 'user' }>;
  readonly auditFile: string;
  readonly journal: boolean;
  /** None where it has none. */
  readonly hostKeyFiles: readonly string[];
  /** Mode bits that the host keys must not have, where they are not those of every trusted file. */
  readonly hostKeyForbidden?: number;
  /** What belongs into the first of them, where that is encrypted on the disk and root has opened it. */
  readonly openedKey?: Uint8Array;
}

/** Where the state of `user` is for whoever runs this. Throws `store_unavailable` where there is none that we may use. */
export function statePlace(config: Config, user: User): StatePlace {
  const service = config.store.kind === 'user' ? undefined : serviceUser();
  if (service !== undefined && config.store.kind !== 'user') {
    return {
      kind: 'service',
      owner: service,
      store: config.store,
      auditFile: config.audit.file,
      journal: config.audit.journal,
      hostKeyFiles: config.hostKeys,
    };
  }
  return ownPlace(config, user);
}

/** The user's own state, which also counts the HOTP codes that they read. */
export function ownPlace(config: Config, user: User): StatePlace {
  const folder = secretsFolder(config, user);
  const store = { kind: 'sqlite', path: path.join(folder, '.state.db') } as const;
  const auditFile = path.join(folder, '.audit.log');
  return { kind: 'user', owner: user, store, auditFile, journal: config.audit.journal, hostKeyFiles: [] };
}

/** The service's user, where we are it or may become it. */
function serviceUser(): User | undefined {
  const user = userByName(SERVICE_USER);
  return user !== undefined && (isRoot() || process.geteuid?.() === user.uid) ? user : undefined;
}

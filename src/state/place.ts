/** Chooses the state that judges a login: the service's, for root and the service itself, or the user's own, for anybody else. */
import * as path from 'node:path';
import type { Config, StoreSetting } from '../system/config.ts';
import { secretsFolder } from '../system/secrets.ts';
import { isRoot, SERVICE_USER, userByName, type User } from '../system/users.ts';

export interface StatePlace {
  readonly kind: 'service' | 'user';
  /** The user who owns the state, and as whom notp works on it. */
  readonly owner: User;
  /** The place of the database. */
  readonly store: Exclude<StoreSetting, { kind: 'user' }>;
  readonly auditFile: string;
  readonly journal: boolean;
  /** Empty where the state has no host key. */
  readonly hostKeyFiles: readonly string[];
  /** Mode bits that the host keys must not have, where they differ from those of other trusted files. */
  readonly hostKeyForbidden?: number;
  /** The content of the first host key file, where that is encrypted on the disk and root has decrypted it. */
  readonly openedKey?: Uint8Array;
}

/** The place of the state of `user`, for the user who runs this. Throws `store_unavailable` where this process may use none. */
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

/** The user's own state, which also keeps the counters of the HOTP codes that they read. */
export function ownPlace(config: Config, user: User): StatePlace {
  const folder = secretsFolder(config, user);
  const store = { kind: 'sqlite', path: path.join(folder, '.state.db') } as const;
  const auditFile = path.join(folder, '.audit.log');
  return { kind: 'user', owner: user, store, auditFile, journal: config.audit.journal, hostKeyFiles: [] };
}

/** The service's user, where this process runs as that user or may become it. */
function serviceUser(): User | undefined {
  const user = userByName(SERVICE_USER);
  return user !== undefined && (isRoot() || process.geteuid?.() === user.uid) ? user : undefined;
}

/** The one way to a store from outside this folder: which kind it is, nobody else knows. */
import { openSqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';

/** Opens the database at `path`, making it where there is none and `create` is set. The caller has checked the path and set the umask. Throws `store_unavailable`. */
export function openStore(path: string, options: { create: boolean }): Store {
  return openSqliteStore(path, options);
}

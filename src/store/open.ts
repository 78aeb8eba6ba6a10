/** The one way to a store from outside this folder: which kind it is, nobody else knows. */
import type { PostgresPlace } from './postgres/session.ts';
import { migratePostgresStore, openPostgresStore } from './postgres/postgres.ts';
import { openSqliteStore } from './sqlite/sqlite.ts';
import { copyStore, type CopyOptions, type Counts } from './copy.ts';
import { UNKEYED } from './row-seal.ts';
import type { Store, StoreOptions } from './store.ts';

export { nameOf as postgresName } from './postgres/session.ts';

export type StorePlace = { readonly kind: 'sqlite'; readonly path: string } | ({ readonly kind: 'postgres' } & PostgresPlace);

/** Opens it; a file is made where there is none and `create` is set. The caller has checked its path and set the umask. Throws `store_unavailable`. */
export function openStore(place: StorePlace, options: StoreOptions): Store {
  return place.kind === 'sqlite' ? openSqliteStore(place.path, options) : openPostgresStore(place, options);
}

/** Makes the tables that many hosts share, or brings them up to date; gives their version before and after. Those of a file are brought up to date by opening it. */
export async function migrateStore(place: StorePlace): Promise<{ readonly from: number; readonly to: number } | undefined> {
  return place.kind === 'postgres' ? await migratePostgresStore(place) : undefined;
}

/** A fleet is large, and nobody waits for this at a door. */
const COPY_MS = 3_600_000;
/** An empty store that leaves no trace: what SQLite calls so. */
const NOWHERE: StorePlace = { kind: 'sqlite', path: ':memory:' };

/** Copies one into another, whose rows are proven by `rows`; see copyStore(). A file is made where there is none; `to` is undefined for a dry run where none is. Throws `store_unavailable` too. */
export async function copyStores(
  from: StorePlace,
  to: StorePlace | undefined,
  { rows = UNKEYED, ...options }: CopyOptions & Pick<StoreOptions, 'rows'>,
): Promise<Counts> {
  const source = openStore(unhurried(from), { create: false, rows });
  try {
    const target = openStore(to === undefined ? NOWHERE : unhurried(to), { create: to === undefined || !options.dryRun, rows });
    try {
      return await copyStore(source, target, options);
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
}

function unhurried(place: StorePlace): StorePlace {
  return place.kind === 'postgres' ? { ...place, deadlineMs: COPY_MS } : place;
}

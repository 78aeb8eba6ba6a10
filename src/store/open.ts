/** The only way to a store from outside this folder: no other folder knows the kind of database. */
import type { PostgresPlace } from './postgres/session.ts';
import { migratePostgresStore, openPostgresStore } from './postgres/postgres.ts';
import { openSqliteStore } from './sqlite/sqlite.ts';
import { copyStore, type CopyOptions, type Counts } from './copy.ts';
import { UNKEYED } from './row-seal.ts';
import type { Store, StoreOptions } from './store.ts';

export { nameOf as postgresName } from './postgres/session.ts';

export type StorePlace = { readonly kind: 'sqlite'; readonly path: string } | ({ readonly kind: 'postgres' } & PostgresPlace);

/**
 * Opens a store. Makes a missing file where `create` is set. The caller has checked its path and set the umask. Throws
 * `store_unavailable`.
 */
export function openStore(place: StorePlace, options: StoreOptions): Store {
  return place.kind === 'sqlite' ? openSqliteStore(place.path, options) : openPostgresStore(place, options);
}

/** Makes or upgrades the tables that many hosts share, and gives their version before and after. Opening a file upgrades its tables. */
export async function migrateStore(place: StorePlace): Promise<{ readonly from: number; readonly to: number } | undefined> {
  return place.kind === 'postgres' ? await migratePostgresStore(place) : undefined;
}

/** The time limit of a copy: a fleet is large, and no login waits for this. */
const COPY_MS = 3_600_000;
/** An empty store in memory, which leaves no trace. */
const NOWHERE: StorePlace = { kind: 'sqlite', path: ':memory:' };

/**
 * Copies one store into another, whose rows `rows` signs; see copyStore(). Makes a missing file. `to` is undefined for a dry run
 * where there is no target yet. Throws `store_unavailable` too.
 */
export async function copyStores(
  from: StorePlace,
  to: StorePlace | undefined,
  { rows = UNKEYED, ...options }: CopyOptions & Pick<StoreOptions, 'rows'>,
): Promise<Counts> {
  const source = openStore(unhurried(from), { create: false, rows });
  try {
    const target = openStore(to === undefined ? NOWHERE : withItsHead(unhurried(to)), {
      create: to === undefined || !options.dryRun,
      rows,
    });
    try {
      return await copyStore(source, target, options);
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
}

/** The place, whose log may begin there although it has records, since its head is copied too. */
function withItsHead(place: StorePlace): StorePlace {
  return place.kind === 'postgres' ? { ...place, log: { ...place.log, hasRecords: () => false } } : place;
}

function unhurried(place: StorePlace): StorePlace {
  return place.kind === 'postgres' ? { ...place, deadlineMs: COPY_MS } : place;
}

/** The databases that a store may be in: what a store promises is tried on each of them. */
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { PostgresPlace } from '../../src/store/postgres/session.ts';
import type { LogPlace } from '../../src/store/postgres/transaction.ts';
import { migratePostgresStore, openPostgresStore } from '../../src/store/postgres/postgres.ts';
import { UNKEYED, type RowSeal } from '../../src/store/row-seal.ts';
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { lacksPostgres, PASSWORD, ROLE, startPostgres, type Postgres } from '../support/postgres.ts';
import { ROOT } from '../support/process.ts';
import { scratchFolder } from '../support/world.ts';

/** One database, empty when it is given. */
export interface Database {
  /** Its rows are proven by `rows`; undefined: by nothing. */
  open(rows?: RowSeal): Store;
  /** What messages begin with. */
  readonly name: string;
  /** The beginning of a module that has it open as `store`. */
  readonly opening: string;
  /** Changes it past the store. */
  sql(text: string): void;
}

export interface Engine {
  readonly name: string;
  readonly skip: string | false;
  /** Called before all, with a name of the test file; gives what makes a new database. */
  readonly ready: (name: string) => Promise<() => Promise<Database>>;
}

const sqlite: Engine = {
  name: 'SQLite',
  skip: false,
  ready: (name) => {
    const folder = scratchFolder(`store-${name}`);
    let count = 0;
    return Promise.resolve(() => {
      const file = path.join(folder, `${String(count++)}.db`);
      openSqliteStore(file, { create: true }).close();
      return Promise.resolve({
        open: (rows = UNKEYED) => openSqliteStore(file, { create: false, rows }),
        name: file,
        opening: `import { openSqliteStore } from ${source('sqlite/sqlite.ts')};
          const store = openSqliteStore(${JSON.stringify(file)}, { create: false });`,
        sql: (text) => {
          const database = new DatabaseSync(file);
          database.exec(text);
          database.close();
        },
      });
    });
  },
};

const postgres: Engine = {
  name: 'PostgreSQL',
  skip: lacksPostgres(),
  ready: async (name) => {
    const server = await startPostgres(name);
    let count = 0;
    return async () => {
      const database = `notp${String(count++)}`;
      server.createDatabase(database);
      const place = placeOf(server, database);
      await migratePostgresStore(place);
      return {
        open: (rows = UNKEYED) => openPostgresStore(place, { rows }),
        name: `postgres://localhost:${String(server.port)}/${database}`,
        opening: `import { openPostgresStore } from ${source('postgres/postgres.ts')};
          const place = ${JSON.stringify({ ...place, password: undefined })};
          const log = { name: '', id: () => place.thisHost, hasRecords: () => false, keep: () => undefined };
          const store = openPostgresStore({ ...place, log, password: () => ${JSON.stringify(PASSWORD)} });`,
        sql: (text) => void server.sql(`SET search_path TO notp; ${text}`, database),
      };
    };
  },
};

export const ENGINES: readonly Engine[] = [sqlite, postgres];

/** As a host called `thisHost` reaches it. */
export function placeOf({ port, authority }: Postgres, database: string, thisHost = 'one'): PostgresPlace {
  const servers = [{ host: 'localhost', port }];
  return { servers, database, user: ROLE, password: () => PASSWORD, authorities: authority, tls: true, thisHost, log: knownLog(thisHost) };
}

/** A log with an id of its own, whatever is in its file. */
export function knownLog(id: string): LogPlace {
  return { name: id, id: () => id, hasRecords: () => false, keep: () => undefined };
}

function source(file: string): string {
  return JSON.stringify(path.join(ROOT, 'src/store', file));
}

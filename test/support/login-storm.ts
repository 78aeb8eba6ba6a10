/** Many people who log in at the same instant on one host whose store is a PostgreSQL server, straight and through PgBouncer. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { pamWorld, succeed, type PamWorld } from '../doors/pam-world.ts';
import { startPgbouncer } from './pgbouncer.ts';
import { PASSWORD, ROLE, startPostgres, type Postgres } from './postgres.ts';
import { sleep, type Ran } from './process.ts';
import { addUser, SOURCE_NOTP, type TestUser } from './world.ts';

const DATABASE = 'notp';
/** What a server that counts sessions needs to have counted them, and more: 1 second. */
const COUNTED_MS = 1_500;

export interface StormWorld {
  readonly server: Postgres;
  /** As root runs it for each of them at once, each with a recovery code of theirs that was not used before. */
  storm(how: 'straight' | 'pooled'): Promise<Storm>;
}

export interface Storm {
  readonly ran: readonly Ran[];
  readonly ms: number;
  /** Connections that the server was asked for. */
  readonly connections: number;
}

/** `settings`: of the server. */
export async function stormWorld(name: string, people: number, settings: readonly string[] = []): Promise<StormWorld> {
  const server = await startPostgres(name, settings);
  server.createDatabase(DATABASE);
  const pool = await startPgbouncer(name, server, DATABASE);
  const files = path.join(server.folder, name);
  fs.writeFileSync(`${files}.pem`, server.authority, { mode: 0o644 });
  fs.writeFileSync(`${files}.password`, `${PASSWORD}\n`, { mode: 0o400 });
  const straight = [
    `url = "postgres://${ROLE}@localhost:${String(server.port)}/${DATABASE}"`,
    `password_file = "${files}.password"`,
    `ca_file = "${files}.pem"`,
  ].join('\n');
  const world = await pamWorld(name, {
    store: straight,
    prepare: async ({ config, service }) => {
      fs.chownSync(`${files}.password`, service.uid, service.gid);
      await succeed([...SOURCE_NOTP, 'store', 'migrate', '--config', config]);
    },
  });
  const configs = { straight: world.config, pooled: path.join(world.folder, 'pooled.toml') };
  const pooled = `url = "postgres://${ROLE}@/${DATABASE}?host=${pool.folder}"\npassword_file = "${files}.none"`;
  fs.writeFileSync(configs.pooled, fs.readFileSync(world.config, 'utf8').replace(straight, pooled), { mode: 0o644 });
  const phones = await enrolled(world, people);
  const connections = (): number => Number(server.sql(`SELECT sessions FROM pg_stat_database WHERE datname = '${DATABASE}'`));
  return {
    server,
    storm: async (how) => {
      const proofs = phones.map(({ user, recovery }) => ({ user, code: recovery.pop() ?? '' }));
      const [before, startMs] = [connections(), performance.now()];
      const ran = await Promise.all(proofs.map(({ user, code }) => world.pam(user.name, code, { config: configs[how] })));
      const ms = performance.now() - startMs;
      await sleep(COUNTED_MS);
      return { ran, ms, connections: connections() - before };
    },
  };
}

async function enrolled(world: PamWorld, people: number): Promise<readonly { readonly user: TestUser; readonly recovery: string[] }[]> {
  const phones = [];
  for (let i = 0; i < people; i++) {
    const user = addUser();
    phones.push({ user, recovery: [...(await world.enroll(user, ['--recovery', '16'])).recovery] });
  }
  return phones;
}

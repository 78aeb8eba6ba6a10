/** A role in PostgreSQL for each host: logins go as with one for all, and no host can take back what the store knows of its log. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacksPostgres, PASSWORD, startPostgres, type Postgres } from '../support/postgres.ts';
import { ROOT, run, type Ran } from '../support/process.ts';
import { addUser, lacks, oathCode, SOURCE_NOTP, type TestUser } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost, logIdOf } from './fleet-world.ts';
import { pamWorld, succeed, type PamWorld } from './pam-world.ts';

const HOSTS = ['web1', 'web-2.example.org'] as const;
const SQL = path.join(ROOT, 'examples/postgres-roles.sql');
/** More than lie between two marks. */
const RECORDS = 51;

describe(
  'hosts with a role each',
  { skip: lacksPostgres() === false ? lacks({ root: true, programs: ['oathtool', 'openssl', 'psql'] }) : lacksPostgres() },
  () => {
    let server: Postgres;
    let one: PamWorld;
    let two: PamWorld;
    const key = randomBytes(32);

    before(async () => {
      server = await startPostgres('roles');
      server.createDatabase(FLEET_DATABASE);
      await fleetHost(server, 'owner', { hostKey: key });
      for (const host of HOSTS) {
        server.sql(`CREATE ROLE "${host}" LOGIN PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
        // Twice: it is run again after an update.
        for (let i = 0; i < 2; i++) await asAdministrator('-v', `host=${host}`, '-f', SQL);
      }
      one = await fleetHost(server, HOSTS[0], { hostKey: key, role: HOSTS[0] });
      two = await fleetHost(server, HOSTS[1], { hostKey: key, role: HOSTS[1] });
    });
    const asAdministrator = (...words: readonly string[]): Promise<string> =>
      succeed(['psql', '-h', server.folder, '-p', String(server.port), '-U', 'postgres', '-d', FLEET_DATABASE, '-qX', ...words]);
    /** What the role of the first host is answered. */
    const asOne = (sql: string): Promise<Ran> =>
      run([
        'psql',
        '-h',
        server.folder,
        '-p',
        String(server.port),
        '-U',
        HOSTS[0],
        '-d',
        FLEET_DATABASE,
        '-qXAt',
        '-c',
        `SET search_path TO notp; ${sql}`,
      ]);
    const verify = (host: string, file: string): Promise<Ran> =>
      run([...SOURCE_NOTP, 'audit', 'verify', '--host', host, '--file', file, '--config', two.config]);
    it('enrol, log in and are told what was used, as with one role for all', async () => {
      const user = addUser();
      const { secret, recovery } = await one.enroll(user);
      const code = oathCode(secret);
      assert.equal((await two.pam(user.name, code)).code, 0);
      const again = await one.pam(user.name, code);
      assert.equal(one.recordIn(again.stdout).reason, 'replayed');
      await succeed([...SOURCE_NOTP, 'revoke', '--user', user.name, '--yes', '--config', two.config]);
      assert.equal((await one.pam(user.name, recovery[0] ?? '')).code, 1);
      for (const host of [one, two]) await succeed([...SOURCE_NOTP, 'audit', 'verify', '--config', host.config]);
    });

    it('cannot touch what the store keeps of a log, of their own or of another', async () => {
      for (const [sql, refused] of [
        ["UPDATE chain SET seq = 0 WHERE host <> 'web1' RETURNING 1", ''],
        ["INSERT INTO chain VALUES ('other', 1, 'x')", /row-level security/],
        ["INSERT INTO chain (log, seq, hash, host) SELECT log, 1, 'x', 'web1' FROM chain WHERE host <> 'web1' LIMIT 1", /duplicate key/],
        ["UPDATE chain SET host = 'web1'", /permission denied/],
        ["INSERT INTO host VALUES ('web-2.example.org', 7, 'x')", /row-level security/],
        ["UPDATE host SET log = 'x'", /permission denied/],
        ['DELETE FROM host', /permission denied/],
        ["INSERT INTO mark VALUES ('other', 1, 'x')", /row-level security/],
        ["UPDATE mark SET hash = 'x'", /permission denied/],
        ['DELETE FROM mark', /permission denied/],
        ['DELETE FROM chain', /permission denied/],
        ['DELETE FROM former_chain_key', /permission denied/],
        ["UPDATE outage SET text = ''", /permission denied/],
        ['DELETE FROM outage', /permission denied/],
        ...['chain', 'mark', 'backlog', 'enrolment', 'connection', 'peer', 'refusals', 'acceptances', 'counter', 'outage'].map(
          (table) => [`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`, /permission denied/] as const,
        ),
        ['BEGIN; LOCK TABLE enrolment IN SHARE MODE', /permission denied/],
        ['ALTER TABLE mark DISABLE ROW LEVEL SECURITY', /must be owner/],
      ] as const) {
        const { stdout, stderr } = await asOne(sql);
        if (refused === '') assert.deepEqual([stdout, stderr], ['', ''], sql);
        else assert.match(stderr, refused, sql);
      }
    });

    it('could write to the rows of another in some tables that have a log', async () => {
      const tables = server
        .sql(
          "SELECT table_name FROM information_schema.columns WHERE table_schema = 'notp' AND column_name = 'log' ORDER BY 1",
          FLEET_DATABASE,
        )
        .trim()
        .split('\n');
      assert.ok(tables.includes('chain') && tables.includes('refusals') && tables.includes('acceptances'), tables.join());
      const other = logIdOf(server, HOSTS[1]);
      for (const table of tables) {
        // A row of the log of the other host, with whatever the table needs.
        const columns = server
          .sql(
            `SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE table_schema = 'notp' AND table_name = '${table}'`,
            FLEET_DATABASE,
          )
          .trim()
          .split('\n')
          .map((line) => line.split(' '));
        const values = columns.map(([name, type]) =>
          name === 'log' ? `'${other}'` : name === 'host' || name === 'name' ? `'${HOSTS[1]}'` : type === 'text' ? "'forged'" : '7',
        );
        const names = columns.map(([name]) => `"${name ?? ''}"`).join(', ');
        const insertion = `INSERT INTO ${table} (${names}) VALUES (${values.join(', ')})`;
        assert.match((await asOne(insertion)).stderr, /row-level security/, table);
        server.sql(`SET search_path TO notp; ${insertion} ON CONFLICT DO NOTHING`, FLEET_DATABASE);
        const count = `SET search_path TO notp; SELECT count(*) FROM ${table} WHERE log = '${other}'`;
        const earlier = server.sql(count, FLEET_DATABASE);
        for (const change of [`UPDATE ${table} SET log = log`, `DELETE FROM ${table}`]) {
          const { stdout, stderr } = await asOne(`${change} WHERE log = '${other}' RETURNING 1`);
          assert.equal(stdout, '', change);
          assert.match(stderr, /^$|permission denied/, change);
        }
        assert.equal(server.sql(count, FLEET_DATABASE), earlier, table);
        if (table === 'host') server.sql(`DELETE FROM notp.host WHERE number = 7`, FLEET_DATABASE);
        else if (table !== 'chain') server.sql(`SET search_path TO notp; DELETE FROM ${table} WHERE log = '${other}'`, FLEET_DATABASE);
      }
    });

    it('are found to have written their log anew, though they move the head of the chain along', async () => {
      const user = addUser();
      await one.enroll(user);
      await recordsBy(one, user, RECORDS);
      const whole = await verify(HOSTS[0], logOf(one));
      assert.equal(whole.code, 0, whole.stderr);
      assert.ok(Number((await asOne(`SELECT count(*) FROM mark WHERE log = '${logIdOf(server, 'web1')}'`)).stdout) > 0);
      // The same host with the same key, and another story of the same length, whose last record the store is told.
      const forger = await pamWorld('roles-forger', { hostKey: key });
      const { length } = one.records();
      await forger.enroll(addUser());
      await recordsBy(forger, user, length + 1);
      const forged = fs
        .readFileSync(logOf(forger), 'utf8')
        .trim()
        .split('\n')
        .slice(0, length + 1);
      const head = JSON.parse(forged[length] ?? '') as { prev: string };
      const file = `${two.folder}/forged.log`;
      fs.writeFileSync(
        file,
        forged
          .slice(0, length)
          .map((line) => `${line}\n`)
          .join(''),
      );
      const moved = await asOne(`UPDATE chain SET seq = ${String(length)}, hash = '${head.prev}' WHERE host = 'web1'`);
      assert.equal(moved.code, 0, moved.stderr);
      const found = await verify(HOSTS[0], file);
      assert.equal(found.code, 1);
      assert.match(found.stderr, /forged\.log:50: is not record 50 as the store knew it: the log was rewritten/);
    });
  },
);

function logOf({ folder }: PamWorld): string {
  return `${folder}/log/audit.log`;
}

async function recordsBy(host: PamWorld, user: TestUser, count: number): Promise<void> {
  while (host.records().length < count) await Promise.all(Array.from({ length: 10 }, () => host.pam(user.name, '000000')));
}

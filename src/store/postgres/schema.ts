/** The tables in PostgreSQL, which many hosts share, and the upgrade from an earlier release: `notp store migrate`. */
import type { ClientBase } from 'pg';
import { NotpError } from '../../error.ts';
import { newerSchema } from '../newer.ts';
import { NO_MAC } from '../row-seal.ts';
import { NO_TRIES } from '../rows.ts';
import { NO_UID } from '../store.ts';

/** The schema that belongs to notp in the database. */
export const SCHEMA = 'notp';

/**
 * The columns and their order are those of the embedded store; a row that belongs to the log of one host also names that log by its
 * id. `host` has the names of the hosts, each with the logs that it had, the newest with the highest number. A page has room for
 * the next version of each row that logins update, so that no index is written (a HOT update). The few rows of `chain`, which each
 * login updates, have room for many.
 */
const SCHEMAS = [
  `
  CREATE TABLE chain (host text PRIMARY KEY, seq bigint NOT NULL, hash text NOT NULL) WITH (fillfactor = 10);
  CREATE TABLE mark (host text NOT NULL, seq bigint NOT NULL, hash text NOT NULL, PRIMARY KEY (host, seq));
  CREATE TABLE enrolment (
    "user" text NOT NULL, context text NOT NULL,
    id text NOT NULL, pending_id text NOT NULL, status text NOT NULL,
    last_step bigint NOT NULL, tokens double precision NOT NULL, as_of_ms bigint NOT NULL, spent text NOT NULL,
    pending_tokens double precision NOT NULL, pending_spent text NOT NULL, last_accepted_ms bigint NOT NULL,
    pending_inherits integer NOT NULL, pending_last_step bigint NOT NULL,
    digest text NOT NULL, pending_digest text NOT NULL, period_seconds bigint NOT NULL,
    PRIMARY KEY ("user", context)) WITH (fillfactor = 70);
  CREATE TABLE connection (
    "user" text NOT NULL, context text NOT NULL, slot integer NOT NULL,
    id text NOT NULL, pid bigint NOT NULL, start_ticks bigint NOT NULL, boot_id text NOT NULL, turn bigint NOT NULL,
    PRIMARY KEY ("user", context, slot)) WITH (fillfactor = 70);
  CREATE TABLE peer (
    "user" text NOT NULL, context text NOT NULL, slot integer NOT NULL,
    id text NOT NULL, digest text NOT NULL, accepted_ms bigint NOT NULL,
    PRIMARY KEY ("user", context, slot)) WITH (fillfactor = 70);
  CREATE TABLE counter (id text PRIMARY KEY, next bigint NOT NULL) WITH (fillfactor = 70);
  CREATE TABLE sealed ("user" text NOT NULL, context text NOT NULL, text text NOT NULL, PRIMARY KEY ("user", context));
  CREATE TABLE approved ("user" text PRIMARY KEY, as_of_ms bigint NOT NULL);
  CREATE TABLE outage (id text PRIMARY KEY, seq bigint NOT NULL, text text NOT NULL);
  CREATE TABLE former_chain_key (host text NOT NULL, key text NOT NULL, PRIMARY KEY (host, key));
  CREATE TABLE refusals (
    host text NOT NULL, "user" text NOT NULL, tokens double precision NOT NULL, as_of_ms bigint NOT NULL,
    count bigint NOT NULL, since_ms bigint NOT NULL, ref text NOT NULL, shared text NOT NULL, PRIMARY KEY (host, "user")) WITH (fillfactor = 70);
`,
  // Rows of an earlier notp have no MAC, so they count for nothing until the user enrols again.
  ['enrolment', 'connection', 'peer', 'approved']
    .map((table) => `ALTER TABLE ${table} ADD COLUMN mac text NOT NULL DEFAULT '${NO_MAC}';`)
    .join('\n'),
  `
  ALTER TABLE chain ADD COLUMN lacking bigint NOT NULL DEFAULT 0;
  CREATE TABLE backlog (
    host text NOT NULL, slot integer NOT NULL, seq bigint NOT NULL, part integer NOT NULL, text text NOT NULL, PRIMARY KEY (host, slot));
  ALTER TABLE refusals ADD COLUMN until_ms bigint NOT NULL DEFAULT 1099511627776;
  CREATE TABLE acceptances (
    host text NOT NULL, "user" text NOT NULL, tokens double precision NOT NULL, as_of_ms bigint NOT NULL,
    count bigint NOT NULL, since_ms bigint NOT NULL, ref text NOT NULL, shared text NOT NULL, until_ms bigint NOT NULL,
    PRIMARY KEY (host, "user")) WITH (fillfactor = 70);
`,
  `ALTER TABLE former_chain_key ADD COLUMN mac text NOT NULL DEFAULT '${NO_MAC}'`,
  // `notp audit verify --resume` continues a chain that an earlier notp began.
  ['chain', 'mark', 'refusals', 'acceptances']
    .map((table) => `ALTER TABLE ${table} ADD COLUMN mac text NOT NULL DEFAULT '${NO_MAC}';`)
    .join('\n'),
  // The MAC of an earlier notp covers no uid, so its enrolments count for nothing until the user enrols again.
  'ALTER TABLE enrolment ADD COLUMN uid bigint NOT NULL DEFAULT -1',
  `ALTER TABLE outage ADD COLUMN mac text NOT NULL DEFAULT '${NO_MAC}'`,
  `
  CREATE TABLE imported (uid bigint NOT NULL, mark text NOT NULL, key text NOT NULL, PRIMARY KEY (uid, mark));
  CREATE TABLE log (name text PRIMARY KEY);
`,
  // Logs are known by ids of their own. `notp audit verify --resume` continues one that an earlier notp began.
  `
  DROP TABLE IF EXISTS log;
  CREATE TABLE host (name text NOT NULL, number bigint NOT NULL, log text NOT NULL, PRIMARY KEY (name, number));
  ${['chain', 'mark', 'backlog', 'former_chain_key', 'refusals', 'acceptances']
    .map((table) => `ALTER TABLE ${table} RENAME COLUMN host TO log;`)
    .join('\n')}
  ALTER TABLE chain ADD COLUMN host text NOT NULL DEFAULT '';
  UPDATE chain SET host = log;
  INSERT INTO host SELECT log, 1, log FROM chain;
`,
  // A mark of an earlier notp has no MAC: which of its codes were used is unknown.
  [
    'last_step bigint NOT NULL DEFAULT -1',
    "codes text NOT NULL DEFAULT ''",
    "spent text NOT NULL DEFAULT ''",
    `mac text NOT NULL DEFAULT '${NO_MAC}'`,
  ]
    .map((column) => `ALTER TABLE imported ADD COLUMN ${column};`)
    .join('\n'),
  // For imports, which look up the mark of a secret, whatever account it was imported for.
  'CREATE INDEX imported_mark ON imported (mark)',
  // For the owner, what was refused since the last accepted code.
  `ALTER TABLE enrolment ADD COLUMN tries text NOT NULL DEFAULT '${NO_TRIES}'`,
  `CREATE TABLE granted (
    id text PRIMARY KEY, "user" text NOT NULL, as_of_ms bigint NOT NULL, until_ms bigint NOT NULL,
    address text NOT NULL, key text NOT NULL, service text NOT NULL, reason text NOT NULL, mac text NOT NULL)`,
  // The length of the steps of a new secret, before its file is in place.
  'ALTER TABLE enrolment ADD COLUMN pending_period_seconds bigint NOT NULL DEFAULT 0',
  'CREATE TABLE member (host text PRIMARY KEY, until_ms bigint NOT NULL, seen_ms bigint NOT NULL, revoked_ms bigint NOT NULL)',
  // Grants were bound to a name alone, which another account may have got since: they end.
  `DELETE FROM granted; ALTER TABLE granted ADD COLUMN uid bigint NOT NULL DEFAULT ${String(NO_UID)}`,
  'CREATE TABLE rules (id text PRIMARY KEY, as_of_ms bigint NOT NULL, text text NOT NULL, mac text NOT NULL)',
];

/** The version of the tables that this notp needs. */
const VERSION = SCHEMAS.length;

/** The advisory lock of a migration, so that a second one waits. Any number will do that nobody else uses. */
const MIGRATION_LOCK = 7_208_315_571;

/** Makes the missing tables and columns. Gives the versions before and after. Throws `refused` where the tables are of a newer release. */
export async function migrate(client: ClientBase): Promise<{ readonly from: number; readonly to: number }> {
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`);
  await client.query(`SET LOCAL search_path TO ${SCHEMA}`);
  await client.query('CREATE TABLE IF NOT EXISTS version (one integer PRIMARY KEY CHECK (one = 1), version integer NOT NULL)');
  const { rows } = await client.query<{ version: number }>('SELECT version FROM version');
  const from = rows[0]?.version ?? 0;
  if (from > VERSION) throw newerSchema('refused', from, VERSION);
  for (const schema of SCHEMAS.slice(from)) await client.query(schema);
  await client.query('INSERT INTO version VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET version = $1', [VERSION]);
  await client.query('COMMIT');
  return { from, to: VERSION };
}

/** Throws where the tables are not of this release; `version` is undefined where there are none. */
export function checkVersion(version: number | undefined): void {
  if (version === undefined) throw new NotpError('store_unavailable', 'it has no tables of notp', 'run notp store migrate');
  if (version > VERSION) throw newerSchema('refused', version, VERSION);
  if (version < VERSION)
    throw new NotpError(
      'store_unavailable',
      `its tables are of version ${String(version)}, and this notp needs ${String(VERSION)}`,
      'run notp store migrate',
    );
}

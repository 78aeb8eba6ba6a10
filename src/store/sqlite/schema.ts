/** The tables of the embedded store, as each release since the first has changed them. */
import { RESERVED_SLOTS } from '../backlog.ts';
import { NO_MAC } from '../row-seal.ts';
import { NO_FLOOD, NO_REFUSALS, NO_TRIES } from '../rows.ts';
import { NO_UID } from '../store.ts';

/** The statements of each version of the schema; the version is the number of those that were run. */
export const SCHEMAS = [
  `
  CREATE TABLE chain (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
  INSERT INTO chain VALUES (1, 0, '${'0'.repeat(64)}');
  CREATE TABLE enrolment (
    user TEXT NOT NULL, context TEXT NOT NULL,
    id TEXT NOT NULL, pending_id TEXT NOT NULL, status TEXT NOT NULL,
    last_step INTEGER NOT NULL, tokens REAL NOT NULL, as_of_ms INTEGER NOT NULL, spent TEXT NOT NULL,
    pending_tokens REAL NOT NULL, pending_spent TEXT NOT NULL, last_accepted_ms INTEGER NOT NULL,
    PRIMARY KEY (user, context)) STRICT, WITHOUT ROWID;
  CREATE TABLE connection (
    user TEXT NOT NULL, context TEXT NOT NULL, slot INTEGER NOT NULL,
    id TEXT NOT NULL, pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL, boot_id TEXT NOT NULL, turn INTEGER NOT NULL,
    PRIMARY KEY (user, context, slot)) STRICT, WITHOUT ROWID;
  CREATE TABLE reserve (filler BLOB) STRICT;
`,
  `
  ALTER TABLE enrolment ADD COLUMN pending_inherits INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE counter (id TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`,
  `
  CREATE TABLE peer (
    user TEXT NOT NULL, context TEXT NOT NULL, slot INTEGER NOT NULL,
    id TEXT NOT NULL, digest TEXT NOT NULL, accepted_ms INTEGER NOT NULL,
    PRIMARY KEY (user, context, slot)) STRICT, WITHOUT ROWID;
  INSERT INTO peer SELECT user, context, slot, '${'0'.repeat(32)}', '${'0'.repeat(64)}', 1099511627776 FROM connection;
`,
  `
  ALTER TABLE enrolment ADD COLUMN pending_last_step INTEGER NOT NULL DEFAULT -1;
  CREATE TABLE former_chain_key (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
`,
  `
  CREATE TABLE refusals (
    user TEXT PRIMARY KEY, tokens REAL NOT NULL, as_of_ms INTEGER NOT NULL,
    count INTEGER NOT NULL, since_ms INTEGER NOT NULL, ref TEXT NOT NULL, shared TEXT NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO refusals SELECT user, ${NO_REFUSALS} FROM (SELECT '' AS user UNION SELECT user FROM enrolment);
`,
  `
  CREATE TABLE sealed (
    user TEXT NOT NULL, context TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (user, context)) STRICT, WITHOUT ROWID;
  CREATE TABLE approved (user TEXT PRIMARY KEY, as_of_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE outage (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
`,
  // Enrolments of an earlier notp have no digest, so no file counts for them until the user enrols again.
  `
  ALTER TABLE enrolment ADD COLUMN digest TEXT NOT NULL DEFAULT '';
  ALTER TABLE enrolment ADD COLUMN pending_digest TEXT NOT NULL DEFAULT '';
  ALTER TABLE enrolment ADD COLUMN period_seconds INTEGER NOT NULL DEFAULT 0;
`,
  // Rows of an earlier notp have no MAC. Where there is a host key, they count for nothing until the user enrols again. Each row
  // has room for one, so that a login on a full disk needs no space.
  ['enrolment', 'connection', 'peer', 'approved']
    .map((table) => `ALTER TABLE ${table} ADD COLUMN mac TEXT NOT NULL DEFAULT '${NO_MAC}'; UPDATE ${table} SET mac = '${NO_MAC}';`)
    .join('\n'),
  `
  ALTER TABLE chain ADD COLUMN lacking INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE backlog (slot INTEGER PRIMARY KEY, seq INTEGER NOT NULL, part INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
  ${RESERVED_SLOTS}
  ALTER TABLE refusals ADD COLUMN until_ms INTEGER NOT NULL DEFAULT 1099511627776;
  CREATE TABLE acceptances (
    user TEXT PRIMARY KEY, tokens REAL NOT NULL, as_of_ms INTEGER NOT NULL,
    count INTEGER NOT NULL, since_ms INTEGER NOT NULL, ref TEXT NOT NULL, shared TEXT NOT NULL, until_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO acceptances SELECT user, ${NO_FLOOD} FROM refusals;
  UPDATE refusals SET until_ms = until_ms;
`,
  `ALTER TABLE former_chain_key ADD COLUMN mac TEXT NOT NULL DEFAULT '${NO_MAC}'`,
  // Where there is a host key, `notp audit verify --resume` continues a chain that an earlier notp began.
  ['chain', 'refusals', 'acceptances']
    .map((table) => `ALTER TABLE ${table} ADD COLUMN mac TEXT NOT NULL DEFAULT '${NO_MAC}'; UPDATE ${table} SET mac = '${NO_MAC}';`)
    .join('\n'),
  // The MAC of an earlier notp covers no uid. Where there is a host key, its enrolments count for nothing until the user enrols again.
  'ALTER TABLE enrolment ADD COLUMN uid INTEGER NOT NULL DEFAULT -1',
  `ALTER TABLE outage ADD COLUMN mac TEXT NOT NULL DEFAULT '${NO_MAC}'`,
  'CREATE TABLE imported (uid INTEGER NOT NULL, mark TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (uid, mark)) STRICT, WITHOUT ROWID',
  // A mark of an earlier notp has no MAC: which of its codes were used is unknown.
  [
    'last_step INTEGER NOT NULL DEFAULT -1',
    "codes TEXT NOT NULL DEFAULT ''",
    "spent TEXT NOT NULL DEFAULT ''",
    `mac TEXT NOT NULL DEFAULT '${NO_MAC}'`,
  ]
    .map((column) => `ALTER TABLE imported ADD COLUMN ${column};`)
    .join('\n'),
  // For imports, which look up the mark of a secret, whatever account it was imported for.
  'CREATE INDEX imported_mark ON imported (mark)',
  // For the owner, what was refused since the last accepted code. Each row has room for it, so that a refusal on a full disk needs no space.
  `ALTER TABLE enrolment ADD COLUMN tries TEXT NOT NULL DEFAULT '${NO_TRIES}'; UPDATE enrolment SET tries = '${NO_TRIES}'`,
  `CREATE TABLE granted (
    id TEXT PRIMARY KEY, user TEXT NOT NULL, as_of_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
    address TEXT NOT NULL, key TEXT NOT NULL, service TEXT NOT NULL, reason TEXT NOT NULL, mac TEXT NOT NULL) STRICT, WITHOUT ROWID`,
  // The length of the steps of a new secret, before its file is in place.
  'ALTER TABLE enrolment ADD COLUMN pending_period_seconds INTEGER NOT NULL DEFAULT 0',
  `CREATE TABLE member (
    host TEXT PRIMARY KEY, until_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, revoked_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  // Grants were bound to a name alone, which another account may have got since: they end.
  `DELETE FROM granted; ALTER TABLE granted ADD COLUMN uid INTEGER NOT NULL DEFAULT ${String(NO_UID)}`,
  'CREATE TABLE rules (id TEXT PRIMARY KEY, as_of_ms INTEGER NOT NULL, text TEXT NOT NULL, mac TEXT NOT NULL) STRICT, WITHOUT ROWID',
];

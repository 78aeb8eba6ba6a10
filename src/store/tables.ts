/** The operations of a transaction on the tables, in SQL that SQLite and PostgreSQL both understand. */
import { logIn, type Statements } from './statements.ts';
import { NotpError } from '../error.ts';
import { escapeControls } from '../otp/escape.ts';
import { marksBeside } from '../seal/id.ts';
import { backlogOn } from './backlog.ts';
import { putTables, renewMacs, tablesOf } from './contents.ts';
import { refuseForged } from './enrolment.ts';
import { grantsOn } from './grants.ts';
import { importedAfter, importKey, withImported } from './imported.ts';
import { membersOn } from './members.ts';
import { outageOn } from './outage-tables.ts';
import {
  CHAIN,
  chainOf,
  changedHead,
  countsIn,
  enrolmentOf,
  importedOf,
  isFiller,
  isFirst,
  NO_FLOOD,
  possibleHead,
  presentHead,
  rowOf,
  rowOfImported,
  rowOfTally,
  tallyOf,
  type Chain,
} from './rows.ts';
import type { Row, Values } from './row.ts';
import { COUNTS, drop, encoded, isForged, macOf, markMac, NO_MAC, sealedRows, type SealedRow } from './row-seal.ts';
import { rulesOn } from './rules.ts';
import { reserveSlots, slotsOn } from './slots.ts';
import { FLOODS, NO_RECORD, type ChainHead, type Enrolment, type Flood, type Imported, type Tally, type Transaction } from './store.ts';

/** The number of records between two marks. Nobody needs the right to change or delete marks; see examples/postgres-roles.sql. */
const MARK_EVERY = 50;

/** Makes the log of this host the newest of its name. */
const NEWEST_LOG = 'INSERT INTO host SELECT $host::text, 1 + coalesce(max(number), 0), $log::text FROM host WHERE name = $host::text';
const OR_UPDATE_IMPORTED = `ON CONFLICT (uid, mark) DO UPDATE SET
  key = excluded.key, last_step = excluded.last_step, codes = excluded.codes, spent = excluded.spent, mac = excluded.mac`;

/** `reserved`: called when the rows of an enrolment were added. */
export function transactionOn(statements: Statements, reserved: () => Promise<void> = () => Promise.resolve()): Transaction {
  const { all, run, write, dialect, seal } = statements;
  const log = (): Promise<string> => logIn(statements);
  const { here, lock } = dialect;
  let current: Chain | undefined;
  /** Whether the log got the present name of the host in this transaction. */
  let isNamed = false;
  const counted = new Map<Flood, Tally>();
  /** The user whose counts apply to a user: the empty name, where the user turned out to have no enrolment. */
  const countedAs = new Map<string, string>();
  /** The enrolments that were read or made, as they are now. No other is signed. */
  const known = new Map<string, Enrolment>();
  /** The imported secrets that were read or written, as they are now, by importKey. */
  const imported = new Map<string, Imported>();
  const chain = async (): Promise<Chain> => {
    if (current !== undefined) return current;
    const row = presentHead((await statements.chain?.()) ?? (await get(`${CHAIN} WHERE ${here}`)));
    const found = chainOf(row);
    if (!isFirst(found) && isForged(seal, 'chain', { ...row, log: await log() })) throw changedHead();
    return (current = found);
  };
  const head = async (): Promise<ChainHead> => (await chain()).head;
  const { backlog, keepLine } = backlogOn(statements, chain);
  const mark = async (at: ChainHead): Promise<void> => {
    if (dialect.marks === undefined) return;
    const sql = `INSERT INTO mark (${dialect.logColumn}seq, hash, mac) VALUES (${dialect.logValue}$seq, $hash, $mac) ON CONFLICT DO NOTHING`;
    const row = { ...at, log: await log() };
    await run(sql, { ...at, mac: macOrNone(() => markMac(seal, row)) });
  };
  const moveHead = async (next: ChainHead, lacking = 0): Promise<void> => {
    const row = { ...next, lacking, log: await log() };
    const values = { ...next, lacking, mac: macOrNone(() => macOf(seal, 'chain', row)) };
    await write(`UPDATE chain SET seq = $seq, hash = $hash, lacking = $lacking, mac = $mac WHERE ${here}`, values, values);
    if (next.seq % MARK_EVERY === 0) await mark(next);
    current = { head: next, lacking };
  };
  const tallyIn = async (flood: Flood, user: string, row: Row | undefined): Promise<Tally> => {
    const isChanged = row !== undefined && !isFiller(row) && isForged(seal, flood, { ...row, user, log: await log() });
    return isChanged ? { ...tallyOf(user, undefined), isChanged } : tallyOf(user, row);
  };
  const tally = async (flood: Flood, user: string): Promise<Tally> => {
    const found = counted.get(flood);
    if (found !== undefined && found.user === (countedAs.get(user) ?? user)) return found;
    const row = await get(dialect.tally(flood), { user });
    if (row === undefined) throw new NotpError('store_unavailable', `the store has lost the counts of ${flood}`);
    const of = String(row['user']);
    if (of !== user && of !== '')
      throw new NotpError('store_unavailable', `the store answered with the counts of another user than ${user}`);
    const asked = await tallyIn(flood, of, countsIn(row));
    countedAs.set(user, of);
    counted.set(flood, asked);
    return asked;
  };
  const saveTally = async (flood: Flood, of: Tally): Promise<void> => {
    const row = rowOfTally(of);
    const mac = macOf(seal, flood, { ...row, log: await log() });
    const columns = [...COUNTS, 'mac'];
    await write(
      `INSERT INTO ${flood} (${dialect.logColumn}"user", ${columns.join(', ')})
       VALUES (${dialect.logValue}$user, ${columns.map((column) => `$${column}`).join(', ')})
       ON CONFLICT (${dialect.logColumn}"user") DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`,
      { ...row, mac },
      { mac },
    );
    counted.set(flood, of);
  };
  /** The imported secrets that `where` names. */
  const importsWhere = async (where: string, values: Values = {}): Promise<readonly Imported[]> => {
    const rows = (sql: string): ReturnType<typeof all> => all(sql, values);
    const found = (await sealedRows({ all: rows, seal }, 'imported', `SELECT * FROM imported WHERE ${where}`)).map(importedOf);
    for (const each of found) imported.set(importKey(each.uid, each.mark), each);
    return found;
  };
  /**
   * The enrolments in the rows that `sql` gives, and their imported secrets, which `where` names. Both are asked for at once, the
   * secrets after the locks of the enrolments.
   */
  const enrolmentsIn = async (rows: Promise<SealedRow[]>, where: string, values?: Values): Promise<readonly Enrolment[]> => {
    const [found] = await Promise.all([rows, importsWhere(where, values)]);
    return found.map((each) => withImported(enrolmentOf(each), (key) => imported.get(key)));
  };
  /** The condition for the imported secrets of the enrolments that `theirs` names. */
  const secretsOf = (theirs: string): string =>
    `(uid, mark) IN (${['id', 'pending_id'].map((id) => `SELECT uid, substr(${id}, 1, 16) FROM enrolment WHERE ${theirs}`).join(' UNION ')})${lock}`;
  const putImported = async (each: Imported, orUpdate: string): Promise<void> => {
    const row = rowOfImported(each, seal);
    const columns = ['uid', 'mark', 'key', 'last_step', 'codes', 'spent', 'mac'];
    const sql = `INSERT INTO imported (${columns.join(', ')}) VALUES (${columns.map((column) => `$${column}`).join(', ')}) ${orUpdate}`;
    await write(sql, row, macIn(row));
    imported.set(importKey(each.uid, each.mark), each);
  };
  const noteUsed = async (was: Enrolment, next: Enrolment): Promise<void> => {
    const present = imported.get(importKey(was.uid, next.id)) ?? imported.get(importKey(next.uid, next.id));
    if (present === undefined || present.doubt === 'forged' || next.doubt === 'forged') return;
    const after = importedAfter(present, was, next);
    if (JSON.stringify(after) !== JSON.stringify(present)) await putImported(after, OR_UPDATE_IMPORTED);
  };
  const grants = grantsOn(statements);
  const get = async (sql: string, values: Values = {}): Promise<Row | undefined> => (await all(sql, values))[0];
  return {
    clockMs: async () => await statements.clockMs?.(),
    ...outageOn(statements),
    ...grants,
    keepGrant: async (grant) => {
      await grants.keepGrant(grant);
      await reserved();
    },
    ...membersOn(statements),
    ...rulesOn(statements),
    ...slotsOn(statements),
    enrolment: async (user, context) => {
      const sql = `SELECT * FROM enrolment WHERE "user" = $user AND context = $context${lock}`;
      const asked = { user, context };
      const rows = sealedRows(statements, 'enrolment', sql, asked);
      const [found] = await enrolmentsIn(rows, secretsOf('"user" = $user AND context = $context'), asked);
      if (found !== undefined) known.set(nameOf(found), found);
      return found;
    },
    enrolmentsOf: async (user) => {
      const asked = sealedRows(
        statements,
        'enrolment',
        `SELECT enrolment.*, ${FLOODS.flatMap((flood) => [...COUNTS, 'mac'].map((column) => `${flood}.${column} AS ${flood}_${column}`)).join(', ')}
         FROM enrolment ${FLOODS.map((flood) => dialect.joined(flood)).join(' ')}
         WHERE enrolment."user" = $user ORDER BY context${dialect.lockEnrolments}`,
        { user },
      );
      const found = await enrolmentsIn(asked, secretsOf('"user" = $user'), { user });
      const rows = await asked;
      // The counts that a decision on them needs next.
      counted.clear();
      countedAs.clear();
      if (rows[0] !== undefined)
        for (const flood of FLOODS) counted.set(flood, await tallyIn(flood, user, countsIn(rows[0].row, `${flood}_`)));
      for (const each of found) known.set(nameOf(each), each);
      return found;
    },
    enrolmentsOfUid: async (uid) =>
      await enrolmentsIn(
        sealedRows(statements, 'enrolment', 'SELECT * FROM enrolment WHERE uid = $uid ORDER BY "user", context', { uid }),
        'uid = $uid',
        { uid },
      ),
    enrolments: async () =>
      await enrolmentsIn(sealedRows(statements, 'enrolment', 'SELECT * FROM enrolment ORDER BY "user", context'), 'TRUE'),
    tally,
    saveTally,
    insert: async (enrolment) => {
      const row = rowOf(enrolment, seal);
      await write(
        `INSERT INTO enrolment VALUES ($user, $context, $id, $pending_id, $status, $last_step, $tokens, $as_of_ms, $spent,
           $pending_tokens, $pending_spent, $last_accepted_ms, $pending_inherits, $pending_last_step, $digest, $pending_digest, $period_seconds, $mac, $uid, $tries, $pending_period_seconds)`,
        row,
        macIn(row),
      );
      counted.clear();
      countedAs.clear();
      known.set(nameOf(enrolment), enrolment);
      if (dialect.reserves) await reserve(statements, enrolment);
      await reserved();
    },
    save: async (enrolment) => {
      const { user, context } = enrolment;
      const was = known.get(nameOf(enrolment));
      if (was === undefined)
        throw new NotpError('store_unavailable', `the enrolment of ${user} for ${context} was not asked for, so it is not written`);
      // Its values are lost in NO_STATE, and it may be genuine by a key that is not here.
      if (enrolment.status !== 'revoked') refuseForged(enrolment);
      const row = rowOf(enrolment, seal);
      await write(
        `UPDATE enrolment SET id = $id, pending_id = $pending_id, status = $status, last_step = $last_step, tokens = $tokens,
           as_of_ms = $as_of_ms, spent = $spent, pending_tokens = $pending_tokens, pending_spent = $pending_spent,
           last_accepted_ms = $last_accepted_ms, pending_inherits = $pending_inherits, pending_last_step = $pending_last_step,
           digest = $digest, pending_digest = $pending_digest, period_seconds = $period_seconds, mac = $mac, uid = $uid, tries = $tries,
           pending_period_seconds = $pending_period_seconds
         WHERE "user" = $user AND context = $context`,
        row,
        macIn(row),
      );
      known.set(nameOf(enrolment), enrolment);
      await noteUsed(was, enrolment);
    },
    renewRows: async (users) => {
      await renewMacs(statements, users);
      for (const user of users) {
        for (const flood of FLOODS) {
          const found = await tally(flood, user);
          if (found.user === user && found.isChanged === undefined && found.records.asOfMs !== 0) await saveTally(flood, found);
        }
      }
      const { head: last, lacking } = await chain();
      if (last.seq > 0) await moveHead(last, lacking);
    },
    head,
    moveHead,
    nameLog: async () => {
      if (isNamed || statements.log === undefined || (await statements.log.isNamed())) return [];
      isNamed = true;
      const names = await all('SELECT DISTINCT name FROM host WHERE log = $log ORDER BY name');
      await run(NEWEST_LOG);
      return names.map(({ name }) => escapeControls(String(name)));
    },
    keepLogId: async () => {
      await statements.log?.keepLogId();
    },
    renewLog: async () => {
      if (statements.log === undefined) return;
      await statements.log.renewLog();
      await run(NEWEST_LOG);
      isNamed = true;
      current = { head: NO_RECORD, lacking: 0 };
      counted.clear();
      countedAs.clear();
    },
    backlog,
    keepLine,
    marks: async (of = '') => {
      if (dialect.marks === undefined) return new Map();
      const id = of === '' ? await log() : of;
      return new Map(
        (await all(dialect.marks, { of })).map((row) => {
          const signed = encoded('mark', { ...row, log: id });
          return [Number(row['seq']), { hash: String(row['hash']), mac: String(row['mac']), signed }];
        }),
      );
    },
    heads: async () =>
      (await all(dialect.heads)).map((row) => ({
        host: escapeControls(String(row['host'])),
        log: String(row['log']),
        head: possibleHead(row),
      })),
    counter: async (id) => {
      const row = await get(`SELECT next FROM counter WHERE id = $id${lock}`, { id });
      return row === undefined ? undefined : Number(row['next']);
    },
    setCounter: (id, next) =>
      write('INSERT INTO counter VALUES ($id, $next) ON CONFLICT (id) DO UPDATE SET next = $next', { id, next }, { id, next }),
    dropCounter: (id) => run('DELETE FROM counter WHERE id = $id', { id }),
    sealed: async (user, context) => {
      const row = await get(`SELECT text FROM sealed WHERE "user" = $user AND context = $context${lock}`, { user, context });
      return row === undefined ? undefined : String(row['text']);
    },
    putSealed: (user, context, text) =>
      write(
        'INSERT INTO sealed VALUES ($user, $context, $text) ON CONFLICT ("user", context) DO UPDATE SET text = $text',
        { user, context, text },
        { text },
      ),
    dropSealed: (user, context) => drop(statements, 'sealed', '"user" = $user AND context = $context', { user, context }),
    // Of all hosts: where several had the same key, the first that gave it up keeps it.
    formerChainKeys: async () => {
      const rows = await sealedRows(statements, 'former_chain_key', 'SELECT * FROM former_chain_key ORDER BY key');
      const keys = new Set(rows.filter(({ doubt }) => doubt === undefined).map(({ row }) => String(row['key'])));
      return [...keys].map((key) => new Uint8Array(Buffer.from(key, 'hex')));
    },
    imports: (uid, marks = []) => {
      const ends = marks.map(marksBeside).map(([first, last], i) => ({ [`first_${String(i)}`]: first, [`last_${String(i)}`]: last }));
      const wanted = ['uid = $uid', ...ends.map((_, i) => `mark BETWEEN $first_${String(i)} AND $last_${String(i)}`)].join(' OR ');
      return importsWhere(`${wanted} ORDER BY mark, uid${lock}`, Object.assign({ uid }, ...ends) as Values);
    },
    keepImport: async (each) => {
      // Where another host keeps it at this moment, the whole transaction fails and begins again.
      await putImported(each, imported.has(importKey(each.uid, each.mark)) ? OR_UPDATE_IMPORTED : '');
      await reserved();
    },
    keepChainKey: async (bytes) => {
      const key = Buffer.from(bytes).toString('hex');
      const sql = `INSERT INTO former_chain_key (${dialect.logColumn}key, mac) VALUES (${dialect.logValue}$key, $mac)
         ON CONFLICT (${dialect.logColumn}key) DO UPDATE SET mac = excluded.mac`;
      const mac = macOf(seal, 'former_chain_key', { key });
      await write(sql, { key, mac }, { mac });
    },
    contents: async () => ({ tables: await tablesOf(statements), head: await head(), backlog: await backlog() }),
    add: async (contents, onProgress) => {
      const enrolled = async (user: string, context: string): Promise<void> => {
        if (dialect.reserves) await reserve(statements, { user, context });
      };
      await putTables(statements, contents.tables, { enrolled, onProgress });
      await reserved();
      if (contents.backlog.length > 0 && (await backlog()).length > 0) return;
      // No slot in use counts now, and each line is kept beside the earlier ones.
      await run(`UPDATE backlog SET seq = 0 WHERE ${here}`);
      await moveHead(contents.head, contents.backlog.length);
      await statements.log?.keepLogId();
      for (const line of contents.backlog)
        if (!(await keepLine(line)))
          throw new NotpError('failed', 'there is no room for the records that wait', 'free some space for the log first');
      counted.clear();
    },
  };
}

/** NO_MAC where there is no key: without one a chain can be read, but not continued. */
function macOrNone(sign: () => string): string {
  try {
    return sign();
  } catch {
    return NO_MAC;
  }
}

function macIn({ mac = '' }: Values): Values {
  return { mac };
}

function nameOf({ user, context }: Pick<Enrolment, 'user' | 'context'>): string {
  return JSON.stringify([user, context]);
}

/** The query of sealedFiles(). `$all` is 1 where it is for all users, not only for `$user`. */
export const SEALED_FILES = 'SELECT "user", context, text FROM sealed WHERE "user" = $user OR $all = 1 ORDER BY "user", context';

export function filesOf(user: string | undefined): Values {
  return { user: user ?? '', all: user === undefined ? 1 : 0 };
}

/** Inserts the rows that later logins of this enrolment update, so that they insert none. */
async function reserve(statements: Statements, enrolment: Pick<Enrolment, 'user' | 'context'>): Promise<void> {
  const { logColumn, logValue } = statements.dialect;
  for (const flood of FLOODS) {
    const sql = `INSERT INTO ${flood} (${logColumn}"user", ${COUNTS.join(', ')}, mac) VALUES (${logValue}$user, ${NO_FLOOD}, '${NO_MAC}') ON CONFLICT DO NOTHING`;
    await statements.run(sql, { user: enrolment.user });
  }
  await reserveSlots(statements, enrolment);
}

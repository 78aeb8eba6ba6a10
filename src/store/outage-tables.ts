/** The tables for outages of a server: who may be let in meanwhile, and what was decided then. The same statements for each database. */
import { drop, macOf, sealedRows } from './row-seal.ts';
import type { Row } from './rows.ts';
import type { Statements } from './tables.ts';

/** A user whom hosts may let in while the server cannot be reached. */
export interface Approved {
  readonly user: string;
  /** Unix time in milliseconds: in the store of a fleet since when, in the copy of a host as of when that is. */
  readonly asOfMs: number;
}

/** An audit record of an outage. */
export interface OutageRecord {
  /** Its hash in the chain of its host, which no other record has. */
  readonly id: string;
  /** Its number there. */
  readonly seq: number;
  /** JSON; see verifier/outage.ts. */
  readonly text: string;
}

export interface OutageTables {
  /** Those whose row was not forged. */
  approved(): Promise<readonly Approved[]>;
  approve(approved: Approved): Promise<void>;
  disapprove(user: string): Promise<void>;
  /** On a host: what was not reported yet, at most `limit` of it, in its order. */
  outageRecords(limit: number): Promise<readonly OutageRecord[]>;
  /** On a host until it is reported, in the store of a fleet for good. Gives false where it was there already. */
  keepOutageRecord(record: OutageRecord): Promise<boolean>;
  dropOutageRecord(id: string): Promise<void>;
  /** Removes all that is known of a user, but for the outage records. */
  forget(user: string): Promise<void>;
}

export function outageOn({ all, run, write, seal }: Pick<Statements, 'all' | 'run' | 'write' | 'seal'>): OutageTables {
  return {
    approved: async () =>
      (await sealedRows({ all, seal }, 'approved', 'SELECT * FROM approved ORDER BY "user"'))
        .filter(({ doubt }) => doubt !== 'forged')
        .map(({ row: { user, as_of_ms: asOfMs } }) => ({ user: String(user), asOfMs: Number(asOfMs) })),
    approve: async ({ user, asOfMs }) => {
      const mac = macOf(seal, 'approved', { user, as_of_ms: asOfMs });
      const sql = 'INSERT INTO approved VALUES ($user, $asOfMs, $mac) ON CONFLICT ("user") DO UPDATE SET as_of_ms = $asOfMs, mac = $mac';
      await write(sql, { user, asOfMs, mac }, { mac });
    },
    disapprove: (user) => drop({ all, run }, 'approved', '"user" = $user', { user }),
    outageRecords: async (limit) =>
      (await all('SELECT id, seq, text FROM outage ORDER BY seq, id LIMIT $limit', { limit })).map(outageRecordOf),
    keepOutageRecord: async ({ id, seq, text }) => {
      if ((await all('SELECT 1 FROM outage WHERE id = $id', { id })).length > 0) return false;
      await write('INSERT INTO outage VALUES ($id, $seq, $text)', { id, seq, text }, { id, seq, text });
      return true;
    },
    dropOutageRecord: (id) => run('DELETE FROM outage WHERE id = $id', { id }),
    forget: async (user) => {
      for (const table of ['approved', 'enrolment', 'connection', 'peer', 'sealed', 'refusals', 'acceptances'])
        await run(`DELETE FROM ${table} WHERE "user" = $user`, { user });
    },
  };
}

function outageRecordOf({ id, seq, text }: Row): OutageRecord {
  return { id: String(id), seq: Number(seq), text: String(text) };
}

/** The table of grants. The same statements for each database. */
import { drop, macOf, sealedRows, type SealedRow } from './row-seal.ts';
import type { Statements } from './statements.ts';
import type { GrantTables, KeptGrant } from './store.ts';

export function grantsOn({ all, run, write, seal }: Pick<Statements, 'all' | 'run' | 'write' | 'seal'>): GrantTables {
  return {
    grantsOf: async (user) => {
      const sql = 'SELECT * FROM granted WHERE "user" = $user ORDER BY until_ms, id';
      return (await sealedRows({ all, seal }, 'granted', sql, { user })).map(grantOf);
    },
    grants: async () => (await sealedRows({ all, seal }, 'granted', 'SELECT * FROM granted ORDER BY "user", until_ms, id')).map(grantOf),
    keepGrant: async ({ id, user, uid, madeMs: as_of_ms, untilMs: until_ms, from: address, key, service, reason }) => {
      const row = { id, user, uid, as_of_ms, until_ms, address, key, service, reason };
      const mac = macOf(seal, 'granted', row);
      const sql = `INSERT INTO granted (id, "user", uid, as_of_ms, until_ms, address, key, service, reason, mac)
        VALUES ($id, $user, $uid, $as_of_ms, $until_ms, $address, $key, $service, $reason, $mac)`;
      await write(sql, { ...row, mac }, { mac });
    },
    dropGrant: (id) => drop({ all, run }, 'granted', 'id = $id', { id }),
    dropGrantsOf: (user) => drop({ all, run }, 'granted', '"user" = $user', { user }),
  };
}

function grantOf({ row, doubt }: SealedRow): KeptGrant {
  const [id, user, from, key, service, reason] = ['id', 'user', 'address', 'key', 'service', 'reason'].map((column) => String(row[column]));
  return {
    ...{ id: id ?? '', user: user ?? '', from: from ?? '', key: key ?? '', service: service ?? '', reason: reason ?? '' },
    ...{ uid: Number(row['uid']), madeMs: Number(row['as_of_ms']), untilMs: Number(row['until_ms']) },
    ...(doubt === undefined ? {} : { doubt }),
  };
}

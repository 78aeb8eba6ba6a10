/** Some hosts of a fleet in one process, which decide as fast as they can: what test/bench/fleet.ts starts, and tells when to begin. */
import * as path from 'node:path';
import { Client } from 'pg';
import { append, newRef, type AuditLog } from '../../src/audit/audit.ts';
import { logFile } from '../../src/audit/log-file.ts';
import { openPostgresStore } from '../../src/store/postgres/postgres.ts';
import type { PostgresPlace } from '../../src/store/postgres/session.ts';
import type { Store } from '../../src/store/store.ts';
import { decide } from '../../src/verdict/decide.ts';
import { PASSWORD } from '../support/postgres.ts';
import { code, PAYLOAD, POLICY } from '../verdict/world.ts';

export interface Clients {
  /** One UPDATE of one's own row, which commits by itself; what a login does at the store; and that with its record in a file. */
  readonly work: 'update' | 'decision' | 'decision with log';
  readonly place: Omit<PostgresPlace, 'password' | 'thisHost' | 'log'>;
  /** Which ones they are, of how many in all. */
  readonly numbers: readonly number[];
  readonly of: number;
  readonly enrolments: number;
  readonly folder: string;
  readonly ms: number;
}

/** What it did for so long does not count: connections are made, statements read, code compiled. */
const WARM_MS = 300;

const told = JSON.parse(process.argv[2] ?? '') as Clients;
const hosts = await Promise.all(told.numbers.map(async (number) => (told.work === 'update' ? await updating(number) : deciding(number))));
await tookMs(WARM_MS);
process.send?.('ready');
process.on('message', (message) => {
  if (message === 'end') process.exit();
  void tookMs(told.ms).then((took) => process.send?.(took));
});

/** Each host does it again and again for `ms`; gives how long each time took in milliseconds. */
async function tookMs(ms: number): Promise<number[]> {
  const took: number[] = [];
  const end = performance.now() + ms;
  const again = async (once: () => Promise<unknown>): Promise<void> => {
    for (let startMs = performance.now(); startMs < end; startMs = performance.now()) {
      await once();
      took.push(performance.now() - startMs);
    }
  };
  await Promise.all(hosts.map(again));
  return took;
}

async function updating(number: number): Promise<() => Promise<unknown>> {
  const { servers, database, user, authorities } = told.place;
  const [{ host, port } = { host: '', port: 0 }] = servers;
  const client = new Client({ host, port, database, user, password: PASSWORD, ssl: { ca: authorities ?? '' } });
  await client.connect();
  const update = { name: 'update', text: 'UPDATE own SET n = n + 1 WHERE id = $1', values: [number] };
  return () => client.query(update);
}

/** A code that is right, each time of another user whom no other client asks for, where there are enough of them. */
function deciding(number: number): () => Promise<unknown> {
  const store = openPostgresStore({
    ...told.place,
    password: () => PASSWORD,
    thisHost: `host${String(number)}`,
    log: { name: '', id: () => `log${String(number)}`, hasRecords: () => false, keep: () => undefined },
  });
  const nowhere = { name: 'nowhere', write: () => Promise.resolve(), bring: () => Promise.resolve() };
  const file = logFile(path.join(told.folder, `${String(number)}.log`));
  const log = { file: told.work === 'decision' ? nowhere : file, copies: [], key: new Uint8Array(32).fill(7), now: Date.now };
  const mine = Math.max(1, Math.floor(told.enrolments / told.of));
  return () => login(store, log, (Math.floor(Math.random() * mine) * told.of + number) % told.enrolments);
}

/** What `verify` of src/login/local.ts does inside the transaction, at a time at which the next code is right. */
async function login(store: Store, log: AuditLog, number: number): Promise<void> {
  const user = `user${String(number)}`;
  await store.exclusively(async (transaction) => {
    const [enrolment] = await transaction.enrolmentsOf(user);
    if (enrolment === undefined) throw new Error(`${user} is not enrolled`);
    const step = enrolment.state.lastStep + 1;
    const presented = { proof: code(step), opened: [PAYLOAD] };
    const nowMs = step * PAYLOAD.periodSeconds * 1000;
    const { verdict, next } = decide([enrolment.state], presented, nowMs, POLICY);
    const [state = enrolment.state] = next;
    if (verdict.result !== 'accepted') throw new Error(`${user} was not accepted`);
    await transaction.save({ ...enrolment, state, lastAcceptedMs: nowMs });
    const origin = { user, uid: number, context: 'ssh', door: 'gate', service: 'ssh', rhost: '192.0.2.7' } as const;
    const accepted = { event: 'login.accepted', result: 'accepted', method: verdict.method, step_offset: 0, ref: newRef() } as const;
    await append(log, transaction, { ...origin, ...accepted });
  });
}

/** Many hosts at one PostgreSQL for a while: how many each second, how long each took, and what it cost the server. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Postgres } from '../support/postgres.ts';
import type { Clients } from './fleet-client.ts';

export interface Measured {
  readonly perSecond: number;
  /** Median and 95th percentile, in milliseconds. */
  readonly median: number;
  readonly slow: number;
  /** Processor time of the server for each, in milliseconds. */
  readonly serverMs: number;
}

const MAX_PROCESSES = 4;
/** Clock ticks a second, which proc(5) counts in. */
const TICKS = 100;

/** `count` clients at once, in a few processes, which begin at the same time. */
export async function measured(server: Postgres, told: Omit<Clients, 'numbers'>, count: number): Promise<Measured> {
  const processes = Math.min(count, MAX_PROCESSES);
  const numbers = Array.from({ length: count }, (_, number) => number);
  const children = await Promise.all(
    Array.from({ length: processes }, async (_, i) => {
      return await ready({ ...told, numbers: numbers.filter((number) => number % processes === i) });
    }),
  );
  const before = serverMs(server);
  const took = await Promise.all(
    children.map(async (child) => {
      child.send('begin');
      return ((await once(child, 'message')) as [readonly number[]])[0];
    }),
  );
  const sorted = took.flat().toSorted((a, b) => a - b);
  const after = serverMs(server);
  for (const child of children) child.send('end');
  const at = (part: number): number => sorted[Math.floor(part * sorted.length)] ?? NaN;
  const perSecond = (sorted.length * 1000) / told.ms;
  return { perSecond, median: at(0.5), slow: at(0.95), serverMs: (after - before) / sorted.length };
}

async function ready(told: Clients): Promise<ChildProcess> {
  const child = fork(path.join(import.meta.dirname, 'fleet-client.ts'), [JSON.stringify(told)], { stdio: 'inherit' });
  await Promise.race([once(child, 'message'), once(child, 'exit').then(() => Promise.reject(new Error('a client could not begin')))]);
  return child;
}

/** What the server and its children have used: utime and stime in proc(5). */
function serverMs({ folder }: Postgres): number {
  const [pid = ''] = fs.readFileSync(path.join(folder, 'data/postmaster.pid'), 'utf8').split('\n');
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  const ticks = [pid, ...children].map((id) => {
    const fields = fs.readFileSync(`/proc/${id}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  });
  return (ticks.reduce((sum, each) => sum + each, 0) * 1000) / TICKS;
}

/** A port behind which `port` is a round trip of `ms` further away. */
export async function delayed(port: number, ms: number): Promise<{ readonly port: number; readonly stop: () => void }> {
  const words = [path.join(import.meta.dirname, 'delay.py'), String(port), String(ms / 2 / 1000)];
  const child = spawn('python3', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [own] = (await once(child.stdout, 'data')) as [Buffer];
  return { port: Number(own.toString()), stop: () => void child.kill() };
}

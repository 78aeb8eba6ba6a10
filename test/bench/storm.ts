/** 200 wrong codes at the same instant. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { sleep } from '../support/process.ts';
import type { Chapter } from './measure.ts';
import { stackOf, type Asked, type Place } from './place.ts';

const TRIES = 200;
/** clock ticks a second, which proc(5) counts in. */
const TICKS = 100;

interface Storm {
  readonly seconds: number;
  readonly cpuMs: number;
  readonly memoryMb: number;
  readonly refused: number;
}

const MODULES = [
  ['pam_google_authenticator', 'google-authenticator'],
  ['pam_oath', 'oath'],
  ['notp pam', 'notp'],
] as const;

export async function storm(place: Place): Promise<Chapter> {
  const records = (): number => fs.readFileSync(`${place.folder}/log/audit.log`, 'utf8').split('\n').length - 1;
  const before = records();
  const storms = [];
  for (const [name, asked] of MODULES) storms.push({ name, asked, ...(await stormAt(place, asked)) });
  const counted = records() - before;
  const refused = storms.find(({ asked }) => asked === 'notp')?.refused ?? 0;
  return {
    title: `A storm of ${String(TRIES)} wrong codes at once`,
    text: `Each from a pamtester of its own; all wait for the answer, then all get it. CPU and memory (what the machine had less available at the worst moment) are per try, pamtester's share included. notp answers refusals on a grid of one second, and writes a record for each: ${String(counted)} were written for ${String(TRIES)} tries.`,
    columns: ['module', 'refused', 'seconds in all', 'CPU ms per try', 'MB per try'],
    rows: storms.map((each) => [
      each.name,
      `${String(each.refused)} of ${String(TRIES)}`,
      each.seconds.toFixed(1),
      each.cpuMs.toFixed(0),
      each.memoryMb.toFixed(1),
    ]),
    targets: [{ what: 'wrong codes that were not refused, or not recorded', most: 0, measured: TRIES - Math.min(counted, refused) }],
  };
}

async function stormAt({ stacks, user }: Place, asked: Asked): Promise<Storm> {
  const service = stackOf(stacks[asked]);
  // All of them have asked before the first one is answered, or those that are started later would find half of the others gone.
  const tries = Array.from({ length: TRIES }, () =>
    spawn('pamtester', [service, user.name, 'authenticate'], { stdio: ['pipe', 'ignore', 'ignore'] }),
  );
  const ended = Promise.all(tries.map((child) => new Promise<number | null>((resolve) => child.on('close', resolve))));
  await sleep(3000);
  const [memory, cpu, startMs] = [availableMb(), childrenMs(), performance.now()];
  let least = memory;
  const timer = setInterval(() => (least = Math.min(least, availableMb())), 20);
  for (const { stdin } of tries) stdin.end('000000\n');
  const codes = await ended;
  clearInterval(timer);
  return {
    seconds: (performance.now() - startMs) / 1000,
    cpuMs: (childrenMs() - cpu) / TRIES,
    memoryMb: (memory - least) / TRIES,
    // pamtester(1) exits with 1 where PAM refused.
    refused: codes.filter((code) => code === 1).length,
  };
}

function availableMb(): number {
  return Number(/^MemAvailable:\s+(\d+)/m.exec(fs.readFileSync('/proc/meminfo', 'utf8'))?.[1]) / 1000;
}

/** The processor time of all children that have ended, theirs included: cutime and cstime in proc(5). */
function childrenMs(): number {
  const fields = fs.readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[13]) + Number(fields[14])) * 1000) / TICKS;
}

/** Many wrong codes as fast as they can be presented, and what stays bounded meanwhile. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { sleep } from '../support/process.ts';
import { oathCode, stepNow, untilFreshStep } from '../support/world.ts';

/** As decide() and the log have them. */
export const BUDGET = 5;
const RECORDED = 100;

/** Runs `attempt` so many times, `side` of them at a time; while `running` is true there is more to come. */
export class Flood {
  running = true;
  /** What the attempts gave, in the order of their ends. */
  readonly ended: Promise<string[]>;

  constructor(times: number, side: number, attempt: (worker: number) => Promise<string>) {
    let left = times;
    const outcomes: string[] = [];
    const worker = async (_: unknown, i: number): Promise<void> => {
      while (left-- > 0) outcomes.push(await attempt(i));
    };
    this.ended = Promise.all(Array.from({ length: side }, worker)).then(() => {
      this.running = false;
      return outcomes;
    });
  }

  /** While it goes on: `enter` with a line of two consecutive codes of `secret` (base32), as often as there are new ones. */
  async ownerEnters(secret: string, enter: (line: string) => Promise<void>): Promise<void> {
    for (let last = 0; this.running; await sleep(200)) {
      if (stepNow() <= last) continue;
      await untilFreshStep(12);
      last = stepNow() + 1;
      const [first, second] = [0, STEP_SECONDS].map((offsetSeconds) => oathCode(secret, { offsetSeconds }));
      await enter(`${String(first)} ${String(second)}`);
    }
  }
}

const STEP_SECONDS = 30;

export type Recorded = Record<string, unknown>;

/** How many refusals of `user` (empty: of names that are not enrolled) the records tell, the summed ones too. */
export function told(records: readonly Recorded[], user: string): number {
  return refusalsOf(records, user).reduce((sum, { count }) => sum + (typeof count === 'number' ? count : 1), 0);
}

/** How many wrong proofs were judged at a price: a sum has none, for it is of those that came later. */
export function judged(records: readonly Recorded[], user: string): number {
  return refusalsOf(records, user).filter(({ reason, count }) => reason === 'wrong_code' && count === undefined).length;
}

export function refusalsOf(records: readonly Recorded[], user: string): Recorded[] {
  return records.filter((record) => record['event'] === 'login.refused' && record['user'] === user);
}

/** Lines for `user` in a time: the first ones, for each minute one and a sum, and a sum before whatever else is recorded of that user. */
export function assertFewLines(records: readonly Recorded[], user: string): void {
  const times = records.map(({ time }) => Date.parse(String(time)));
  const minutes = Math.ceil((Math.max(...times) - Math.min(...times)) / 60_000);
  const lines = refusalsOf(records, user).length;
  const others = records.filter((record) => record['user'] === user).length - lines;
  const most = RECORDED + 2 * (minutes + 1) + others;
  assert.ok(lines <= most, `${String(lines)} lines in ${String(minutes)} minutes, and at most ${String(most)} are expected`);
}

/** The most memory that process `pid` ever had, in MiB: VmHWM in proc_pid_status(5). */
export function mostMemory(pid: number | undefined): number {
  const status = fs.readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

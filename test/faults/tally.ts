/** Going through all calls of a program, or where there is less time through one error of each. */
import { LONG } from '../trials/trial.ts';
import type { Call } from './calls.ts';

const SEED = Number(process.env['NOTP_SEED'] ?? Math.floor(Date.now() / 1000));

export interface Tally {
  readonly counts: { readonly times: number; readonly failed: number };
  readonly wrong: readonly string[];
}

/** Does `hurt` with each of `calls`; it gives what is wrong after that. */
export async function tally(calls: readonly Call[], hurt: (call: Call, i: number) => Promise<readonly string[]>): Promise<Tally> {
  const wrong: string[] = [];
  let failed = 0;
  for (const [i, call] of calls.entries()) {
    const found = await hurt(call, i);
    wrong.push(...found);
    if (found.length > 0) failed++;
  }
  return { counts: { times: calls.length, failed }, wrong };
}

/** All of `errors`, or one of them: another one in each run of the tests (NOTP_SEED repeats one). */
export function rotating(errors: readonly string[], i: number): readonly string[] {
  const one = errors[(SEED + i) % errors.length];
  return LONG || one === undefined ? errors : [one];
}

/** All of `all`, or so many of them, others in each run. */
export function some<T>(all: readonly T[], count: number): readonly T[] {
  if (LONG || all.length <= count) return all;
  return Array.from({ length: count }, (_, i) => all[Math.floor(((i + (SEED % 97) / 97) * all.length) / count)]).filter(
    (each) => each !== undefined,
  );
}

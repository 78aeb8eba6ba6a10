/** The time that counts where several hosts share a store, and the time that is left to ask it. */
import { NotpError } from '../error.ts';
import type { Transaction } from './store.ts';

/** How far the clocks of store and host may differ: an attacker who can set one of them is stopped by the other. */
export const MAX_SKEW_MS = 10 * 60_000;

/**
 * The time that counts, Unix time in milliseconds: the store's clock where it has one, so that no host's clock gives guesses back;
 * else `now`.
 * Throws `store_unavailable` where the two differ by more than MAX_SKEW_MS: one of them is wrong, and nobody knows which.
 */
export async function timeOf(transaction: Pick<Transaction, 'clockMs'>, now: () => number): Promise<number> {
  const [storeMs, hostMs] = [await transaction.clockMs(), now()];
  if (storeMs === undefined) return hostMs;
  if (Math.abs(storeMs - hostMs) <= MAX_SKEW_MS) return storeMs;
  throw new NotpError(
    'store_unavailable',
    `the clock of this host says ${timeIn(hostMs)}, and that of the store ${timeIn(storeMs)}: run chrony on both`,
  );
}

function timeIn(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? 'nothing' : date.toISOString();
}

/**
 * Milliseconds since this process began, whatever happens to the clock. performance.now() would say the same, but is slow to load.
 */
export function uptimeMs(): number {
  return process.uptime() * 1000;
}

/** The milliseconds until `untilMs` of uptimeMs(), at most `mostMs`. Throws `store_unavailable` where none are left. */
export function timeLeft(untilMs: number, mostMs: number): number {
  const leftMs = Math.min(mostMs, Math.ceil(untilMs - uptimeMs()));
  if (leftMs > 0) return leftMs;
  throw new NotpError('store_unavailable', 'the decision took too long before the store was asked', 'try it again');
}

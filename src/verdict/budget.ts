/**
 * The guess budget: a token bucket per account, counted before a proof is judged. Pure.
 *
 * All guesses are paid from this one bucket, at the price of their chance: a single code costs one token, a pair of consecutive
 * codes a millionth of it, since each code has at least six digits. So any mix of guesses in one day has the chance of that day's
 * tokens; docs/guessing.md has the arithmetic.
 * The numbers are `budget` and `refill` of [policy] in notp.toml, with their defaults in system/settings.ts.
 * Three consecutive codes are so unlikely to be guessed that they are judged without limit: nobody can keep the owner out.
 */

export interface Bucket {
  /** Tokens, also fractions, up to the capacity. Below 0, down to -PAIRS_RESERVE, after a flood of pairs. */
  readonly tokens: number;
  /** The time of `tokens`, Unix time in milliseconds. */
  readonly asOfMs: number;
}

export interface BudgetPolicy {
  readonly budget: number;
  /** Milliseconds until one more token. */
  readonly refillMs: number;
}

export function fullBucket(policy: BudgetPolicy, nowMs: number): Bucket {
  return { tokens: policy.budget, asOfMs: nowMs };
}

/**
 * The bucket as it is at `nowMs`. No time is counted twice: a clock that is behind adds nothing and keeps `asOfMs`. So two hosts
 * whose clocks differ refill the bucket no faster than one.
 */
export function refilled(bucket: Bucket, policy: BudgetPolicy, nowMs: number): Bucket {
  const gained = Math.max(0, nowMs - bucket.asOfMs) / policy.refillMs;
  return { tokens: Math.min(policy.budget, bucket.tokens + gained), asOfMs: Math.max(bucket.asOfMs, nowMs) };
}

/** The bucket with the fewest tokens: several devices of one account share one budget. Throws where there is none. */
export function emptiest(buckets: readonly Bucket[]): Bucket {
  return buckets.reduce((least, each) => (each.tokens < least.tokens ? each : least));
}

/** The price of one try that is compared with the secrets of that many devices: each device is one more chance to guess right. */
export function priceOf(devices: number, { budget }: BudgetPolicy): number {
  return Math.min(Math.max(1, devices), budget);
}

export function isEmpty(bucket: Bucket, price: number): boolean {
  return bucket.tokens < price;
}

/** The price of a pair, as a fraction of the price of a single code. */
const PAIR = 1e-6;
/** A bucket may go this far below zero, but only to pay for pairs: so the owner of an empty bucket still needs no more than two codes. */
export const PAIRS_RESERVE = 1;

/** How many consecutive codes are needed: one; two where the bucket is empty; three where it cannot pay for a pair either. */
export function codesNeeded(bucket: Bucket, price: number): 1 | 2 | 3 {
  if (!isEmpty(bucket, price)) return 1;
  return bucket.tokens - price * PAIR >= -PAIRS_RESERVE ? 2 : 3;
}

/** The bucket after a refused try. It never owes more than the reserve, so that repeated tries do not stop the refill. */
export function taken(bucket: Bucket, price: number): Bucket {
  const cost = { 1: price, 2: price * PAIR, 3: 0 }[codesNeeded(bucket, price)];
  return { ...bucket, tokens: bucket.tokens - cost };
}

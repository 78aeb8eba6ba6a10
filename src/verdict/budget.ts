/**
 * The guess budget: a token bucket per account, counted before a proof is judged. Pure.
 *
 * Everything that can be guessed is paid for from this one bucket, at what it is worth: a single code a token, a pair of consecutive codes a
 * millionth of it, since each code has six digits or more. So what a day of guesses of any mix is worth is the tokens of that day; the README
 * has the arithmetic. Three codes in a row are worth so little that they are judged without limit: nobody can keep the owner out.
 */

export interface Bucket {
  /** Whole and part tokens, up to the capacity. Below 0, down to -PAIRS_RESERVE, where pairs came as a flood. */
  readonly tokens: number;
  /** When `tokens` was true, Unix time in milliseconds. */
  readonly asOfMs: number;
}

export interface BudgetPolicy {
  readonly budget: number;
  /** Milliseconds for one more token. */
  readonly refillMs: number;
}

export function fullBucket(policy: BudgetPolicy, nowMs: number): Bucket {
  return { tokens: policy.budget, asOfMs: nowMs };
}

/**
 * The bucket as it is at `nowMs`. Time that was counted is never counted again: a clock that is behind adds nothing and keeps
 * `asOfMs`, so that two hosts whose clocks differ refill the bucket no faster than one.
 */
export function refilled(bucket: Bucket, policy: BudgetPolicy, nowMs: number): Bucket {
  const gained = Math.max(0, nowMs - bucket.asOfMs) / policy.refillMs;
  return { tokens: Math.min(policy.budget, bucket.tokens + gained), asOfMs: Math.max(bucket.asOfMs, nowMs) };
}

/** The one with the fewest tokens: several devices of one account have one budget together. Throws where there is none. */
export function emptiest(buckets: readonly Bucket[]): Bucket {
  return buckets.reduce((least, each) => (each.tokens < least.tokens ? each : least));
}

/** What one try costs that is compared with the secrets of so many devices: each of them is one more chance to guess right. */
export function priceOf(devices: number, { budget }: BudgetPolicy): number {
  return Math.min(Math.max(1, devices), budget);
}

export function isEmpty(bucket: Bucket, price: number): boolean {
  return bucket.tokens < price;
}

/** What a pair costs of what a single code costs. */
const PAIR = 1e-6;
/** The tokens below zero that pay for pairs alone, so that the owner of an empty bucket is asked for no more than two codes. */
export const PAIRS_RESERVE = 1;

/** How many consecutive codes are asked for: one, two where the bucket is empty, three where it has nothing for a pair either. */
export function codesNeeded(bucket: Bucket, price: number): 1 | 2 | 3 {
  if (!isEmpty(bucket, price)) return 1;
  return bucket.tokens - price * PAIR >= -PAIRS_RESERVE ? 2 : 3;
}

/** The bucket after a refused try. It never owes more than the reserve: who hammers at it does not stop the refill. */
export function taken(bucket: Bucket, price: number): Bucket {
  const cost = { 1: price, 2: price * PAIR, 3: 0 }[codesNeeded(bucket, price)];
  return { ...bucket, tokens: bucket.tokens - cost };
}

/** The guess budget: a token bucket per account, counted before a proof is judged. Pure. */

export interface Bucket {
  /** Whole and part tokens, 0 to the capacity. */
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

/** The bucket after a try. An empty one keeps what it has: who hammers at it does not stop the refill. */
export function taken(bucket: Bucket, price: number): Bucket {
  return isEmpty(bucket, price) ? bucket : { ...bucket, tokens: bucket.tokens - price };
}

/** The guess budget: a token bucket per enrolment, counted before a proof is judged. Pure. */

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

/** The bucket as it is at `nowMs`. A clock set back adds nothing and takes nothing. */
export function refilled(bucket: Bucket, policy: BudgetPolicy, nowMs: number): Bucket {
  const gained = Math.max(0, nowMs - bucket.asOfMs) / policy.refillMs;
  return { tokens: Math.min(policy.budget, bucket.tokens + gained), asOfMs: nowMs };
}

export function isEmpty(bucket: Bucket): boolean {
  return bucket.tokens < 1;
}

/** One token less. An empty bucket keeps the part of a token that it has: who hammers at it does not stop the refill. */
export function taken(bucket: Bucket): Bucket {
  return isEmpty(bucket) ? bucket : { ...bucket, tokens: bucket.tokens - 1 };
}

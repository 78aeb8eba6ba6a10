/**
 * What may be known of an enrolment: whether it logs in, since when, and what is left of its budget and recovery
 * codes. Never a secret. Plain data with the keys that `--json` prints, so that it can come from another process.
 */
import { bad, exactly } from '../seal/fields.ts';
import type { Enrolment } from '../store/store.ts';
import type { Found } from '../system/secrets.ts';
import { codesNeeded, refilled, type Bucket, type BudgetPolicy } from '../verdict/budget.ts';
import { seenStanding } from './standing.ts';

/**
 * `active` logs in. Else why not: `revoked`; `invited` and nobody has enrolled yet; `incomplete`, an enrolment that
 * never ended; the sealed file is `missing`, `bad` (it cannot be read or used) or `stale` (not the registered one, or the enrolment was
 * changed outside notp, so that none is);
 * `orphaned`: there is no such user any more.
 */
export type EnrolmentState = 'active' | 'revoked' | 'invited' | 'incomplete' | 'missing' | 'bad' | 'stale' | 'orphaned';

export interface Facts {
  /** Of the registered sealed file; null where none was ever registered. */
  readonly id: string | null;
  readonly user: string;
  readonly context: string;
  readonly state: EnrolmentState;
  /** What is wrong with the sealed file, where something is. */
  readonly problem: string | null;
  /** Whether the sealed file in its place is the registered one, and logs in. */
  readonly registered: boolean;
  /** Of that file; null where `registered` is false. */
  readonly seal: 'passphrase' | 'host' | null;
  /** RFC 3339; null where `registered` is false. */
  readonly created: string | null;
  /** RFC 3339; null for never. */
  readonly last_accepted: string | null;
  /** Whole tries that are left now, of `capacity`. */
  readonly budget: number;
  readonly capacity: number;
  /** RFC 3339: when there is one try more; null where there are as many as there can be. */
  readonly next_try: string | null;
  /** Whether more than one code is asked for now. */
  readonly step_up: boolean;
  /** How many consecutive codes are asked for now. */
  readonly codes_needed: 1 | 2 | 3;
  readonly recovery_left: number;
}

/** The sealed file as its user sees it, or that there is no such user. */
export type Seen = Found | { readonly kind: 'nobody' };

/** A guess budget, and the tokens that one try costs. */
export interface TriesLeft {
  readonly bucket: Bucket;
  readonly price: number;
}

/** `nowMs`: Unix time in milliseconds. `tries`: those that several devices share; undefined: the enrolment's own. */
export function factsOf(enrolment: Enrolment, seen: Seen, policy: BudgetPolicy, nowMs: number, tries?: TriesLeft): Facts {
  const found: Found = seen.kind === 'nobody' ? { kind: 'absent' } : seen;
  const standing = seenStanding(enrolment, found);
  const { id, user, context, state, lastAcceptedMs } = 'file' in standing ? standing.enrolment : enrolment;
  const file = 'file' in standing ? standing.file : undefined;
  const orphaned = seen.kind === 'nobody';
  return {
    id: id === '' ? null : id,
    user,
    context,
    state: orphaned ? 'orphaned' : file === undefined ? stateOf(enrolment, found) : 'active',
    problem: orphaned ? `there is no user ${user}` : 'file' in standing ? null : (standing.detail ?? null),
    registered: file !== undefined,
    seal: file?.seal.kind ?? null,
    created: file?.created ?? null,
    last_accepted: lastAcceptedMs === 0 ? null : rfc3339(lastAcceptedMs),
    ...budgetOf(tries ?? { bucket: state.bucket, price: 1 }, policy, nowMs),
    recovery_left: recoveryLeft(state),
  };
}

/** How many recovery codes have not been spent. */
export function recoveryLeft({ spent }: Enrolment['state']): number {
  return Array.from(spent).filter((digit) => digit === '0').length;
}

/** Why the file that was found does not log in. */
function stateOf({ status, id, doubt }: Enrolment, found: Found): EnrolmentState {
  if (doubt === 'forged' && status !== 'revoked') return 'stale';
  if (status !== 'active') return status;
  if (id === '') return 'incomplete';
  switch (found.kind) {
    case 'absent':
      return 'missing';
    case 'bad':
      return 'bad';
    case 'sealed':
      return found.locked === undefined ? 'stale' : 'bad';
  }
}

const NO_FACTS: Facts = {
  ...{ id: null, user: '', context: '', state: 'active', problem: null, registered: false, seal: null, created: null },
  ...{ last_accepted: null, budget: 0, capacity: 0, next_try: null, step_up: false, codes_needed: 1, recovery_left: 0 },
};

/** What the service says of enrolments. Throws `bad_secret_file` where it is none of that; its texts are the service's. */
export function parseFacts(value: unknown): readonly Facts[] {
  if (!Array.isArray(value)) throw bad('"facts" is no list');
  return value.map((each) => exactly(each, 'what is known of an enrolment', Object.keys(NO_FACTS)) as unknown as Facts);
}

function budgetOf(
  { bucket, price }: TriesLeft,
  policy: BudgetPolicy,
  nowMs: number,
): Pick<Facts, 'budget' | 'capacity' | 'next_try' | 'step_up' | 'codes_needed'> {
  const now = refilled(bucket, policy, nowMs);
  const budget = Math.max(0, Math.floor(now.tokens / price));
  const needed = codesNeeded(now, price);
  const capacity = Math.floor(policy.budget / price);
  const nextMs = nowMs + ((budget + 1) * price - now.tokens) * policy.refillMs;
  return {
    budget,
    capacity,
    next_try: budget >= capacity ? null : rfc3339(nextMs),
    step_up: needed > 1,
    codes_needed: needed,
  };
}

/** In UTC, whole seconds. */
function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

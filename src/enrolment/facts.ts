/** The facts of an enrolment and its sealed file; see wire/facts.ts. */
import type { Enrolment, Source } from '../store/store.ts';
import type { Found } from '../system/secrets.ts';
import { codesNeeded, refilled, type Bucket, type BudgetPolicy } from '../verdict/budget.ts';
import type { EnrolmentState, Facts } from '../wire/facts.ts';
import { seenStanding } from '../login/account.ts';

/** The sealed file as its user can read it, or that the user does not exist. */
export type Seen = Found | { readonly kind: 'nobody' };

/** A guess budget, and the price of one try in tokens. */
export interface TriesLeft {
  readonly bucket: Bucket;
  readonly price: number;
}

/**
 * `nowMs`: Unix time in milliseconds. `tries`: the budget that several devices share; undefined: the enrolment's own. `sources`: those that
 * may still count, of any enrolment.
 */
export function factsOf(
  enrolment: Enrolment,
  seen: Seen,
  policy: BudgetPolicy,
  nowMs: number,
  { tries, sources = [] }: { readonly tries?: TriesLeft | undefined; readonly sources?: readonly Source[] } = {},
): Facts {
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
    recovery_left: enrolment.status === 'invited' ? 0 : recoveryLeft(state),
    remembered: file === undefined ? 0 : sources.filter((each) => isOf(each, { user, context, id })).length,
    ...(file !== undefined && found.kind === 'sealed' && found.token !== undefined ? { token: found.token } : {}),
  };
}

function isOf(source: Source, { user, context, id }: Pick<Enrolment, 'user' | 'context' | 'id'>): boolean {
  return source.user === user && source.context === context && source.id === id;
}

/** The number of unused recovery codes. */
export function recoveryLeft({ spent }: Pick<Enrolment['state'], 'spent'>): number {
  return Array.from(spent).filter((digit) => digit === '0').length;
}

/** The state of an enrolment whose file does not log in. */
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

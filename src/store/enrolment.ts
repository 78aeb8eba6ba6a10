/** What becomes of a row: with another budget, and when the file that it awaits has come. Pure. */
import type { Bucket } from '../verdict/budget.ts';
import type { LoginState } from '../verdict/decide.ts';
import type { Enrolment, PendingState, Status } from './store.ts';

/** The enrolment with another budget. */
export function withBudget(enrolment: Enrolment, bucket: Bucket): Enrolment {
  return { ...enrolment, state: { ...enrolment.state, bucket } };
}

/**
 * The enrolment after its pending file has come into its place, which proves that it did; see registrar.ts. A new
 * secret makes a revoked enrolment active, the same secret sealed anew does not.
 */
export function completed(enrolment: Enrolment): Enrolment {
  const { pendingId: id, pendingDigest: digest, pendingState, state } = enrolment;
  const next = { ...enrolment, id, digest, pendingId: '', pendingDigest: '', pendingState: {} };
  if (!isNewSecret(pendingState)) return { ...next, state: { ...state, ...pendingState } };
  const { periodSeconds: _, ...earlier } = state;
  const { goesOn, ...fresh } = { ...earlier, ...pendingState };
  const used = goesOn === true ? usedToo(fresh, state) : {};
  return { ...next, state: { ...fresh, ...used }, status: 'active', lastAcceptedMs: 0 };
}

/** The status that it has, or has as soon as the file that is on its way is in its place, which nobody need have told the store yet. */
export function statusToBe(enrolment: Enrolment): Status {
  return enrolment.pendingId === '' ? enrolment.status : completed(enrolment).status;
}

/**
 * What is used of a secret that begins with `fresh` where `former` may be of the same one: no step or counter goes back, and where recovery
 * codes cannot be told apart all of them count as spent.
 */
export function usedToo(fresh: Used, former: Used): Used {
  const lastStep = Math.max(fresh.lastStep, former.lastStep);
  if (!former.spent.includes('1')) return { lastStep, spent: fresh.spent };
  const known = former.spent.length === fresh.spent.length ? former.spent : '1'.repeat(fresh.spent.length);
  return { lastStep, spent: Array.from(fresh.spent, (digit, i) => (digit === '1' || known[i] === '1' ? '1' : '0')).join('') };
}

type Used = Pick<LoginState, 'lastStep' | 'spent'>;

/** Whether it is the state of a secret that takes the place of another. */
export function isNewSecret(pendingState: PendingState): boolean {
  return pendingState.lastStep !== undefined;
}

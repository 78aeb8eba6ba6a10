/** Changes of an enrolment's row: another budget, and a pending file that is now in place. Pure. */
import type { Bucket } from '../verdict/budget.ts';
import type { LoginState } from '../verdict/decide.ts';
import { NotpError } from '../error.ts';
import { shellCommand } from '../otp/escape.ts';
import type { Enrolment, PendingState, Status } from './store.ts';

/** What a forged enrolment is, for a person. */
export function forged({ user, context }: Pick<Enrolment, 'user' | 'context'>): string {
  return `the enrolment of ${user} for ${context} was changed outside notp, or under a host key that is not here`;
}

/** The way out: an enrolment under a missing key is whole, and a new one throws the phone away. */
export function mendForged({ user, context }: Pick<Enrolment, 'user' | 'context'>): string {
  return shellCommand`bring a missing host key back, or notp-enroll --replace ${user} ${context}`;
}

/** Throws `refused` where `enrolment` is forged: its values must never get a valid seal. */
export function refuseForged(enrolment: Enrolment): void {
  if (enrolment.doubt === 'forged') throw new NotpError('refused', forged(enrolment), mendForged(enrolment));
}

/** The enrolment with another budget. */
export function withBudget(enrolment: Enrolment, bucket: Bucket): Enrolment {
  return { ...enrolment, state: { ...enrolment.state, bucket } };
}

/**
 * The enrolment after its pending file is in place, which proves itself; see registrar.ts. A new secret makes a revoked enrolment
 * active, a re-sealed one does not.
 */
export function completed(enrolment: Enrolment): Enrolment {
  const { pendingId: id, pendingDigest: digest, pendingState, state } = enrolment;
  const next = { ...enrolment, id, digest, pendingId: '', pendingDigest: '', pendingState: {} };
  if (!isNewSecret(pendingState)) return { ...next, state: { ...state, ...pendingState } };
  const { periodSeconds: _, ...earlier } = state;
  const { goesOn, ...fresh } = { ...earlier, ...pendingState };
  // The steps of TOTP are no counters.
  const used = goesOn === true && state.periodSeconds === fresh.periodSeconds ? usedToo(fresh, state) : {};
  return { ...next, state: { ...fresh, ...used }, status: 'active', lastAcceptedMs: 0 };
}

/** The status that the enrolment has, or will have once its pending file is in place. That may be so already, without the store knowing. */
export function statusToBe(enrolment: Enrolment): Status {
  return enrolment.pendingId === '' ? enrolment.status : completed(enrolment).status;
}

/**
 * The used codes of a new secret `fresh` that may be the same as `former`: no step or counter goes back, and recovery codes that
 * cannot be matched all count as spent.
 */
export function usedToo(fresh: Used, former: Used): Used {
  const lastStep = Math.max(fresh.lastStep, former.lastStep);
  if (!former.spent.includes('1')) return { lastStep, spent: fresh.spent };
  const known = former.spent.length === fresh.spent.length ? former.spent : '1'.repeat(fresh.spent.length);
  return { lastStep, spent: Array.from(fresh.spent, (digit, i) => (digit === '1' || known[i] === '1' ? '1' : '0')).join('') };
}

type Used = Pick<LoginState, 'lastStep' | 'spent'>;

/** Whether it is the state of a new secret, which replaces another and is complete. */
export function isNewSecret(pendingState: PendingState): pendingState is PendingState & LoginState {
  return pendingState.lastStep !== undefined;
}

/**
 * The decision: the only place where a login is judged. Pure: state, what was presented and the time go in, a
 * verdict and the next state come out; the caller commits the state with the audit record before anyone hears.
 *
 * What holds whatever comes in: the last accepted step only grows; a try is paid for before it is judged and paid
 * back only when accepted; with an empty budget a single code is never judged, so right and wrong look the same.
 */
import { matchingSteps, stepAt, stepsAround } from '../otp/code.ts';
import type { Proof } from '../otp/proof.ts';
import { recoveryIndex } from '../otp/recovery.ts';
import type { TotpPayload } from '../seal/payload.ts';
import { isEmpty, refilled, taken, type Bucket, type BudgetPolicy } from './budget.ts';
import type { Method, Reason } from './reasons.ts';

export interface Policy extends BudgetPolicy {
  /** Steps before and after the current one whose codes count (RFC 6238 section 5.2). */
  readonly window: number;
}

/** The changing state of one enrolment. */
export interface LoginState {
  /** The step of the last accepted code; -1 before the first. */
  readonly lastStep: number;
  readonly bucket: Bucket;
  /** One digit per recovery code, `1` where it is spent. */
  readonly spent: string;
}

/** The proof, and the content of the sealed file where the key (passphrase or host key) opened it. */
export interface Presented {
  readonly proof: Proof;
  readonly opened: TotpPayload | undefined;
  /** The line could also be read as more than a single code; see otp/proof.ts. */
  readonly ambiguous?: boolean;
}

export interface Accepted {
  readonly result: 'accepted';
  readonly method: Method;
  /** Accepted step minus the current one; absent for what is no code. */
  readonly stepOffset?: number;
}

export interface Refused {
  readonly result: 'refused';
  readonly reason: Reason;
  /** Seconds until another try makes sense, where waiting helps. */
  readonly waitSeconds?: number;
  /** For the record, not for the person. */
  readonly detail?: string;
}

export type Verdict = Accepted | Refused;

export interface Decision {
  readonly verdict: Verdict;
  readonly next: LoginState;
}

export function decide(state: LoginState, presented: Presented, nowMs: number, policy: Policy): Decision {
  const bucket = refilled(state.bucket, policy, nowMs);
  const current = { ...state, bucket };
  // Not judged. An ambiguous line is answered as its other reading would be, or the answer would tell which passphrase is right.
  if (isEmpty(bucket) && presented.proof.kind === 'code') {
    return { verdict: refused(presented.ambiguous === true ? 'wrong_code' : 'step_up_required'), next: current };
  }
  const paid = { ...state, bucket: taken(bucket) };
  const judged = judge(current, presented, nowMs, policy);
  return judged.verdict.result === 'accepted' ? judged : { verdict: judged.verdict, next: paid };
}

/** The verdict, with the next state as it is when accepted. */
function judge(state: LoginState, { proof, opened }: Presented, nowMs: number, policy: Policy): Decision {
  // With an empty budget a wrong passphrase must look like a wrong code, or step-up would be an oracle without a price.
  if (opened === undefined) return { verdict: refused(isEmpty(state.bucket) ? 'wrong_code' : 'wrong_passphrase'), next: state };
  switch (proof.kind) {
    case 'code':
      return judgeCodes(state, opened, [proof.code], nowMs, policy);
    case 'two_codes':
      return judgeCodes(state, opened, [proof.first, proof.second], nowMs, policy);
    case 'recovery':
      return judgeRecovery(state, opened, proof.code);
  }
}

/** `codes`: one, or two consecutive ones. Accepted is the latest run of steps that matches and lies after the last accepted step. */
function judgeCodes(state: LoginState, opened: TotpPayload, codes: readonly string[], nowMs: number, policy: Policy): Decision {
  const now = stepAt(nowMs, opened.periodSeconds);
  // Two consecutive codes need two steps to stand on, even where the policy's window is 0.
  const window = codes.length > 1 ? Math.max(1, policy.window) : policy.window;
  const steps = stepsAround(now, window);
  const ends = codes
    .map((code, i) => matchingSteps(opened.secret, code, steps, opened).map((step) => step + codes.length - 1 - i))
    .reduce((left, right) => left.filter((step) => right.includes(step)));
  const behind = state.lastStep - window - now;
  const clock = behind > 0 ? { detail: `the clock is ${String(behind)} steps behind the last accepted code` } : {};
  const end = ends.at(-1);
  if (end === undefined) return { verdict: { ...refused('wrong_code'), ...clock }, next: state };
  if (end - codes.length + 1 <= state.lastStep) {
    // The next code that can be accepted is the one after the last accepted; it may be on the phone already.
    const waitSeconds = Math.max(0, Math.ceil((state.lastStep + 1) * opened.periodSeconds - nowMs / 1000));
    return { verdict: { ...refused('replayed'), waitSeconds, ...clock }, next: state };
  }
  const method = codes.length > 1 ? 'step_up' : 'totp';
  return { verdict: { result: 'accepted', method, stepOffset: end - now }, next: { ...state, lastStep: end } };
}

function judgeRecovery(state: LoginState, opened: TotpPayload, code: string): Decision {
  const index = recoveryIndex(code, opened.recovery);
  if (index === -1) return { verdict: refused('wrong_code'), next: state };
  if (state.spent[index] !== '0') return { verdict: refused('replayed'), next: state };
  const spent = state.spent.slice(0, index) + '1' + state.spent.slice(index + 1);
  return { verdict: { result: 'accepted', method: 'recovery' }, next: { ...state, spent } };
}

function refused(reason: Reason): Refused {
  return { result: 'refused', reason };
}

/**
 * The decision: the only place where a login is judged. Pure: states, what was presented and the time go in, a
 * verdict and the next states come out; the caller commits them with the audit record before anyone hears.
 *
 * What holds whatever comes in: the last accepted step only grows; a try is paid for before it is judged and paid
 * back only when accepted; what the budget does not pay for (a single code, then a pair) is never judged, so right and wrong look the same.
 */
import { matchingSteps, stepAt } from '../otp/code.ts';
import type { Proof } from '../otp/proof.ts';
import { EMERGENCY_DIGITS, recoveryIndex } from '../otp/recovery.ts';
import type { Payload } from '../seal/payload.ts';
import { codesNeeded, emptiest, priceOf, refilled, taken, type Bucket, type BudgetPolicy } from './budget.ts';
import type { Method, Reason } from './reasons.ts';

export interface Policy extends BudgetPolicy {
  /** Steps before and after the current one whose codes count (RFC 6238 section 5.2). */
  readonly window: number;
  /** Whether no single code is ever judged, however many tries are left. */
  readonly alwaysStepUp?: boolean;
}

/** The changing state of one enrolment, which is one device. */
export interface LoginState {
  /** The step (TOTP) or counter (HOTP) of the last accepted code; -1 before the first. */
  readonly lastStep: number;
  readonly bucket: Bucket;
  /** One digit per recovery code, `1` where it is spent. */
  readonly spent: string;
  /** What `lastStep` is counted in, in seconds, once a TOTP code was accepted. */
  readonly periodSeconds?: number;
}

/** The proof, and what it is compared with. */
export interface Presented {
  readonly proof: Proof;
  /** For each device the content of its sealed file, where the key (passphrase or host key) opened it. */
  readonly opened: readonly (Payload | undefined)[];
  /** The most codes in a row that the line could also be read as; see otp/proof.ts. */
  readonly longest?: number;
  /** Until when the codes of a device of the account are used that is not judged here, Unix time in milliseconds: it may have the same secret. */
  readonly usedUntilMs?: number;
}

export interface Accepted {
  readonly result: 'accepted';
  readonly method: Method;
  /** Accepted step minus the current one, or counters that were left out; absent for what is no code. */
  readonly stepOffset?: number;
  /** For the record, not for the person. */
  readonly detail?: string;
}

export interface Refused {
  readonly result: 'refused';
  readonly reason: Reason;
  /** Seconds until another try makes sense, where waiting helps. */
  readonly waitSeconds?: number;
  /** With `step_up_required`: how many consecutive codes are asked for. */
  readonly codesNeeded?: 2 | 3;
  /** For the record, not for the person. */
  readonly detail?: string;
}

export type Verdict = Accepted | Refused;

export interface Decision {
  readonly verdict: Verdict;
  /** In the order of the states that went in; they share one bucket. */
  readonly next: readonly LoginState[];
  /** The device whose code or recovery code was accepted; undefined for a refusal. */
  readonly device: number | undefined;
}

/** What a proof comes to on one device, with its state after that. */
interface Judged {
  readonly verdict: Verdict;
  readonly next: LoginState;
}

/** How far consecutive codes may be ahead of a counter: resynchronisation, RFC 4226 section 7.4. Pairs only as tries that are paid for. */
export const RESYNC_COUNTERS = 20;

/** Judges a proof on the devices of one account, at least one. `nowMs`: Unix time in milliseconds. */
export function decide(states: readonly LoginState[], presented: Presented, nowMs: number, policy: Policy): Decision {
  const bucket = emptiest(states.map((state) => refilled(state.bucket, policy, nowMs)));
  const price = priceOf(states.length, policy);
  const all = (each: Bucket): LoginState[] => states.map((state) => ({ ...state, bucket: each }));
  const needed = codesAskedFor(bucket, price, policy);
  if (needed !== 1 && !isJudged(presented.proof, needed)) {
    // Not judged. A line with a longer reading is answered, and costs, as that would, or the answer would tell which passphrase is right.
    const isLonger = (presented.longest ?? 0) >= needed;
    const verdict = isLonger ? refused('wrong_code') : { ...refused('step_up_required'), codesNeeded: needed, ...detailOf(needed) };
    return { verdict, next: all(isLonger ? taken(bucket, price) : bucket), device: undefined };
  }
  // On every device, whatever the first one says: the time must not tell which it was.
  const how = { nowMs, policy, paid: needed === 1, usedUntilMs: presented.usedUntilMs ?? 0 };
  const judged = all(bucket).map((state, i) => judge(state, presented.proof, presented.opened[i], how));
  // Where two devices have the same secret, what one of them has accepted is used for both.
  const isUsed = judged.some(({ verdict }) => verdict.result === 'refused' && verdict.reason === 'replayed');
  const device = isUsed ? -1 : judged.findIndex(({ verdict }) => verdict.result === 'accepted');
  const accepted = judged[device];
  if (accepted !== undefined) {
    return { verdict: accepted.verdict, next: judged.map(({ next }) => next), device };
  }
  const verdict = mostTelling(judged.map((each) => each.verdict));
  // What costs less than a try tells no more than that all of it together was not right: a wrong passphrase, or one right number beside a used
  // one, that was told from a wrong one would be an oracle without a price.
  const isPaid = codesNeeded(bucket, price) === 1;
  const isTold = verdict.reason === 'wrong_code' || (isPaid && (needed === 1 || verdict.reason === 'replayed'));
  const told = isTold ? verdict : refused('wrong_code');
  return { verdict: told, next: all(taken(bucket, price)), device: undefined };
}

/** How many consecutive codes are asked for where one try costs `price` of `bucket`. */
export function codesAskedFor(bucket: Bucket, price: number, { alwaysStepUp }: Pick<Policy, 'alwaysStepUp'>): 1 | 2 | 3 {
  const needed = codesNeeded(bucket, price);
  return needed === 1 && alwaysStepUp === true ? 2 : needed;
}

/** Whether a proof is judged where `needed` consecutive codes are asked for. */
export function isJudged(proof: Proof, needed: 1 | 2 | 3): boolean {
  return lengthOf(proof) >= needed;
}

/** How many codes in a row a proof counts for. A recovery code is always judged. */
export function lengthOf(proof: Proof): number {
  switch (proof.kind) {
    case 'code':
      return 1;
    case 'codes':
      return proof.codes.length;
    case 'recovery':
      return MOST_CODES;
  }
}

/** More are never asked for. */
const MOST_CODES = 3;

function detailOf(needed: 2 | 3): Pick<Refused, 'detail'> {
  return needed === 3 ? { detail: 'pairs of codes came as a flood: three consecutive codes are needed' } : {};
}

/** Of several refusals the one that helps most: a code that was used is no wrong one, and a code was compared where one file opened. */
function mostTelling(verdicts: readonly Verdict[]): Refused {
  const refusals = verdicts.filter((each) => each.result === 'refused');
  const reasons: readonly Reason[] = ['replayed', 'wrong_code'];
  const found = reasons.map((reason) => refusals.find((each) => each.reason === reason)).find((each) => each !== undefined);
  return found ?? refused('wrong_passphrase');
}

interface How {
  readonly nowMs: number;
  readonly policy: Policy;
  /** Whether a wrong proof costs a part of the budget; else it is one of a flood. */
  readonly paid: boolean;
  readonly usedUntilMs: number;
}

/** The verdict, with the next state as it is when accepted. */
function judge(state: LoginState, proof: Proof, opened: Payload | undefined, how: How): Judged {
  if (opened === undefined) return { verdict: refused('wrong_passphrase'), next: state };
  switch (proof.kind) {
    case 'code':
      return judgeDigits(state, opened, [proof.code], how);
    case 'codes':
      return judgeDigits(state, opened, proof.codes, how);
    case 'recovery':
      // An emergency code is too short for tries that an empty budget lets through.
      if (proof.code.length === EMERGENCY_DIGITS) return { verdict: refused('wrong_code'), next: state };
      return judgeRecovery(state, opened, [proof.code]) ?? { verdict: refused('wrong_code'), next: state };
  }
}

/** Digits are codes of the secret, or else emergency codes: as many as codes are asked for, for each is no better than one. */
function judgeDigits(state: LoginState, opened: Payload, codes: readonly string[], how: How): Judged {
  const judged = judgeCodes(state, opened, codes, how);
  const mayBeEmergency = judged.verdict.result === 'refused' && codes.every(({ length }) => length === EMERGENCY_DIGITS);
  return (mayBeEmergency ? judgeRecovery(state, opened, codes) : undefined) ?? judged;
}

/** Which steps or counters codes may be of. */
interface Candidates {
  readonly steps: readonly number[];
  /** The step or counter that is the expected one. */
  readonly expected: number;
  /** Steps that the clock is behind the last accepted code by more than the window. */
  readonly behind: number;
}

function candidates(state: LoginState, opened: Payload, codes: number, { nowMs, policy, paid }: How): Candidates {
  if (opened.type === 'totp') {
    const now = stepAt(nowMs, opened.periodSeconds);
    const window = codes === 2 ? stepsAhead(policy) : policy.window;
    const first = now - Math.max(window, codes === 3 ? window + 2 : 0);
    return { steps: range(first, now + window - first + 1), expected: now, behind: state.lastStep - window - now };
  }
  // As many counters ahead as the clock's window has steps, for the guess budget counts on that; and as many back, to tell a used code.
  const next = state.lastStep + 1;
  const ahead = 2 * policy.window + 1;
  const length = ahead + (codes === 1 ? ahead : paid || codes === 3 ? RESYNC_COUNTERS : Math.max(2, ahead));
  return { steps: range(next - ahead, length), expected: next, behind: 0 };
}

/** How many steps after the present one may be accepted: consecutive codes need steps to stand on, even where the policy's window is 0. */
export function stepsAhead({ window }: Pick<Policy, 'window'>): number {
  return Math.max(1, window);
}

/** So many from `first` on, none below 0. */
function range(first: number, length: number): readonly number[] {
  return Array.from({ length }, (_, i) => first + i).filter((step) => step >= 0);
}

/** `codes`: one, or consecutive ones. Accepted is the latest run of steps that matches and lies after the last accepted step. */
function judgeCodes(state: LoginState, opened: Payload, codes: readonly string[], how: How): Judged {
  const { steps, expected, behind } = candidates(state, opened, codes.length, how);
  const ends = codes
    .map((code, i) => matchingSteps(opened.secret, code, steps, opened).map((step) => step + codes.length - 1 - i))
    .reduce((left, right) => left.filter((step) => right.includes(step)));
  const clock = behind > 0 ? { detail: `the clock is ${String(behind)} steps behind the last accepted code` } : {};
  const end = ends.at(-1);
  if (end === undefined) return { verdict: { ...refused('wrong_code'), ...clock }, next: state };
  const lastStep = opened.type === 'hotp' ? state.lastStep : Math.max(state.lastStep, stepAt(how.usedUntilMs - 1, opened.periodSeconds));
  if (end - codes.length + 1 <= lastStep) {
    return { verdict: { ...refused('replayed'), ...wait(lastStep, opened, how.nowMs), ...clock }, next: state };
  }
  const method = codes.length > 1 ? 'step_up' : opened.type;
  return { verdict: { result: 'accepted', method, stepOffset: end - expected }, next: { ...state, lastStep: end, ...period(opened) } };
}

function period(opened: Payload): Pick<LoginState, 'periodSeconds'> {
  return opened.type === 'totp' ? { periodSeconds: opened.periodSeconds } : {};
}

/**
 * The state where no step counts as accepted that the policy does not let in at `nowMs` (Unix time in milliseconds): after a clock that was
 * ahead, codes count again. What the policy can have let in stays used.
 */
export function withoutFutureSteps(state: LoginState, nowMs: number, policy: Pick<Policy, 'window'>): LoginState {
  return usedUpTo(state, nowMs, stepsAhead(policy));
}

function usedUpTo(state: LoginState, nowMs: number, ahead: number): LoginState {
  if (state.periodSeconds === undefined) return state;
  return { ...state, lastStep: Math.min(state.lastStep, stepAt(nowMs, state.periodSeconds) + ahead) };
}

/**
 * The same where an administrator says that a clock was ahead: a step that only that explains counts as the present one, and one that the
 * policy can have let in stays.
 */
export function withoutClockAhead(state: LoginState, nowMs: number, policy: Pick<Policy, 'window'>): LoginState {
  return withoutFutureSteps(state, nowMs, policy).lastStep === state.lastStep ? state : usedUpTo(state, nowMs, 0);
}

/** The next code that can be accepted is the one after the last accepted; it may be on the phone already. A counter waits for nobody. */
function wait(lastStep: number, opened: Payload, nowMs: number): { waitSeconds?: number } {
  return opened.type === 'hotp' ? {} : { waitSeconds: Math.max(0, Math.ceil((lastStep + 1) * opened.periodSeconds - nowMs / 1000)) };
}

/** Undefined where one of them is no recovery code of this device. Each counts once, and none that is spent. */
function judgeRecovery(state: LoginState, opened: Payload, codes: readonly string[]): Judged | undefined {
  const found = codes.map((code) => recoveryIndex(code, opened.recovery));
  if (found.includes(-1)) return undefined;
  if (new Set(found).size < codes.length || found.some((index) => state.spent[index] !== '0'))
    return { verdict: refused('replayed'), next: state };
  const spent = Array.from(state.spent, (digit, i) => (found.includes(i) ? '1' : digit)).join('');
  return { verdict: { result: 'accepted', method: 'recovery' }, next: { ...state, spent } };
}

function refused(reason: Reason): Refused {
  return { result: 'refused', reason };
}

/**
 * The decision: the only place where a login is judged. Pure: it takes states, a proof and the time, and gives a verdict and the
 * next states.
 * The caller commits these with the audit record before it gives any answer.
 *
 * Always true: the last accepted step only grows. A try is paid for before it is judged, and paid back only when accepted. A proof
 * that the budget cannot pay for (a single code, then a pair) is never judged, so right and wrong look the same.
 */
import { matchingSteps, stepAt } from '../otp/code.ts';
import type { Proof } from '../otp/proof.ts';
import { EMERGENCY_DIGITS, recoveryIndex } from '../otp/recovery.ts';
import { haveSameSecret, movingFactorOf, type MovingFactor } from '../otp/uri.ts';
import type { Payload } from '../seal/seal.ts';
import { codesNeeded, emptiest, priceOf, refilled, taken, type Bucket, type BudgetPolicy } from './budget.ts';
import type { Method, Reason } from './reasons.ts';

export interface Policy extends BudgetPolicy {
  /** Steps before and after the current one whose codes count (RFC 6238 section 5.2). */
  readonly window: number;
  /** Whether a single code is never judged, however many tries are left. */
  readonly alwaysStepUp?: boolean;
}

/** The changing state of one enrolment, which is one device. */
export interface LoginState {
  /** The step (TOTP) or counter (HOTP) of the last accepted code; -1 before the first. */
  readonly lastStep: number;
  readonly bucket: Bucket;
  /** One digit per recovery code, `1` where it is spent. */
  readonly spent: string;
  /** The length of a step of `lastStep`, in seconds; undefined for a counter, and where no secret was ever registered. */
  readonly periodSeconds?: number;
}

/** The proof, and the secrets that it is compared with. */
export interface Presented {
  readonly proof: Proof;
  /** For each device the content of its sealed file, where a key (passphrase or host key) opened it. */
  readonly opened: readonly (Payload | undefined)[];
  /** The most consecutive codes that the line could also be read as; see otp/proof.ts. */
  readonly longest?: number;
  /**
   * Unix time in milliseconds. Codes up to this time count as used: a device of the account that is not judged here may have the
   * same secret.
   */
  readonly usedUntilMs?: number;
}

export interface Accepted {
  readonly result: 'accepted';
  readonly method: Method;
  /** The accepted step minus the current one, or the number of skipped counters; absent for other proofs than codes. */
  readonly stepOffset?: number;
  /** For the record, not for the person. */
  readonly detail?: string;
}

export interface Refused {
  readonly result: 'refused';
  readonly reason: Reason;
  /** Seconds until another try makes sense, where waiting helps. */
  readonly waitSeconds?: number;
  /** With `step_up_required`: how many consecutive codes are needed. */
  readonly codesNeeded?: 2 | 3;
  /** For the record, not for the person. */
  readonly detail?: string;
}

export type Verdict = Accepted | Refused;

export interface Decision {
  readonly verdict: Verdict;
  /** In the order of the given states, which share one bucket. */
  readonly next: readonly LoginState[];
  /** The device whose code or recovery code was accepted; undefined for a refusal. */
  readonly device: number | undefined;
}

/** The verdict of a proof on one device, with the device's state afterwards. */
interface Judged {
  readonly verdict: Verdict;
  readonly next: LoginState;
}

/**
 * How far ahead of a counter consecutive codes may be: resynchronisation, RFC 4226 section 7.4. For pairs only in tries that are
 * paid for.
 */
export const RESYNC_COUNTERS = 20;

/** Judges a proof on the devices of one account, of which there is at least one. `nowMs`: Unix time in milliseconds. */
export function decide(given: readonly LoginState[], presented: Presented, nowMs: number, policy: Policy): Decision {
  const states = withTwins(given, presented.opened);
  const bucket = emptiest(states.map((state) => refilled(state.bucket, policy, nowMs)));
  const price = priceOf(states.length, policy);
  const all = (each: Bucket): LoginState[] => states.map((state) => ({ ...state, bucket: each }));
  const needed = codesAskedFor(bucket, price, policy);
  if (needed !== 1 && !isJudged(presented.proof, needed)) {
    // Not judged. A line with a longer reading gets the answer and the price of that reading. Otherwise the answer would reveal
    // which passphrase is right.
    const isLonger = (presented.longest ?? 0) >= needed;
    const verdict = isLonger ? refused('wrong_code') : { ...refused('step_up_required'), codesNeeded: needed, ...detailOf(needed) };
    return { verdict, next: all(isLonger ? taken(bucket, price) : bucket), device: undefined };
  }
  // On every device, whatever the first one gives: the time must not reveal which device it was.
  const how = { nowMs, policy, paid: needed === 1, usedUntilMs: presented.usedUntilMs ?? 0 };
  const judged = all(bucket).map((state, i) => judge(state, presented.proof, presented.opened[i], how));
  // Where two devices have the same secret, a code that one has accepted is used for both.
  const isUsed = judged.some(({ verdict }) => verdict.result === 'refused' && verdict.reason === 'replayed');
  const device = isUsed ? -1 : judged.findIndex(({ verdict }) => verdict.result === 'accepted');
  const accepted = judged[device];
  if (accepted !== undefined) {
    const next = judged.map((each) => each.next);
    return { verdict: accepted.verdict, next: withTwins(next, presented.opened), device };
  }
  const verdict = mostTelling(judged.map((each) => each.verdict));
  // A refusal that costs less than a try says only that the whole was wrong. If it distinguished a wrong passphrase, or one right
  // code beside a used one, it would be a free oracle.
  const isPaid = codesNeeded(bucket, price) === 1;
  const isShown = verdict.reason === 'wrong_code' || (isPaid && (needed === 1 || verdict.reason === 'replayed'));
  const shown = isShown ? verdict : refused('wrong_code');
  return { verdict: shown, next: all(taken(bucket, price)), device: undefined };
}

/**
 * The states, with the last code of each secret: two devices may have the same one with different digits, and the longer code ends with
 * the shorter one. So what one has accepted is used for both.
 */
function withTwins(states: readonly LoginState[], opened: readonly (Payload | undefined)[]): LoginState[] {
  return states.map((state, i) =>
    states
      .filter((_, j) => areTwins(opened[i], opened[j]))
      .reduce((own, { lastStep, periodSeconds }) => {
        if (lastStep <= own.lastStep) return own;
        return { ...own, lastStep, ...(periodSeconds === undefined ? {} : { periodSeconds }) };
      }, state),
  );
}

/** Whether both have one secret and count alike: steps of another length are other numbers. */
function areTwins(one: Payload | undefined, other: Payload | undefined): boolean {
  if (one === undefined || other === undefined || one === other || movingFactorOf(one) !== movingFactorOf(other)) return false;
  return haveSameSecret(one, other);
}

/** How many consecutive codes are needed where one try costs `price` of `bucket`. */
export function codesAskedFor(bucket: Bucket, price: number, { alwaysStepUp }: Pick<Policy, 'alwaysStepUp'>): 1 | 2 | 3 {
  const needed = codesNeeded(bucket, price);
  return needed === 1 && alwaysStepUp === true ? 2 : needed;
}

/** Whether a proof is judged where `needed` consecutive codes are needed. */
export function isJudged(proof: Proof, needed: 1 | 2 | 3): boolean {
  return lengthOf(proof) >= needed;
}

/** How many consecutive codes a proof counts for. A recovery code is always judged. */
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

/** The most codes that are ever needed. */
const MOST_CODES = 3;

function detailOf(needed: 2 | 3): Pick<Refused, 'detail'> {
  return needed === 3 ? { detail: 'pairs of codes came as a flood: three consecutive codes are needed' } : {};
}

/** The refusal that helps most: `replayed` shows a right code, and `wrong_code` shows that a file opened and the code was compared. */
function mostTelling(verdicts: readonly Verdict[]): Refused {
  const refusals = verdicts.filter((each) => each.result === 'refused');
  const reasons: readonly Reason[] = ['replayed', 'wrong_code'];
  const found = reasons.map((reason) => refusals.find((each) => each.reason === reason)).find((each) => each !== undefined);
  return found ?? refused('wrong_passphrase');
}

interface How {
  readonly nowMs: number;
  readonly policy: Policy;
  /** Whether a wrong proof costs a part of the budget; otherwise it belongs to a flood. */
  readonly paid: boolean;
  readonly usedUntilMs: number;
}

/** The verdict on one device, with its next state in case of acceptance. */
function judge(state: LoginState, proof: Proof, opened: Payload | undefined, how: How): Judged {
  if (opened === undefined) return { verdict: refused('wrong_passphrase'), next: state };
  switch (proof.kind) {
    case 'code':
      return judgeDigits(state, opened, [proof.code], how);
    case 'codes':
      return judgeDigits(state, opened, proof.codes, how);
    case 'recovery':
      // An emergency code is too short for the tries that an empty budget allows.
      if (proof.code.length === EMERGENCY_DIGITS) return { verdict: refused('wrong_code'), next: state };
      return judgeRecovery(state, opened, [proof.code]) ?? { verdict: refused('wrong_code'), next: state };
  }
}

/**
 * Judges digits as codes of the secret, or else as emergency codes. As many of these are needed as codes, since each is as short as
 * a code.
 */
function judgeDigits(state: LoginState, opened: Payload, codes: readonly string[], how: How): Judged {
  const judged = judgeCodes(state, opened, codes, how);
  const mayBeEmergency = judged.verdict.result === 'refused' && codes.every(({ length }) => length === EMERGENCY_DIGITS);
  return (mayBeEmergency ? judgeRecovery(state, opened, codes) : undefined) ?? judged;
}

/** The steps or counters that codes may belong to. */
interface Candidates {
  readonly steps: readonly number[];
  /** The expected step or counter. */
  readonly expected: number;
  /** How many steps the clock is behind the last accepted code, beyond the window. */
  readonly behind: number;
}

function candidates(state: LoginState, opened: Payload, codes: number, { nowMs, policy, paid }: How): Candidates {
  if (opened.type === 'totp') {
    const now = stepAt(nowMs, opened.periodSeconds);
    const window = codes === 2 ? stepsAhead(policy) : policy.window;
    const first = now - Math.max(window, codes === 3 ? window + 2 : 0);
    return { steps: range(first, now + window - first + 1), expected: now, behind: state.lastStep - window - now };
  }
  // As many counters ahead as the clock's window has steps, which the guess budget assumes. As many back, to recognise a used code.
  const next = state.lastStep + 1;
  const ahead = 2 * policy.window + 1;
  const length = ahead + (codes === 1 ? ahead : paid || codes === 3 ? RESYNC_COUNTERS : Math.max(2, ahead));
  return { steps: range(next - ahead, length), expected: next, behind: 0 };
}

/** How many steps after the present one may be accepted. Consecutive codes need at least one, even where the policy's window is 0. */
export function stepsAhead({ window }: Pick<Policy, 'window'>): number {
  return Math.max(1, window);
}

/** `length` numbers from `first` on, none below 0. */
function range(first: number, length: number): readonly number[] {
  return Array.from({ length }, (_, i) => first + i).filter((step) => step >= 0);
}

/** `codes`: one, or consecutive ones. Accepts the latest run of steps that matches, if it lies after the last accepted step. */
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
  return { verdict: { result: 'accepted', method, stepOffset: end - expected }, next: { ...state, lastStep: end, ...periodOf(opened) } };
}

/** What a state keeps of the secret that it is about, so that its steps can be told from counters and from future ones. */
export function periodOf(secret: MovingFactor | undefined): Pick<LoginState, 'periodSeconds'> {
  return secret?.type === 'totp' ? { periodSeconds: secret.periodSeconds } : {};
}

/**
 * The state with `lastStep` cut to the latest step that the policy accepts at `nowMs` (Unix time in milliseconds). So codes count
 * again after a clock that was ahead. Every step that the policy can have accepted stays used.
 */
export function withoutFutureSteps(state: LoginState, nowMs: number, policy: Pick<Policy, 'window'>): LoginState {
  return usedUpTo(state, nowMs, stepsAhead(policy));
}

function usedUpTo(state: LoginState, nowMs: number, ahead: number): LoginState {
  if (state.periodSeconds === undefined) return state;
  return { ...state, lastStep: Math.min(state.lastStep, stepAt(nowMs, state.periodSeconds) + ahead) };
}

/**
 * The same where an administrator says that a clock was ahead: a step too far ahead becomes the present one. A step that the policy
 * can have accepted stays.
 */
export function withoutClockAhead(state: LoginState, nowMs: number, policy: Pick<Policy, 'window'>): LoginState {
  return withoutFutureSteps(state, nowMs, policy).lastStep === state.lastStep ? state : usedUpTo(state, nowMs, 0);
}

/** The next acceptable code is the one after the last accepted code, and may be on the phone already. A counter needs no waiting. */
function wait(lastStep: number, opened: Payload, nowMs: number): { waitSeconds?: number } {
  return opened.type === 'hotp' ? {} : { waitSeconds: Math.max(0, Math.ceil((lastStep + 1) * opened.periodSeconds - nowMs / 1000)) };
}

/**
 * Judges recovery codes. Undefined where one of them is not a recovery code of this device. Each counts once, and a spent one does
 * not count.
 */
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

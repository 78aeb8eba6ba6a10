/** How an outcome is told: to a person at the gate or the command line, and in PAM's one line. */
import { sayError } from '../terminal/printer.ts';
import type { Refused } from '../verdict/decide.ts';
import { referenceTo, TO_A_STRANGER, wordingOf, type Reason } from '../verdict/reasons.ts';
import type { Outcome } from '../wire/verifier.ts';

/** Reasons that are no judgement of the proof: something is broken, and no guess was answered. */
const BROKEN: readonly Reason[] = ['bad_secret_file', 'store_unavailable', 'audit_unavailable', 'bad_configuration'];

/** Whether nothing could be decided, so that the detail is for the person too: gate and command line run as that person. */
export function isBroken({ reason }: Refused): boolean {
  return BROKEN.includes(reason);
}

/** Says a refusal on stderr, in two lines: what happened with the reference, and what to do. An acceptance is silent. Gives the outcome back. */
export function told(outcome: Outcome): Outcome {
  const { verdict, ref } = outcome;
  if (verdict.result === 'refused') {
    const detail = isBroken(verdict) && verdict.detail !== undefined ? `: ${verdict.detail}` : '';
    sayError(`${messageOf(verdict)}${detail} ${referenceTo(ref)}`, wordingOf(verdict).hint);
  }
  return outcome;
}

/** One short line: `notp: code already used, wait 12 s (ref 1a2b3c4d)`. */
export function refusalLine(refused: Refused, ref: string): string {
  return line(messageOf(refused), ref);
}

/** The same for somebody who has not passed a first factor: what it is about a user is not in it. */
export function lineToStranger(refused: Refused, ref: string): string {
  return ABOUT_A_USER.includes(refused.reason) ? line(TO_A_STRANGER, ref) : refusalLine(refused, ref);
}

/** Of some users only, and without a right code: that they exist, are enrolled, how, or are being attacked. */
const ABOUT_A_USER: readonly Reason[] = [
  ...(['wrong_code', 'wrong_passphrase', 'step_up_required', 'no_proof'] as const),
  ...(['not_enrolled', 'revoked', 'stale_enrolment', 'bad_secret_file'] as const),
];

function line(message: string, ref: string): string {
  return `notp: ${message} ${referenceTo(ref)}\n`;
}

export function isAccepted({ verdict }: Outcome): boolean {
  return verdict.result === 'accepted';
}

function messageOf(refused: Refused): string {
  return wordingOf(refused).message + waitOf(refused.waitSeconds ?? 0);
}

/** No code waits that long for the next: one of a time to come was accepted. */
const CLOCK_WAS_AHEAD_SECONDS = 900;

function waitOf(seconds: number): string {
  if (seconds === 0) return '';
  if (seconds < CLOCK_WAS_AHEAD_SECONDS) return `, wait ${String(seconds)} s for the next one`;
  return ', by a clock that was ahead: ask an administrator to run notp unlock';
}

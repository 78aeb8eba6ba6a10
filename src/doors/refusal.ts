/** Prints outcomes: for a person at the gate or the command line, and as the one line for PAM. */
import { escapeControls } from '../otp/escape.ts';
import { sayError } from '../terminal/printer.ts';
import type { Refused } from '../verdict/decide.ts';
import { referenceTo, TO_A_STRANGER, wordingOf, type Reason } from '../verdict/reasons.ts';
import type { Outcome } from '../wire/verifier.ts';

/** Reasons that do not judge the proof: something is broken, and no guess was answered. */
const BROKEN: readonly Reason[] = ['bad_secret_file', 'store_unavailable', 'audit_unavailable', 'bad_configuration'];

/** Whether nothing could be decided. Then the person reads the detail too, since gate and command line run as that person. */
export function isBroken({ reason }: Refused): boolean {
  return BROKEN.includes(reason);
}

/**
 * Prints a refusal on stderr in two lines: what happened, with the reference, and what to do. Prints nothing for an acceptance.
 * Gives `outcome` back.
 */
export function sayRefusal(outcome: Outcome): Outcome {
  const { verdict, ref } = outcome;
  if (verdict.result === 'refused') sayError(messageTo(verdict, ref), wordingOf(verdict).hint);
  return outcome;
}

/** The same in one line, for a message of a protocol, unless told with the hint of its reason. Empty for an acceptance. */
export function refusalText({ verdict, ref }: Outcome, hint?: string): string {
  if (verdict.result !== 'refused') return '';
  return escapeControls(`notp: ${messageTo(verdict, ref)}: ${hint ?? wordingOf(verdict).hint}`);
}

/** What happened, with the reference. */
function messageTo(refused: Refused, ref: string): string {
  const detail = isBroken(refused) && refused.detail !== undefined ? `: ${refused.detail}` : '';
  return `${messageOf(refused)}${detail} ${referenceTo(ref)}`;
}

/** One short line: `notp: code already used, wait 12 s (ref 1a2b3c4d)`. */
export function refusalLine(refused: Refused, ref: string): string {
  return line(messageOf(refused), ref);
}

/** The same line for somebody who has not passed a first factor, without anything about the user. */
export function lineToStranger(refused: Refused, ref: string): string {
  return ABOUT_A_USER.includes(refused.reason) ? line(TO_A_STRANGER, ref) : refusalLine(refused, ref);
}

/** Reasons that reveal, without a right code, that a user exists, is enrolled, how, or is being attacked. */
const ABOUT_A_USER: readonly Reason[] = [
  ...(['wrong_code', 'wrong_passphrase', 'step_up_required', 'no_proof'] as const),
  ...(['not_enrolled', 'revoked', 'stale_enrolment', 'bad_secret_file', 'not_permitted'] as const),
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

/** A normal wait for the next code is shorter. A longer one means that a code of a future time was accepted. */
const CLOCK_WAS_AHEAD_SECONDS = 900;

function waitOf(seconds: number): string {
  if (seconds === 0) return '';
  if (seconds < CLOCK_WAS_AHEAD_SECONDS) return `, wait ${String(seconds)} s for the next one`;
  return ', by a clock that was ahead: ask an administrator to run notp unlock';
}

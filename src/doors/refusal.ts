/** How an outcome is told: to a person at the gate or the command line, and in PAM's one line. */
import { sayError } from '../system/printer.ts';
import type { Refused } from '../verdict/decide.ts';
import { WORDING, type Reason } from '../verdict/reasons.ts';
import type { Outcome } from '../verifier/verifier.ts';

/** Reasons that are no judgement of the proof: something is broken, and no guess was answered. */
const BROKEN: readonly Reason[] = ['bad_secret_file', 'store_unavailable', 'audit_unavailable', 'bad_configuration'];

/** Whether nothing could be decided, so that the detail is for the person too: gate and command line run as that person. */
export function isBroken({ reason }: Refused): boolean {
  return BROKEN.includes(reason);
}

/** Two lines on stderr: what happened with the reference, and what to do. */
export function sayRefused(refused: Refused, ref: string): void {
  const detail = isBroken(refused) && refused.detail !== undefined ? `: ${refused.detail}` : '';
  sayError(`${messageOf(refused)}${detail} (ref ${ref})`, WORDING[refused.reason].hint);
}

/** One short line: `notp: code already used, wait 12 s (ref 1a2b3c4d)`. */
export function refusalLine(refused: Refused, ref: string): string {
  return `notp: ${messageOf(refused)} (ref ${ref})\n`;
}

export function isAccepted({ verdict }: Outcome): boolean {
  return verdict.result === 'accepted';
}

function messageOf({ reason, waitSeconds }: Refused): string {
  const wait = waitSeconds === undefined || waitSeconds === 0 ? '' : `, wait ${String(waitSeconds)} s for the next one`;
  return WORDING[reason].message + wait;
}

/** How an outcome is told: to a person at the gate or the command line, and in PAM's one line. */
import { sayError } from '../system/printer.ts';
import type { Refused } from '../verdict/decide.ts';
import { WORDING } from '../verdict/reasons.ts';
import type { Outcome } from '../verifier/verifier.ts';

/** Two lines on stderr: what happened with the reference, and what to do. */
export function sayRefused(refused: Refused, ref: string): void {
  sayError(`${messageOf(refused)} (ref ${ref})`, WORDING[refused.reason].hint);
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

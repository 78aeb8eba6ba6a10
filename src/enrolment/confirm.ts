/** Confirms a new secret with one of its codes, before it replaces anything. */
import { NotpError } from '../error.ts';
import { parseProof } from '../otp/proof.ts';
import type { Conversation } from '../terminal/conversation.ts';
import { sayError } from '../terminal/printer.ts';
import { CONFIRM_TRIES } from './sealing.ts';

/**
 * Asks for a code until `judge` gives a result for one, and gives that. `judge` gives undefined for a wrong code. Throws `refused`
 * after the last try, and what `judge` throws.
 */
export async function confirmByCode<T>(conversation: Conversation, judge: (code: string) => Promise<T | undefined>): Promise<T> {
  for (let left = CONFIRM_TRIES; left > 0; left--) {
    const answer = await conversation.ask('One-time code: ', { hidden: false });
    if (!('line' in answer)) break;
    const proof = parseProof(answer.line);
    const judged = proof?.kind === 'code' ? await judge(proof.code) : undefined;
    if (judged !== undefined) return judged;
    sayError('that is not the code of the new secret', 'check the clock of the phone and of this machine, or wait for the next code');
  }
  throw new NotpError('refused', 'the new secret was not confirmed', 'nothing was changed; an earlier enrolment still works');
}

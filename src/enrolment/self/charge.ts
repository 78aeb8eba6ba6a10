/**
 * Charges for what a user makes through the service with one proof and could repeat for ever: new recovery codes, each of which
 * logs in, or a new secret with such codes.
 * The first one per refill time is free: strangers can empty the guess budget of a user who has lost the phone. Each further one
 * costs a try, so that no user can fill everybody's log.
 */
import type { Origin } from '../../audit/record.ts';
import type { SealedFile } from '../../seal/file.ts';
import { timeOf } from '../../store/clock.ts';
import { statusToBe } from '../../store/enrolment.ts';
import type { Transaction } from '../../store/store.ts';
import { isEmpty, refilled, taken, type Bucket } from '../../verdict/budget.ts';
import type { Terms } from '../../login/terms.ts';
import type { State } from '../../state/state.ts';

/** The detail of the refusal. */
export const OFTEN = 'made too often for the time being: a try of the guess budget pays for it';

/** The user and context, the file in place, and the rules that count. */
export interface Charged {
  readonly origin: Origin;
  /** The file that the proof opens; undefined for an invited user. */
  readonly present: SealedFile | undefined;
  readonly terms: Pick<Terms, 'policy' | 'now'>;
}

/**
 * Whether the budget can pay for it now. To be asked before a proof is judged, or the code would be used for nothing. Throws as
 * Store.exclusively does.
 */
export async function canPay({ store }: Pick<State, 'store'>, what: Charged): Promise<boolean> {
  return await store.exclusively(async (transaction) => (await bucketAfter(transaction, what)) !== undefined);
}

/**
 * Charges the price to the enrolment or the invitation. Gives the bucket afterwards, as of now by the clock that counts; undefined
 * where it could not pay. Throws as Store.exclusively does.
 */
export async function charge({ store }: Pick<State, 'store'>, what: Charged): Promise<Bucket | undefined> {
  const { user, context } = what.origin;
  return await store.exclusively(async (transaction) => {
    const left = await bucketAfter(transaction, what);
    const enrolment = await transaction.enrolment(user, context);
    // If the enrolment changed meanwhile, begin() refuses it.
    if (enrolment !== undefined && enrolment.doubt === undefined && statusToBe(enrolment) !== 'revoked' && left !== undefined)
      await transaction.save({ ...enrolment, state: { ...enrolment.state, bucket: left } });
    return left;
  });
}

async function bucketAfter(transaction: Transaction, { origin, present, terms: { policy, now } }: Charged): Promise<Bucket | undefined> {
  const enrolment = await transaction.enrolment(origin.user, origin.context);
  // Judging the proof reports the fault.
  if (enrolment === undefined || enrolment.doubt !== undefined || statusToBe(enrolment) === 'revoked') return { tokens: 0, asOfMs: 0 };
  const nowMs = await timeOf(transaction, now);
  const bucket = refilled(enrolment.state.bucket, policy, nowMs);
  if (present !== undefined && Date.parse(present.created) + policy.refillMs <= nowMs) return bucket;
  return isEmpty(bucket, 1) ? undefined : taken(bucket, 1);
}

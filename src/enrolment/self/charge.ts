/**
 * What a user makes through the service with one proof and could go on with for ever: new recovery codes, each of which logs in, or a new
 * secret with such codes. The first within the time that refills a try is free, for strangers can empty the guess budget of whoever has lost
 * the phone; each further one costs a try of that, so that nobody fills the log for everybody.
 */
import type { Origin } from '../../audit/record.ts';
import type { SealedFile } from '../../seal/file.ts';
import { timeOf } from '../../store/clock.ts';
import { statusToBe } from '../../store/enrolment.ts';
import type { Transaction } from '../../store/store.ts';
import { isEmpty, refilled, taken, type Bucket } from '../../verdict/budget.ts';
import type { Rules } from '../../login/rules.ts';
import type { State } from '../../state/state.ts';

/** Why it is refused. */
export const OFTEN = 'made too often for the time being: a try of the guess budget pays for it';

/** Whose, with what in place, and the rules that count. */
export interface Charged {
  readonly origin: Origin;
  /** The file that the proof opens; undefined for whoever was invited. */
  readonly present: SealedFile | undefined;
  readonly rules: Pick<Rules, 'policy' | 'now'>;
}

/** Whether it can be paid for now. To be asked before a proof is judged, which would be spent for nothing. Throws as Store.exclusively does. */
export async function canPay({ store }: Pick<State, 'store'>, what: Charged): Promise<boolean> {
  return await store.exclusively(async (transaction) => (await paid(transaction, what)) !== undefined);
}

/**
 * Takes the price from the enrolment or the invitation. Gives the bucket that is left, as of now by the clock that counts; undefined where
 * it had none. Throws as Store.exclusively does.
 */
export async function charge({ store }: Pick<State, 'store'>, what: Charged): Promise<Bucket | undefined> {
  const { user, context } = what.origin;
  return await store.exclusively(async (transaction) => {
    const left = await paid(transaction, what);
    const enrolment = await transaction.enrolment(user, context);
    // Whatever became of it meanwhile, begin() refuses it.
    if (enrolment !== undefined && enrolment.doubt === undefined && statusToBe(enrolment) !== 'revoked' && left !== undefined)
      await transaction.save({ ...enrolment, state: { ...enrolment.state, bucket: left } });
    return left;
  });
}

async function paid(transaction: Transaction, { origin, present, rules: { policy, now } }: Charged): Promise<Bucket | undefined> {
  const enrolment = await transaction.enrolment(origin.user, origin.context);
  // Whoever judges the proof says what is wrong.
  if (enrolment === undefined || enrolment.doubt !== undefined || statusToBe(enrolment) === 'revoked') return { tokens: 0, asOfMs: 0 };
  const nowMs = await timeOf(transaction, now);
  const bucket = refilled(enrolment.state.bucket, policy, nowMs);
  if (present !== undefined && Date.parse(present.created) + policy.refillMs <= nowMs) return bucket;
  return isEmpty(bucket, 1) ? undefined : taken(bucket, 1);
}

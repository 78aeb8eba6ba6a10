/**
 * What a user makes through the service with one proof and could go on with for ever: new recovery codes, each of which logs in, or a
 * new secret with such codes. It costs a try of the guess budget, so that nobody fills the log for everybody.
 */
import type { Origin } from '../audit/record.ts';
import { timeOf } from '../store/clock.ts';
import { isEmpty, refilled, taken, type Bucket } from '../verdict/budget.ts';
import type { Rules } from '../login/rules.ts';
import type { State } from '../state/state.ts';

/** Why it is refused. */
export const OFTEN = 'made and given up too often for the time being: a try of the guess budget pays for it';

/**
 * Takes a try from the enrolment or the invitation of `origin`. Gives the bucket that is left, as of now by the clock that counts; undefined
 * where it had none. Throws as Store.exclusively does.
 */
export async function charge(
  { store }: Pick<State, 'store'>,
  origin: Origin,
  { policy, now }: Pick<Rules, 'policy' | 'now'>,
): Promise<Bucket | undefined> {
  return await store.exclusively(async (transaction) => {
    const enrolment = await transaction.enrolment(origin.user, origin.context);
    // Whatever became of it meanwhile, begin() refuses it.
    if (enrolment === undefined || enrolment.doubt !== undefined) return { tokens: 0, asOfMs: 0 };
    const bucket = refilled(enrolment.state.bucket, policy, await timeOf(transaction, now));
    if (isEmpty(bucket, 1)) return undefined;
    const left = taken(bucket, 1);
    await transaction.save({ ...enrolment, state: { ...enrolment.state, bucket: left } });
    return left;
  });
}

/**
 * Registering an enrolment so that nothing is lost on any failure. A new sealed file becomes the one that logs in
 * by a rename; before it, the store learns the new id as pending (with the audit record), after it, as the
 * registered one. Between the two both files are known, so whichever is in place logs in: a file with the pending
 * id proves that the rename happened (verifier/standing.ts completes it).
 */
import { append, newRef } from '../audit/audit.ts';
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import type { LoginState, Policy } from '../verdict/decide.ts';
import { fullBucket } from '../verdict/budget.ts';
import { completed } from './standing.ts';
import type { State } from './state.ts';

export interface NewEnrolment {
  readonly origin: Origin;
  /** The id of the new sealed file. */
  readonly id: string;
  readonly recoveryCodes: number;
  readonly policy: Policy;
  readonly replace: boolean;
}

/** Whether a login of this user and context is registered. */
export async function isRegistered(state: State, { user, context }: Origin): Promise<boolean> {
  return await state.store.exclusively(async (transaction) => registered(await transaction.enrolment(user, context)));
}

/**
 * Makes `id` the pending one and records it. `presentId` is the id of the file that is in place now: where that is
 * an earlier pending one, it is completed first, so that it goes on logging in. Throws `refused` where an enrolment
 * is there and is not to be replaced.
 */
export async function begin(state: State, enrolment: NewEnrolment, presentId: string | undefined, nowMs: number): Promise<void> {
  const { origin, id, policy, replace } = enrolment;
  const pendingState: LoginState = { lastStep: -1, bucket: fullBucket(policy, nowMs), spent: '0'.repeat(enrolment.recoveryCodes) };
  await state.store.exclusively(async (transaction) => {
    const known = await transaction.enrolment(origin.user, origin.context);
    const present = known !== undefined && known.pendingId === presentId ? completed(known) : known;
    if (registered(present) && !replace)
      throw new NotpError(
        'refused',
        `${origin.user} is enrolled for ${origin.context} already`,
        'give --replace to replace that enrolment',
      );
    if (present === undefined) await transaction.insert(firstOf(origin, id, pendingState));
    else await transaction.save({ ...present, pendingId: id, pendingState });
    await append(state.log, transaction, { ...origin, event: registered(present) ? 'replace' : 'enroll', result: 'done', ref: newRef() });
  });
}

/** The file is in place: its id is the registered one from now on. */
export async function complete(state: State, { origin, id }: NewEnrolment): Promise<void> {
  await changePending(state, origin, id, (enrolment, transaction) => transaction.save({ ...completed(enrolment), status: 'active' }));
}

/** The file did not come into its place: the enrolment is as it was. */
export async function abandon(state: State, { origin, id }: NewEnrolment): Promise<void> {
  await changePending(state, origin, id, async (enrolment, transaction) => {
    await transaction.save({ ...enrolment, pendingId: '' });
    await append(state.log, transaction, { ...origin, event: 'enroll.failed', result: 'failed', ref: newRef() });
  });
}

async function changePending(
  state: State,
  { user, context }: Origin,
  id: string,
  change: (enrolment: Enrolment, transaction: Transaction) => Promise<void>,
): Promise<void> {
  await state.store.exclusively(async (transaction) => {
    const enrolment = await transaction.enrolment(user, context);
    // A login may have completed it since.
    if (enrolment?.pendingId === id) await change(enrolment, transaction);
  });
}

function registered(enrolment: Enrolment | undefined): boolean {
  return enrolment !== undefined && enrolment.id !== '';
}

function firstOf({ user, context }: Origin, pendingId: string, state: LoginState): Enrolment {
  return { user, context, id: '', pendingId, status: 'active', state, pendingState: state, lastAcceptedMs: 0 };
}

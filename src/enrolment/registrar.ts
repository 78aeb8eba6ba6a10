/**
 * Registering an enrolment so that nothing is lost on any failure. A new sealed file becomes the one that logs in
 * by a rename; before it, the store learns the new id as pending (with the audit record), after it, as the
 * registered one. Between the two both files are known, so whichever is in place logs in: a file with the pending
 * id proves that the rename happened (completed() in store/enrolment.ts).
 */
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import { noteChange } from '../outage/change.ts';
import { shellCommand } from '../otp/escape.ts';
import type { Registration } from '../seal/file.ts';
import { NO_UID, type Enrolment, type PendingState, type Transaction } from '../store/store.ts';
import type { LoginState, Policy } from '../verdict/decide.ts';
import { fullBucket } from '../verdict/budget.ts';
import { timeOf } from '../store/clock.ts';
import { awaits, refuseForged, registers } from '../login/standing.ts';
import { completed, isNewSecret, statusToBe } from '../store/enrolment.ts';
import type { State } from '../state/state.ts';
import { change } from './change.ts';

/** A new sealed file, and what becomes of the enrolment with it. */
export interface NewEnrolment extends Registration {
  readonly origin: Origin;
  /** What it starts with: firstState, or for the same secret sealed anew what does not go on as it is; see Enrolment.pendingState. */
  readonly state: Partial<LoginState>;
  /** Of a secret that may be that of `former`, which it takes the place of: the same with what is used of it. Throws where that cannot be known. */
  readonly goOn?: (fresh: LoginState, former: Enrolment, nowMs: number) => PendingState;
  /** What the record calls it, where it is not `enroll` or `replace`: the same secret sealed anew, or one from another module. */
  readonly event?: 'passphrase' | 'recovery' | 'reseal' | 'import';
  readonly replace: boolean;
  /** What must still be registered: what whoever asks has shown a code of, or was invited for. */
  readonly expected?: Pick<Enrolment, 'id' | 'status'>;
}

/** The state of a secret that never logged in, at `nowMs`. */
export function firstState(policy: Policy, recoveryCodes: number, nowMs: number): LoginState {
  return { lastStep: -1, bucket: fullBucket(policy, nowMs), spent: '0'.repeat(recoveryCodes) };
}

/** Whether a login of this user and context is registered. */
export async function isRegistered(state: State, { user, context }: Origin): Promise<boolean> {
  return await state.store.exclusively(async (transaction) => registered(await transaction.enrolment(user, context)));
}

/** The status of the login that the sealed file `file` is registered for; undefined where it is for none. */
export async function registeredAs(
  transaction: Transaction,
  { user, context }: Origin,
  file: Registration,
): Promise<Enrolment['status'] | undefined> {
  const enrolment = await transaction.enrolment(user, context);
  if (enrolment === undefined || enrolment.doubt === 'forged') return undefined;
  if (awaits(enrolment, file)) return statusToBe(enrolment);
  return registers(enrolment, file) ? enrolment.status : undefined;
}

/**
 * Makes the new file the pending one and records it. `inPlace` is the file that is in place now: where that is
 * an earlier pending one, it is completed first, so that it goes on logging in. Of a forged enrolment nothing is kept: it is over
 * when its replacement begins. Throws `refused` where an enrolment is there and is not to be replaced.
 */
export async function begin(state: State, enrolment: NewEnrolment, inPlace: Registration | undefined): Promise<void> {
  const { origin, id, digest, replace, expected } = enrolment;
  await change(state, origin, async (transaction) => {
    const fresh = await asOfStore(transaction, enrolment.state, state.log.now);
    const known = await transaction.enrolment(origin.user, origin.context);
    const isForged = known?.doubt === 'forged';
    const present = known !== undefined && !isForged && awaits(known, inPlace) ? completed(known) : known;
    const pendingState =
      enrolment.goOn !== undefined && present !== undefined && isWhole(fresh)
        ? enrolment.goOn(fresh, present, await timeOf(transaction, state.log.now))
        : fresh;
    // Who has shown a code, or was invited, did so by an enrolment that was none of this.
    if (isForged && (expected !== undefined || !isWhole(pendingState))) refuseForged(known);
    if (expected !== undefined && (present?.id !== expected.id || present.status !== expected.status))
      throw new NotpError('refused', 'the enrolment has changed meanwhile', 'begin again');
    if (registered(present) && !replace)
      throw new NotpError(
        'refused',
        `${origin.user} is enrolled for ${origin.context} already`,
        'give --replace to replace that enrolment',
      );
    if (isForged && isWhole(pendingState)) await transaction.save({ ...firstOf(origin, { id, digest }, pendingState), status: 'revoked' });
    else if (present !== undefined)
      await transaction.save({ ...present, pendingId: id, pendingDigest: digest, pendingState, uid: origin.uid ?? present.uid });
    else if (isWhole(pendingState)) await transaction.insert(firstOf(origin, { id, digest }, pendingState));
    else throw new NotpError('refused', `${origin.user} is not enrolled for ${origin.context}`);
    const event = enrolment.event ?? (isNewSecret(pendingState) ? (registered(present) ? 'replace' : 'enroll') : 'reseal');
    return { done: [{ context: origin.context, event }], given: undefined };
  });
}

/** The file is in place: its id is the registered one from now on. Throws `refused` where another change has come in between. */
export async function complete(state: State, { origin, id }: Pick<NewEnrolment, 'origin' | 'id'>): Promise<void> {
  await state.store.exclusively(async (transaction) => {
    const enrolment = await transaction.enrolment(origin.user, origin.context);
    if (enrolment?.pendingId !== id) {
      if (enrolment?.id !== id || enrolment.status === 'revoked') throw overtaken(origin);
      return;
    }
    refuseForged(enrolment);
    await transaction.save(completed(enrolment));
    await noteChange(state, transaction, origin.user, [origin.context]);
  });
}

/** Two changes at once: each had its file put in place, and the last one is in place, of which nothing is known any more. */
function overtaken({ user, context }: Origin): NotpError {
  return new NotpError(
    'refused',
    `another change of the enrolment of ${user} for ${context} came in between: the file that is in place now may be of neither`,
    'look at notp status, and make it anew where it does not log in; what was shown last may be worth nothing',
  );
}

/** Puts the sealed file `text` in its place in the store, and with it the enrolment. Throws `refused` where another one came in between. */
export async function completeInStore(state: State, { origin, id }: Pick<NewEnrolment, 'origin' | 'id'>, text: string): Promise<void> {
  const { user, context } = origin;
  await state.store.exclusively(async (transaction) => {
    const enrolment = await transaction.enrolment(user, context);
    if (enrolment?.pendingId !== id) throw new NotpError('refused', 'the enrolment has changed meanwhile', 'begin again');
    refuseForged(enrolment);
    await transaction.putSealed(user, context, text);
    await transaction.save(completed(enrolment));
    await noteChange(state, transaction, user, [context]);
  });
}

/** Whether the sealed file `id` is the registered one, or still pending or given up. */
export async function standingInStore(
  state: State,
  { origin, id }: Pick<NewEnrolment, 'origin' | 'id'>,
): Promise<'registered' | 'not registered'> {
  const { user, context } = origin;
  const enrolment = await state.store.exclusively((transaction) => transaction.enrolment(user, context));
  return enrolment?.id === id && enrolment.doubt === undefined ? 'registered' : 'not registered';
}

/** The file did not come into its place: the enrolment is as it was. */
export async function abandon(state: State, { origin, id, state: pendingState, event: name }: NewEnrolment): Promise<void> {
  const event = `${name ?? (isNewSecret(pendingState) ? 'enroll' : 'reseal')}.failed` as const;
  await change(state, origin, async (transaction) => {
    const enrolment = await awaiting(transaction, origin, id);
    if (enrolment === undefined) return { done: [], given: undefined };
    await transaction.save({ ...enrolment, pendingId: '', pendingDigest: '' });
    return { done: [{ context: origin.context, event, result: 'failed' }], given: undefined };
  });
}

/** Lets `origin.user` enrol themselves once. Throws `refused` where they are enrolled. */
export async function invite(state: State, origin: Origin, policy: Policy, nowMs: number): Promise<void> {
  await change(state, origin, async (transaction) => {
    const known = await transaction.enrolment(origin.user, origin.context);
    if (known !== undefined && statusToBe(known) === 'active' && (registered(known) || known.pendingId !== ''))
      throw new NotpError(
        'refused',
        `${origin.user} is enrolled for ${origin.context} already`,
        'they replace it themselves with notp enroll --replace, or revoke it first',
      );
    const first = firstState(policy, 0, await timeOf(transaction, () => nowMs));
    // Whose enrolment was ended is not let in as somebody who never had one: its id stays. So does what was used of its secret, which may be imported again.
    const ended = known === undefined || known.doubt !== undefined ? {} : { state: { ...known.state, bucket: first.bucket } };
    const invited = { ...firstOf(origin, { id: '', digest: '' }, first), id: known?.id ?? '', ...ended, status: 'invited' } as const;
    if (known === undefined) await transaction.insert(invited);
    else await transaction.save(invited);
    return { done: [{ context: origin.context, event: 'invite' }], given: undefined };
  });
}

/**
 * The secret in the registered `file` leaves: recorded before it does. Gives the counter of the next code, where it is a HOTP secret. Throws
 * `refused` where it is not the file of a login: what was revoked, or put back, is worth nothing and may be in the wrong hands.
 */
export async function giveOut(state: State, origin: Origin, file: Registration): Promise<{ readonly counter: number }> {
  const { user, context } = origin;
  return await change(state, origin, async (transaction) => {
    if ((await registeredAs(transaction, origin, file)) !== 'active')
      throw new NotpError(
        'refused',
        `the sealed file of ${user} for ${context} is not one that logs in`,
        shellCommand`notp status ${context} --user ${user} says why; notp-enroll --replace makes a new enrolment`,
      );
    const lastStep = (await transaction.enrolment(user, context))?.state.lastStep ?? -1;
    return { done: [{ context, event: 'export' }], given: { counter: lastStep + 1 } };
  });
}

/** Ends an enrolment or an invitation. Gives whether the user has another one left. Throws `refused` where there is nothing to end. */
export async function revoke(state: State, origin: Origin): Promise<{ readonly othersLeft: boolean }> {
  return await change(state, origin, async (transaction) => {
    const all = await transaction.enrolmentsOf(origin.user);
    const known = all.find(({ context }) => context === origin.context);
    // One that is on its way after it was ended would be active when its file has come.
    if (known === undefined || statusToBe(known) === 'revoked')
      throw new NotpError('refused', `${origin.user} is not enrolled for ${origin.context}`, 'nothing was changed');
    // Neither the file that is there nor one that is still on its way can bring it back.
    await transaction.save({ ...known, status: 'revoked', digest: '', pendingId: '', pendingDigest: '' });
    await transaction.dropSealed(origin.user, origin.context);
    const othersLeft = all.some((each) => each.context !== origin.context && statusToBe(each) !== 'revoked');
    return { done: [{ context: origin.context, event: 'revoke' }], given: { othersLeft } };
  });
}

/** The enrolment whose file `id` is on its way; undefined where it is not any more: a login may have completed it since. */
async function awaiting(transaction: Transaction, { user, context }: Origin, id: string): Promise<Enrolment | undefined> {
  const enrolment = await transaction.enrolment(user, context);
  return enrolment?.pendingId === id ? enrolment : undefined;
}

/** The same, with a budget that is of the time that counts: one of a time to come would not be refilled until then. */
async function asOfStore(transaction: Transaction, state: Partial<LoginState>, now: () => number): Promise<Partial<LoginState>> {
  const { bucket } = state;
  if (bucket === undefined) return state;
  return { ...state, bucket: { ...bucket, asOfMs: await timeOf(transaction, now) } };
}

/** Whether it is the state of a new secret, which has all of it. */
function isWhole(state: PendingState): state is LoginState {
  return isNewSecret(state);
}

function registered(enrolment: Enrolment | undefined): boolean {
  return enrolment !== undefined && ((enrolment.id !== '' && enrolment.status !== 'invited') || enrolment.doubt === 'forged');
}

function firstOf(
  { user, uid = NO_UID, context }: Origin,
  { id: pendingId, digest: pendingDigest }: Registration,
  state: LoginState,
): Enrolment {
  const registration = { id: '', digest: '', pendingId, pendingDigest } as const;
  return { user, uid, context, ...registration, status: 'active', state, pendingState: state, lastAcceptedMs: 0 };
}

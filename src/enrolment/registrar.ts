/**
 * Registers enrolments so that no failure loses anything. A rename makes a new sealed file the one that logs in. Before it, the
 * store records the new id as pending, with the audit record. After it, the store makes that the registered id.
 * In between both files are known, so whichever is in place logs in. A file with the pending id proves that the rename happened
 * (completed() in store/enrolment.ts).
 */
import { isDeepStrictEqual } from 'node:util';
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import { noteChange } from '../outage/change.ts';
import { shellCommand } from '../otp/escape.ts';
import type { MovingFactor } from '../otp/uri.ts';
import type { Registration } from '../seal/file.ts';
import { NO_UID, type Enrolment, type PendingState, type Transaction } from '../store/store.ts';
import { periodOf, type LoginState, type Policy } from '../verdict/decide.ts';
import { fullBucket } from '../verdict/budget.ts';
import { timeOf } from '../store/clock.ts';
import { awaits, registers } from '../login/account.ts';
import { completed, isNewSecret, refuseForged, statusToBe } from '../store/enrolment.ts';
import type { State } from '../state/state.ts';
import { change } from './change.ts';
import { endGrantsOf } from './grants.ts';

/** A new sealed file, and how the enrolment changes with it. */
export type NewEnrolment = Registering & (NewSecret | Resealed);

interface Registering extends Registration {
  readonly origin: Origin;
  /** The event of the record, where it is not `enroll` or `replace`: a re-sealed secret, or one from another module. */
  readonly event?: 'passphrase' | 'recovery' | 'reseal' | 'import';
  /** For the record. */
  readonly detail?: string | undefined;
  readonly replace: boolean;
}

/** What must still be registered in the transaction that begins the change: a sealed file, or an invitation. */
export type Expected = Pick<Enrolment, 'id' | 'digest' | 'status'>;

interface NewSecret {
  /** The state to start with: firstState. */
  readonly state: LoginState;
  /**
   * For a secret that the account may have had before: gives `fresh` with the codes that were used of it, inside the transaction that
   * registers it. Throws `refused` where that cannot be known, or where the secret may not be registered.
   */
  readonly goOn?: (fresh: LoginState, before: Before) => Promise<PendingState>;
  /** The user has shown a code of it, or was invited by it. */
  readonly expected?: Expected;
}

/** A re-sealed secret inherits the used codes, so only the file that it was made of may be its predecessor. */
export interface Resealed {
  /** The part of the state that changes; see Enrolment.pendingState. */
  readonly state: Pick<Partial<LoginState>, 'spent'>;
  readonly goOn?: never;
  /** The file that it was made of. */
  readonly expected: Expected;
}

/** The transaction that registers a new secret, its time, and the enrolment that the secret replaces. */
export interface Before {
  readonly transaction: Transaction;
  readonly former: Enrolment | undefined;
  readonly nowMs: number;
}

/** The state of a secret that has never logged in, at `nowMs`; undefined: of none yet. */
export function firstState(policy: Policy, recoveryCodes: number, nowMs: number, secret: MovingFactor | undefined): LoginState {
  return { lastStep: -1, bucket: fullBucket(policy, nowMs), spent: '0'.repeat(recoveryCodes), ...periodOf(secret) };
}

/** The status of the login that `file` is registered for; undefined where it is registered for none. */
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
 * Makes the new file the pending one and records it. Where the file in place, `inPlace`, is an earlier pending one, that is
 * completed first, so that it still logs in. Nothing of a forged enrolment is kept: it ends when its replacement begins. Throws
 * `refused` where there is an enrolment and `replace` is false, and where the expected one is not registered any more, and whatever
 * `refuseFile` throws, which gets the present enrolment and decides about the file in place.
 */
export async function begin(
  state: State,
  enrolment: NewEnrolment,
  inPlace: Registration | undefined,
  refuseFile: (present: Enrolment | undefined) => void = () => undefined,
): Promise<void> {
  const { origin, id, digest, replace, expected } = enrolment;
  await change(state, origin, async (transaction) => {
    const fresh = await asOfStore(transaction, enrolment.state, state.log.now);
    const known = await transaction.enrolment(origin.user, origin.context);
    const isForged = known?.doubt === 'forged';
    const present = known !== undefined && !isForged && awaits(known, inPlace) ? completed(known) : known;
    const pendingState =
      enrolment.goOn !== undefined && isNewSecret(fresh)
        ? await enrolment.goOn(fresh, { transaction, former: present, nowMs: await timeOf(transaction, state.log.now) })
        : fresh;
    // The user showed a code of the genuine enrolment or was invited by it, not by this forged one.
    if (isForged && expected !== undefined) refuseForged(known);
    if (present === undefined && !isNewSecret(pendingState))
      throw new NotpError('refused', `${origin.user} is not enrolled for ${origin.context}`);
    if (expected !== undefined && !isDeepStrictEqual(expectedOf(present), expected)) throw changedMeanwhile();
    if (isRegistered(present) && !replace) throw enrolledAlready(origin, 'give --replace to replace that enrolment');
    if (!replace) refuseFile(present);
    if (isForged && isNewSecret(pendingState))
      await transaction.save({ ...firstOf(origin, { id, digest }, pendingState), status: 'revoked' });
    else if (present !== undefined)
      await transaction.save({ ...present, pendingId: id, pendingDigest: digest, pendingState, uid: origin.uid ?? present.uid });
    else if (isNewSecret(pendingState)) await transaction.insert(firstOf(origin, { id, digest }, pendingState));
    const event = enrolment.event ?? (isNewSecret(pendingState) ? (isRegistered(present) ? 'replace' : 'enroll') : 'reseal');
    const { detail } = enrolment;
    return { done: [{ context: origin.context, event, ...(detail === undefined ? {} : { detail }) }], given: undefined };
  });
}

/** The file is in place: makes its id the registered one. Throws `refused` where another change was made in between. */
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

function expectedOf(enrolment: Enrolment | undefined): Expected | undefined {
  return enrolment && { id: enrolment.id, digest: enrolment.digest, status: enrolment.status };
}

function changedMeanwhile(): NotpError {
  return new NotpError('refused', 'the enrolment has changed meanwhile', 'run the command again');
}

/** Two changes ran at once. Each put its file in place, and the state may not know the one that is in place now. */
function overtaken({ user, context }: Origin): NotpError {
  return new NotpError(
    'refused',
    `another change of the enrolment of ${user} for ${context} came in between: the file that is in place now may be of neither`,
    'check notp status, and enrol again where it does not log in; the key or codes shown last may not work',
  );
}

/**
 * Puts the sealed file `text` in its place in the store, and completes the enrolment with it. Throws `refused` where another change
 * was made in between.
 */
export async function completeInStore(state: State, { origin, id }: Pick<NewEnrolment, 'origin' | 'id'>, text: string): Promise<void> {
  const { user, context } = origin;
  await state.store.exclusively(async (transaction) => {
    const enrolment = await transaction.enrolment(user, context);
    if (enrolment?.pendingId !== id) throw changedMeanwhile();
    refuseForged(enrolment);
    await transaction.putSealed(user, context, text);
    await transaction.save(completed(enrolment));
    await noteChange(state, transaction, user, [context]);
  });
}

/** Whether the sealed file `id` is the registered one, or is still pending or abandoned. */
export async function standingInStore(
  state: State,
  { origin, id }: Pick<NewEnrolment, 'origin' | 'id'>,
): Promise<'registered' | 'not registered'> {
  const { user, context } = origin;
  const enrolment = await state.store.exclusively((transaction) => transaction.enrolment(user, context));
  return enrolment?.id === id && enrolment.doubt === undefined ? 'registered' : 'not registered';
}

/** The file did not get into its place: the enrolment stays as it was. */
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
    // To sign it anew would forget what was used.
    if (known !== undefined) refuseForged(known);
    if (known !== undefined && statusToBe(known) === 'active' && (isRegistered(known) || known.pendingId !== ''))
      throw enrolledAlready(origin, 'they replace it themselves with notp enroll --replace, or revoke it first');
    const first = firstState(policy, 0, await timeOf(transaction, () => nowMs), undefined);
    // A user whose enrolment was revoked must not be let in as never enrolled, so its id stays. The used codes stay too: the secret
    // may be imported again.
    const ended = known === undefined ? {} : { state: { ...known.state, bucket: first.bucket } };
    const invited = { ...firstOf(origin, { id: '', digest: '' }, first), id: known?.id ?? '', ...ended, status: 'invited' } as const;
    if (known === undefined) await transaction.insert(invited);
    else await transaction.save(invited);
    return { done: [{ context: origin.context, event: 'invite' }], given: undefined };
  });
}

/**
 * Records that the secret in the registered `file` leaves, before it does. Gives the counter of the next code of a HOTP secret.
 * Throws `refused` where no login is registered with the file: a revoked file, or an old one put back, may be in the wrong hands.
 */
export async function recordExport(state: State, origin: Origin, file: Registration): Promise<{ readonly counter: number }> {
  const { user, context } = origin;
  return await change(state, origin, async (transaction) => {
    if ((await registeredAs(transaction, origin, file)) !== 'active')
      throw new NotpError(
        'refused',
        `the sealed file of ${user} for ${context} does not log in`,
        shellCommand`notp status ${context} --user ${user} says why; notp-enroll --replace makes a new enrolment`,
      );
    const lastStep = (await transaction.enrolment(user, context))?.state.lastStep ?? -1;
    return { done: [{ context, event: 'export' }], given: { counter: lastStep + 1 } };
  });
}

/** What was ended, and whether the user has other enrolments left. */
export interface Revoked {
  readonly enrolment: boolean;
  /** How many grants, also those that counted for nothing. */
  readonly grants: number;
  readonly othersLeft: boolean;
}

/**
 * Ends an enrolment or an invitation, and the grants of the user, whatever the enrolment is: nobody expects a revoked user to get in by what
 * was decided before. A grant that is made afterwards counts. Throws `refused` where there is neither, and where `shown`, the file that the
 * user has shown a code of, is not registered any more.
 */
export async function revoke(state: State, origin: Origin, shown?: Registration): Promise<Revoked> {
  return await change<Revoked>(state, origin, async (transaction) => {
    const all = await transaction.enrolmentsOf(origin.user);
    const known = all.find(({ context }) => context === origin.context);
    const { grants, done } = await endGrantsOf(transaction, origin.user);
    const othersLeft = all.some((each) => each.context !== origin.context && statusToBe(each) !== 'revoked');
    // A pending enrolment after a revocation would become active when its file is in place, so statusToBe counts.
    if (known === undefined || statusToBe(known) === 'revoked') {
      if (shown === undefined && grants > 0) return { done, given: { enrolment: false, grants, othersLeft } };
      throw new NotpError('refused', `${origin.user} is not enrolled for ${origin.context}`, 'nothing was changed');
    }
    if (shown !== undefined && (await registeredAs(transaction, origin, shown)) !== 'active') throw changedMeanwhile();
    // Neither the file in place nor a pending one can bring it back.
    await transaction.save({ ...known, status: 'revoked', digest: '', pendingId: '', pendingDigest: '' });
    await transaction.dropSealed(origin.user, origin.context);
    return { done: [{ context: origin.context, event: 'revoke' }, ...done], given: { enrolment: true, grants, othersLeft } };
  });
}

/** The enrolment whose file `id` is pending; undefined where it is not any more: a login may have completed it. */
async function awaiting(transaction: Transaction, { user, context }: Origin, id: string): Promise<Enrolment | undefined> {
  const enrolment = await transaction.enrolment(user, context);
  return enrolment?.pendingId === id ? enrolment : undefined;
}

/** `state` with its budget dated by the clock that counts. A budget with a future time would not be refilled until then. */
async function asOfStore(transaction: Transaction, state: Partial<LoginState>, now: () => number): Promise<Partial<LoginState>> {
  const { bucket } = state;
  if (bucket === undefined) return state;
  return { ...state, bucket: { ...bucket, asOfMs: await timeOf(transaction, now) } };
}

/** The error for a user who has an enrolment. `hint`: how to replace it. */
export function enrolledAlready({ user, context }: Pick<Origin, 'user' | 'context'>, hint: string): NotpError {
  return new NotpError('refused', `${user} is enrolled for ${context} already`, hint);
}

/** Whether the row of a user and context has a registered login. */
export function isRegistered(enrolment: Enrolment | undefined): boolean {
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

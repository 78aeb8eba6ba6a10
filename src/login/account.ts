/**
 * One account may have several devices. Each is an enrolment with a sealed file of its own, and all share one guess budget.
 * This finds the devices that can be judged: those whose sealed file is registered with its whole content.
 */
import { timeOf } from '../store/clock.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import type { Config } from '../system/config.ts';
import type { DeviceFile, Found } from '../system/secrets.ts';
import { emptiest, refilled, type Bucket, type BudgetPolicy } from '../verdict/budget.ts';
import type { Refused } from '../verdict/decide.ts';
import type { Login, Terms } from './terms.ts';
import { registrationOf, type Registration, type SealedFile } from '../seal/file.ts';
import type { Doubt } from '../store/row-seal.ts';
import { completed, forged, mendForged } from '../store/enrolment.ts';
import type { Reason } from '../verdict/reasons.ts';

/** A device whose sealed file is the registered one. */
export interface Device {
  readonly enrolment: Enrolment;
  /** The index of its sealed file among the files that were found. */
  readonly file: number;
}

export interface AccountState {
  /** The devices whose secrets the proof is compared with. */
  readonly devices: readonly Device[];
  /** The other active enrolments of the account. Each try is charged to them too. */
  readonly others: readonly Enrolment[];
  readonly bucket: Bucket;
  /** Unix time in milliseconds. No code up to this time is accepted: a device whose sealed file is missing has used one, and this device may have the same secret. */
  readonly usedUntilMs: number;
  /** The refusal to give where there is no device. */
  readonly refusal: Refused;
}

/** The contexts that share a guess budget with `asked`: all contexts that log in, or `asked` alone where it has none of them. */
export function accountContexts({ contexts }: Pick<Config, 'contexts'>, asked: readonly string[]): readonly string[] {
  return asked.some((context) => contexts.includes(context)) ? [...new Set([...contexts, ...asked])] : asked;
}

/** The account as the store has it now. */
export async function accountOf(
  transaction: Transaction,
  { files, account, origin }: Pick<Login, 'files' | 'account'> & { readonly origin: Pick<Login['origin'], 'user'> },
  { policy, now }: Pick<Terms, 'policy' | 'now'>,
): Promise<AccountState> {
  const known = await transaction.enrolmentsOf(origin.user);
  const nowMs = await timeOf(transaction, now);
  const standings = files.map((each) => standing(known, each));
  const devices = standings.flatMap((each, file) => ('file' in each ? [{ enrolment: each.enrolment, file }] : []));
  const asked = devices.map(({ enrolment }) => enrolment.context);
  const away = known.filter((each) => account.includes(each.context) && !asked.includes(each.context) && each.doubt === undefined);
  const others = away.filter(isActive);
  const bucket = sharedBucket([...devices.map(({ enrolment }) => enrolment), ...others], policy, nowMs);
  const usedUntilMs = Math.max(0, ...away.map(({ state }) => (state.lastStep + 1) * (state.periodSeconds ?? 0) * 1000));
  const refusals = standings.filter((each) => 'reason' in each);
  // A user with a forged enrolment for another context was enrolled once. The policy for users who never were does not apply to them.
  const unproven = known.flatMap((each) => (each.doubt === undefined ? [] : [standingOf(each, { kind: 'absent' })]));
  return { devices, others, bucket, usedUntilMs, refusal: mostTelling([...refusals, ...unproven.filter((each) => 'reason' in each)]) };
}

/** The guess budget that the active ones of `enrolments` share, refilled up to `nowMs`; empty where none is active. */
export function sharedBucket(enrolments: readonly Enrolment[], policy: BudgetPolicy, nowMs: number): Bucket {
  const buckets = enrolments.filter(isActive).map(({ state }) => refilled(state.bucket, policy, nowMs));
  return buckets.length === 0 ? { tokens: 0, asOfMs: nowMs } : emptiest(buckets);
}

function standing(known: readonly Enrolment[], { context, found }: DeviceFile): ReturnType<typeof standingOf> {
  return standingOf(
    known.find((each) => each.context === context),
    found,
  );
}

/** The most telling refusal: `not_enrolled` for one device says nothing where another was enrolled. */
function mostTelling(refusals: readonly Refused[]): Refused {
  return refusals.find(({ reason }) => reason !== 'not_enrolled') ?? refusals[0] ?? refused('not_enrolled');
}

function isActive({ status, id, doubt }: Enrolment): boolean {
  return status === 'active' && id !== '' && doubt === undefined;
}

/** The enrolment and its sealed file where they belong together, else the refusal. */
export type Standing = { readonly enrolment: Enrolment; readonly file: SealedFile } | Refused;

export function standingOf(enrolment: Enrolment | undefined, found: Found): Standing {
  if (enrolment === undefined) return refused('not_enrolled');
  if (enrolment.doubt !== undefined) return doubted(enrolment, enrolment.doubt);
  const registration = found.kind === 'sealed' ? registrationOf(found.file) : undefined;
  const present = awaits(enrolment, registration) ? completed(enrolment) : enrolment;
  if (present.status !== 'revoked' && found.kind === 'sealed' && registers(present, registration))
    return found.locked === undefined ? { enrolment: present, file: found.file } : refused('bad_secret_file', found.locked);
  if (present.status === 'revoked') return refused('revoked');
  if (found.kind === 'bad') return refused('bad_secret_file', found.why);
  if (enrolment.status === 'invited') return refused('not_enrolled', 'an administrator has invited, and nobody has enrolled yet');
  if (enrolment.id === '') return refused('not_enrolled', 'the enrolment was never completed');
  if (found.kind === 'absent') return refused('bad_secret_file', 'the sealed file is missing');
  if (enrolment.digest === '')
    return refused('stale_enrolment', 'an earlier notp registered it without its content: notp-enroll --replace');
  const isForged = registration?.id === enrolment.id;
  return refused(
    'stale_enrolment',
    isForged ? 'the file has the registered id and other content' : `the file's id is ${registration?.id ?? ''}`,
  );
}

/** The same for commands that only show: without the host key a row is believed. No login is decided by this. */
export function seenStanding(enrolment: Enrolment, found: Found): Standing {
  const { doubt, ...believed } = enrolment;
  return standingOf(doubt === 'unverified' ? believed : enrolment, found);
}

/** The refusal for a row whose MAC is wrong or cannot be checked. It proves nothing, except that the enrolment was revoked. */
function doubted(enrolment: Pick<Enrolment, 'user' | 'context' | 'status'>, doubt: Doubt): Refused {
  if (enrolment.status === 'revoked') return refused('revoked');
  if (doubt === 'forged') return refused('stale_enrolment', `${forged(enrolment)}: ${mendForged(enrolment)}`);
  return refused('store_unavailable', 'the key of this host cannot be read here, and by it alone an enrolment is known to be genuine');
}

/** Whether `file` is the registered one: id and whole content. */
export function registers({ id, digest }: Enrolment, file: Registration | undefined): boolean {
  return file !== undefined && digest !== '' && file.id === id && file.digest === digest;
}

/** Whether `file` is the pending one, compared in the same way. */
export function awaits({ pendingId: id, pendingDigest: digest }: Enrolment, file: Registration | undefined): boolean {
  return file !== undefined && digest !== '' && file.id === id && file.digest === digest;
}

export function refused(reason: Reason, detail?: string): Refused {
  return { result: 'refused', reason, ...(detail === undefined ? {} : { detail }) };
}

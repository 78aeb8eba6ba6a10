/**
 * One account may have several devices. Each is an enrolment with a sealed file of its own, and all share one guess budget.
 * This finds the devices that can be judged.
 */
import { timeOf } from '../store/clock.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import type { Config } from '../system/config.ts';
import type { DeviceFile } from '../system/secrets.ts';
import { emptiest, refilled, type Bucket, type BudgetPolicy } from '../verdict/budget.ts';
import type { Refused } from '../verdict/decide.ts';
import { refused, standingOf } from './registered-file.ts';
import type { Login, Rules } from './rules.ts';

/** A device whose sealed file is the registered one. */
export interface Device {
  readonly enrolment: Enrolment;
  /** The index of its sealed file among the files that were found. */
  readonly file: number;
}

export interface Account {
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
  { policy, now }: Pick<Rules, 'policy' | 'now'>,
): Promise<Account> {
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
  const doubted = known.flatMap((each) => (each.doubt === undefined ? [] : [standingOf(each, { kind: 'absent' })]));
  return { devices, others, bucket, usedUntilMs, refusal: mostTelling([...refusals, ...doubted.filter((each) => 'reason' in each)]) };
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

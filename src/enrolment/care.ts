/** Care for the enrolments on a state within reach: shows their facts, and fills their guess budgets again. */
import type { Done } from '../audit/record-change.ts';
import type { Origin } from '../audit/record.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { findDevices, type DeviceFile, type Found } from '../system/secrets.ts';
import { usersByName, type User } from '../system/users.ts';
import { fullBucket, priceOf, refilled } from '../verdict/budget.ts';
import { withoutClockAhead, type Policy } from '../verdict/decide.ts';
import { accountContexts, sharedBucket } from '../login/account.ts';
import { timeOf } from '../store/clock.ts';
import { change } from './change.ts';
import { factsOf } from './facts.ts';
import type { Facts } from '../wire/facts.ts';
import type { HostKey } from '../state/host-keys.ts';
import { filesAmong, keptOfAll, openable, sealedFiles } from '../login/sealed-files.ts';
import { refuseForged, seenStanding } from '../login/standing.ts';
import { isNewSecret, statusToBe } from '../store/enrolment.ts';
import { withState, type State } from '../state/state.ts';
import type { StatePlace } from '../state/place.ts';

/** The facts of each enrolment of `user`, by context. Empty where there is no state yet. */
export async function factsOfUser(config: Config, place: StatePlace, user: User, now: () => number): Promise<readonly Facts[]> {
  const { enrolments, hostKey, nowMs } = await read(place, now, (transaction) => transaction.enrolmentsOf(user.name));
  const contexts = enrolments.map(({ context }) => context);
  return factsOfFiles(config, enrolments, openable(await sealedFiles(config, user, contexts, now), hostKey), nowMs);
}

/** The facts of all enrolments, by user and context. Each user's files are read as that user, which takes root. */
export async function factsOfAll(config: Config, place: StatePlace, now: () => number): Promise<readonly Facts[]> {
  const { enrolments, hostKey, nowMs } = await read(place, now, (transaction) => transaction.enrolments());
  const byUser = Map.groupBy(enrolments, ({ user }) => user);
  if (config.secretsInStore) {
    const kept = Map.groupBy(await keptOfAll(config, now), ({ user }) => user);
    return [...byUser].flatMap(([name, theirs]) => {
      const contexts = theirs.map(({ context }) => context);
      return factsOfFiles(config, theirs, openable(filesAmong(kept.get(name) ?? [], name, contexts), hostKey), nowMs);
    });
  }
  const users = usersByName([...byUser.keys()]);
  const all: Facts[] = [];
  for (const [name, theirs] of byUser) {
    const user = users.get(name);
    if (user !== undefined) all.push(...factsOfFiles(config, theirs, openable(await seenBy(config, user, theirs), hostKey), nowMs));
    else all.push(...theirs.map((enrolment) => factsOf(enrolment, { kind: 'nobody' }, config.policy, nowMs)));
  }
  return all;
}

interface Known {
  readonly enrolments: readonly Enrolment[];
  readonly hostKey: HostKey | undefined;
  readonly nowMs: number;
}

/**
 * Reads enrolments, the keys for their files, and the time that counts. Reading never fails because clocks differ: nothing is
 * decided by it.
 */
async function read(
  place: StatePlace,
  now: () => number,
  what: (transaction: Transaction) => Promise<readonly Enrolment[]>,
): Promise<Known> {
  const inStore = ({ store, hostKey }: State): Promise<Known> =>
    store.exclusively(async (transaction) => ({
      enrolments: await what(transaction),
      hostKey,
      nowMs: (await transaction.clockMs()) ?? now(),
    }));
  const nothing = { enrolments: [], hostKey: undefined } as const;
  return await asUser(place.owner, () =>
    withState(place, now, async (state) => (state === undefined ? { ...nothing, nowMs: now() } : await inStore(state))),
  );
}

async function seenBy(config: Config, user: User, enrolments: readonly Enrolment[]): Promise<readonly DeviceFile[]> {
  const contexts = enrolments.map(({ context }) => context);
  return await asUser(user, () => findDevices(config, user, contexts));
}

/** The facts of one user's enrolments and the sealed files found for them. */
export function factsOfFiles(
  { policy, contexts }: Pick<Config, 'policy' | 'contexts'>,
  enrolments: readonly Enrolment[],
  files: readonly DeviceFile[],
  nowMs: number,
): Facts[] {
  const foundFor = ({ context }: Enrolment): Found => files.find((each) => each.context === context)?.found ?? { kind: 'absent' };
  const standings = enrolments.filter((each) => contexts.includes(each.context)).map((each) => seenStanding(each, foundFor(each)));
  const devices = standings.flatMap((each) => ('file' in each ? [each.enrolment] : []));
  const tries = devices.length === 0 ? undefined : { bucket: sharedBucket(devices, policy, nowMs), price: priceOf(devices.length, policy) };
  const shares = ({ context }: Enrolment): boolean => devices.some((each) => each.context === context);
  return enrolments.map((each) => factsOf(each, foundFor(each), policy, nowMs, shares(each) ? tries : undefined));
}

/** The whole tries that an enrolment had before, and has now. */
export interface Refilled {
  readonly context: string;
  readonly before: number;
  readonly budget: number;
  /** How many steps the last accepted code was ahead of the present one, because the clock was ahead. Later codes count again. */
  readonly stepsAhead: number;
}

/**
 * Fills the guess budget of the enrolments of `origin.user` that are not revoked: of all, or of those that share a budget with
 * `context`.
 * Each gets a record. A last accepted step from a clock that was ahead is set back to the present. Accepted codes and spent
 * recovery codes stay used. Empty where there is no such enrolment. Throws `refused` where one was forged.
 */
export async function refill(
  state: State,
  origin: Omit<Origin, 'context'>,
  context: string | undefined,
  { policy, contexts }: Pick<Config, 'policy' | 'contexts'>,
  hostMs: number,
): Promise<readonly Refilled[]> {
  return await change(state, origin, async (transaction) => {
    const nowMs = await timeOf(transaction, () => hostMs);
    const all = await transaction.enrolmentsOf(origin.user);
    const asked = context === undefined ? undefined : accountContexts({ contexts }, [context]);
    const ofAccount = all.filter((each) => asked === undefined || asked.includes(each.context));
    const wanted = ofAccount.filter((each) => statusToBe(each) !== 'revoked');
    for (const each of wanted) refuseForged(each);
    // Their last codes also block the codes of the other devices.
    const over = ofAccount.filter((each) => statusToBe(each) === 'revoked' && each.doubt === undefined);
    for (const each of over) await transaction.save({ ...each, state: withoutClockAhead(each.state, nowMs, policy) });
    const done: Done[] = [];
    const given: Refilled[] = [];
    for (const enrolment of wanted) {
      const before = Math.max(0, Math.floor(refilled(enrolment.state.bucket, policy, nowMs).tokens));
      const unlocked = withFullBucket(enrolment, policy, nowMs);
      const stepsAhead = enrolment.state.lastStep - unlocked.state.lastStep;
      await transaction.save(unlocked);
      const clock = stepsAhead === 0 ? '' : `; the last code was of a clock ${String(stepsAhead)} steps ahead`;
      const detail = `${String(before)} of ${String(policy.budget)} tries were left${clock}`;
      done.push({ context: enrolment.context, event: 'unlock', detail });
      given.push({ context: enrolment.context, before, budget: policy.budget, stepsAhead });
    }
    // The copy uses the clock of the host.
    return { done, given, inCopy: (copy: Enrolment) => withFullBucket(copy, policy, hostMs) };
  });
}

/** The enrolment with a full budget, and the pending one too. */
function withFullBucket(enrolment: Enrolment, policy: Policy, nowMs: number): Enrolment {
  const { state, pendingState } = enrolment;
  const bucket = fullBucket(policy, nowMs);
  return {
    ...enrolment,
    state: { ...withoutClockAhead(state, nowMs, policy), bucket },
    pendingState: isNewSecret(pendingState) ? { ...pendingState, bucket } : pendingState,
  };
}

/** Reads the facts of enrolments: of one user, of everybody, or of files that were found elsewhere. Changes nothing. */
import type { Enrolment, Source, Transaction } from '../store/store.ts';
import type { Config } from '../system/config.ts';
import { asOwner, asUser } from '../system/privileges.ts';
import { findDevices, type DeviceFile, type Found } from '../system/secrets.ts';
import { usersByName, type User } from '../system/users.ts';
import { priceOf } from '../verdict/budget.ts';
import { sharedBucket, seenStanding } from '../login/account.ts';
import { factsOf } from './facts.ts';
import { leftInHomes } from './host-sealed.ts';
import { LEFT_IN_HOME } from './store-seal.ts';
import type { Facts } from '../wire/facts.ts';
import type { HostKey } from '../state/host-keys.ts';
import { filesAmong, keptOfAll, sealedFiles } from '../login/sealed-files.ts';
import { storedRules } from '../login/stored-rules.ts';
import { openableWithTokens } from '../login/opening.ts';
import { withState, type State } from '../state/state.ts';
import type { StatePlace } from '../state/place.ts';

/** The facts of each enrolment of `user`, by context. Empty where there is no state yet. */
export async function factsOfUser(config: Config, place: StatePlace, user: User, now: () => number): Promise<readonly Facts[]> {
  const { enrolments, hostKey, nowMs, sources } = await read(config, place, now, user.name);
  const contexts = enrolments.map(({ context }) => context);
  const files = withLeft(await sealedFiles(config, user, contexts, now), await leftInHomes(config, enrolments));
  return factsOfFiles(config, enrolments, openableWithTokens(files, hostKey), nowMs, sources);
}

/** Enrolments, and the facts of each. */
export interface AllFacts {
  /** By user and context. */
  readonly enrolments: readonly Pick<Enrolment, 'user' | 'context'>[];
  /** The facts of those of one user after the other, in the same order, read when they are asked for. */
  readonly ofUsers: AsyncIterable<readonly Facts[]>;
}

/** The facts of all enrolments. Each user's files are read as that user, which takes root. */
export async function factsOfAll(config: Config, place: StatePlace, now: () => number): Promise<AllFacts> {
  const known = await read(config, place, now);
  return { enrolments: known.enrolments, ofUsers: config.secretsInStore ? keptFacts(config, known, now) : factsInHomes(config, known) };
}

async function* factsInHomes(config: Config, { enrolments, hostKey, nowMs, sources }: Known): AsyncGenerator<readonly Facts[]> {
  const byUser = Map.groupBy(enrolments, ({ user }) => user);
  const users = usersByName([...byUser.keys()]);
  for (const [name, theirs] of byUser) {
    const user = users.get(name);
    if (user === undefined) yield theirs.map((enrolment) => factsOf(enrolment, { kind: 'nobody' }, config.policy, nowMs));
    else yield factsOfFiles(config, theirs, openableWithTokens(await seenBy(config, user, theirs), hostKey), nowMs, sources);
  }
}

async function* keptFacts(
  config: Config,
  { enrolments, hostKey, nowMs, sources }: Known,
  now: () => number,
): AsyncGenerator<readonly Facts[]> {
  const kept = Map.groupBy(await keptOfAll(config, now), ({ user }) => user);
  const left = Map.groupBy(await leftInHomes(config, enrolments), ({ user }) => user);
  for (const [name, theirs] of Map.groupBy(enrolments, ({ user }) => user)) {
    const contexts = theirs.map(({ context }) => context);
    const files = withLeft(filesAmong(kept.get(name) ?? [], name, contexts), left.get(name) ?? []);
    yield factsOfFiles(config, theirs, openableWithTokens(files, hostKey), nowMs, sources);
  }
}

/** The files of a user, with the reason why those of `left` are not in the store. */
function withLeft(files: readonly DeviceFile[], left: readonly Enrolment[]): readonly DeviceFile[] {
  const isLeft = ({ context, found }: DeviceFile): boolean => found.kind === 'absent' && left.some((each) => each.context === context);
  return files.map((each) => (isLeft(each) ? { ...each, found: { kind: 'bad', why: LEFT_IN_HOME } } : each));
}

interface Known {
  readonly enrolments: readonly Enrolment[];
  readonly sources: readonly Source[];
  readonly hostKey: HostKey | undefined;
  readonly nowMs: number;
}

/**
 * The sources of `user`, or of everybody, whose codes may still count, by the rule that remembers longest: a source does not say which rule it
 * is of.
 */
export async function sourcesIn(
  transaction: Transaction,
  config: Pick<Config, 'rules' | 'rulesInStore'>,
  nowMs: number,
  user?: string,
): Promise<readonly Source[]> {
  const { rules } = config.rulesInStore ? await storedRules(transaction) : config;
  const longestMs = Math.max(0, ...rules.map(({ rememberMs = 0 }) => rememberMs));
  if (longestMs === 0) return [];
  return (await transaction.sources(nowMs - longestMs, user)).filter(({ acceptedMs }) => acceptedMs <= nowMs);
}

/**
 * Reads the enrolments of `user`, or of everybody, the keys for their files, and the time that counts. Reading never fails because clocks differ: nothing is
 * decided by it.
 */
async function read(config: Config, place: StatePlace, now: () => number, user?: string): Promise<Known> {
  const inStore = ({ store, hostKey }: State): Promise<Known> =>
    store.exclusively(async (transaction) => {
      const nowMs = (await transaction.clockMs()) ?? now();
      const enrolments = await (user === undefined ? transaction.enrolments() : transaction.enrolmentsOf(user));
      return { enrolments, hostKey, nowMs, sources: await sourcesIn(transaction, config, nowMs, user) };
    });
  const nothing = { enrolments: [], sources: [], hostKey: undefined } as const;
  return await asUser(place.owner, () =>
    withState(place, now, async (state) => (state === undefined ? { ...nothing, nowMs: now() } : await inStore(state))),
  );
}

async function seenBy(config: Config, user: User, enrolments: readonly Enrolment[]): Promise<readonly DeviceFile[]> {
  const contexts = enrolments.map(({ context }) => context);
  const find = (): readonly DeviceFile[] => findDevices(config, user, contexts);
  return await asOwner(user, find, (files) => files.every(({ found }) => found.kind !== 'bad'));
}

/** The facts of one user's enrolments and the sealed files found for them. */
export function factsOfFiles(
  { policy, contexts }: Pick<Config, 'policy' | 'contexts'>,
  enrolments: readonly Enrolment[],
  files: readonly DeviceFile[],
  nowMs: number,
  sources: readonly Source[] = [],
): Facts[] {
  const foundFor = ({ context }: Enrolment): Found => files.find((each) => each.context === context)?.found ?? { kind: 'absent' };
  const standings = enrolments.filter((each) => contexts.includes(each.context)).map((each) => seenStanding(each, foundFor(each)));
  const devices = standings.flatMap((each) => ('file' in each ? [each.enrolment] : []));
  const tries = devices.length === 0 ? undefined : { bucket: sharedBucket(devices, policy, nowMs), price: priceOf(devices.length, policy) };
  const shares = ({ context }: Enrolment): boolean => devices.some((each) => each.context === context);
  return enrolments.map((each) => factsOf(each, foundFor(each), policy, nowMs, { tries: shares(each) ? tries : undefined, sources }));
}

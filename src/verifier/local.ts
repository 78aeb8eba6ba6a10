/**
 * The verifier in this process: reads key and state itself, judges, records, commits, and only then answers.
 * Whatever fails on the way is a refusal.
 */
import { appendUnlinked, newRef } from '../audit/audit.ts';
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import type { SealedFile } from '../seal/file.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import { asUser } from '../system/privileges.ts';
import { sealOf, type DeviceFile } from '../system/secrets.ts';
import { isJudged, type Policy } from '../verdict/decide.ts';
import { accountOf, type Account } from './account.ts';
import { judge, neededFor, strangersVerdict, unlessAllowed } from './judging.ts';
import { openReading, unopened, wipe } from './opening.ts';
import { throughOutages } from './outage.ts';
import { recorded, recordOf, refuseUnlinked, settledBy } from './outcome.ts';
import { remembered } from './remembering.ts';
import { keptFiles, openable } from './sealed-files.ts';
import { refused } from './standing.ts';
import { auditLog, makeLogFolder, openState, type State, type StatePlace } from './state.ts';
import { storeName } from './store-place.ts';
import type { Attempt, Outcome, SshSession, Verifier } from './verifier.ts';

export interface LocalOptions {
  readonly place: StatePlace;
  /** The sealed files of the devices that may answer; at least one. */
  readonly files: readonly DeviceFile[];
  /** Whether the store keeps the sealed files: what it has of these contexts takes the place of `files`. */
  readonly inStore: boolean;
  /** The contexts of all devices of the account, which share one guess budget. */
  readonly account: readonly string[];
  /** Its context is that of the first device, until another one answers. */
  readonly origin: Origin;
  readonly policy: Policy;
  /** Whether policy lets users in who were never enrolled. */
  readonly allowUnenrolled: boolean;
  /** Whether the door has them enrol, without an invitation. */
  readonly mayEnroll?: boolean;
  /** How long an accepted code also counts for the same source address and key, in milliseconds. */
  readonly trustMs: number;
  /** Whether a copy of this host may decide where the store cannot be reached. */
  readonly mayFallBack?: boolean;
  /** Whether it does: then a single code is never judged, and nothing is remembered. */
  readonly inOutage?: boolean;
  /** Is told what an accepted code has used up, before that counts. */
  readonly used?: (enrolment: Enrolment) => Promise<void>;
  readonly now: () => number;
  /** When the question came that waited for its turn, by `now`; undefined: it did not wait. */
  readonly askedMs?: number;
}

/** Gives a verifier whatever is broken: then each of its outcomes is the refusal that says so. */
export function localVerifier(options: LocalOptions): Verifier {
  const { place, files, now } = options;
  const opened = memoised(() => openState(place, now, { create: false }));
  const attempt = async <T extends Outcome | undefined>(
    work: (options: LocalOptions, state: State | undefined, ref: string) => Promise<T>,
  ): Promise<T | Outcome> => {
    const ref = newRef();
    return await asUser(place.owner, async () => {
      try {
        refuseOutOfReach(options);
        return await throughOutages(options, opened(), async (asked, state) => await work(await withKept(asked, state), state, ref));
      } catch (error) {
        return await refuseUnlinked(options, ref, error);
      }
    });
  };
  return {
    seal: sealOf(files),
    beforeAsking: (session) => attempt((whole, state, ref) => beforeAsking(whole, state, ref, session)),
    verify: (presented) => attempt((whole, state, ref) => verify(whole, state, ref, presented)),
    close: () => {
      try {
        opened()?.store.close();
      } catch {
        // It was never open.
      }
    },
  };
}

/** The same with the sealed files that the store keeps, where it does, and with none that no key of this host opens. */
export async function withKept(options: LocalOptions, state: State | undefined): Promise<LocalOptions> {
  if (state === undefined) return options;
  const contexts = options.files.map(({ context }) => context);
  const files = options.inStore ? await keptFiles(state.store, options.origin.user, contexts) : options.files;
  return { ...options, files: openable(files, state.hostKey) };
}

async function beforeAsking(
  options: LocalOptions,
  state: State | undefined,
  ref: string,
  session: SshSession | undefined,
): Promise<Outcome | undefined> {
  if (state === undefined) return await withoutState(options, ref);
  return await state.store.exclusively(async (transaction): Promise<Outcome | undefined> => {
    const { devices, refusal } = await accountOf(transaction, { ...options, user: options.origin.user });
    const known = devices.length === 0 || options.inOutage === true ? undefined : await remembered(options, transaction, devices, session);
    const verdict = devices.length === 0 ? await unlessAllowed(options, transaction, refusal) : known?.verdict;
    return verdict === undefined ? undefined : await recorded(state.log, transaction, settledBy(options, verdict, known?.device), ref);
  });
}

async function verify(
  options: LocalOptions,
  state: State | undefined,
  ref: string,
  attempt: Attempt,
  askedMs = options.askedMs ?? options.now(),
): Promise<Outcome> {
  if (state === undefined) return await withoutState(options, ref);
  // The key derivation takes its time outside the transaction, and only for files that are registered and what the budget pays for.
  const nothing = { sealed: [], needed: 1 } as const;
  const { sealed, needed } = attempt.readings.length === 0 ? nothing : await registeredFiles(options, state);
  const judged = attempt.readings.filter(({ proof }) => isJudged(proof, needed));
  const open = judged.length === 0 ? unopened : openReading;
  const presented = sealed.every((file) => file === undefined)
    ? undefined
    : open(sealed, judged.length === 0 ? attempt.readings : judged, state.hostKey);
  try {
    const outcome = await state.store.exclusively(async (transaction) => {
      const settled = await judge(options, transaction, presented, attempt, { askedMs, needed });
      return settled === undefined ? undefined : await recorded(state.log, transaction, settled, ref);
    });
    // The budget was refilled meanwhile, and pays for more than was opened.
    return outcome ?? (await verify(options, state, ref, attempt, askedMs));
  } finally {
    if (presented !== undefined) wipe(presented);
  }
}

/** The sealed files that the state knows by their whole content, undefined in the place of any other; and how many codes are asked for. */
async function registeredFiles(
  options: LocalOptions,
  { store }: State,
): Promise<{ readonly sealed: readonly (SealedFile | undefined)[]; readonly needed: 1 | 2 | 3 }> {
  const account = await store.exclusively((transaction) => present(options, transaction));
  const registered = account.devices.map(({ file }) => file);
  const sealed = options.files.map(({ found }, i) => (found.kind === 'sealed' && registered.includes(i) ? found.file : undefined));
  return { sealed, needed: neededFor(options, account) };
}

function present(options: LocalOptions, transaction: Transaction): Promise<Account> {
  return accountOf(transaction, { ...options, user: options.origin.user });
}

/** No database: a service that was never set up, or a user who never enrolled. There is no chain to link the record to. */
async function withoutState(options: LocalOptions, ref: string): Promise<Outcome> {
  const { place, origin, now } = options;
  if (place.kind === 'service')
    throw new NotpError('store_unavailable', `${storeName(place)}: there is no such file`, 'run notp host-key init');
  makeLogFolder(place);
  const verdict = strangersVerdict(options, refused('not_enrolled'));
  const required = verdict.result === 'accepted';
  return { verdict, ref: await appendUnlinked(auditLog(place, now), recordOf({ origin, verdict }, ref), { required }) };
}

/** A host-sealed secret is registered with the service; one's own state can neither open nor judge it. */
function refuseOutOfReach({ place, files }: LocalOptions): void {
  if (place.kind === 'service' || sealOf(files) !== 'host' || files.every(({ found }) => found.kind !== 'sealed')) return;
  throw new NotpError(
    'store_unavailable',
    'the secret is sealed by the host: only root or the service can judge it, and neither is reached from here',
  );
}

function memoised<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

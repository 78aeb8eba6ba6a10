/**
 * Decides one login in this process: finds the account and its registered files, opens them with the proof, decides, saves the new
 * state and records it. Only then the answer is given. Any failure on the way is a refusal.
 */
import { appendUnlinked, newRef } from '../audit/audit.ts';
import { NotpError } from '../error.ts';
import { throughOutages, type Basis } from '../outage/outage.ts';
import { usedBy } from '../outage/merge.ts';
import type { SealedFile } from '../seal/file.ts';
import { openState, auditLog, makeLogFolder, noState, type State } from '../state/state.ts';
import { timeOf, uptimeMs } from '../store/clock.ts';
import type { Transaction } from '../store/store.ts';
import { asUser } from '../system/privileges.ts';
import { sealOf } from '../system/secrets.ts';
import { priceOf, type Bucket } from '../verdict/budget.ts';
import { codesAskedFor, decide, isJudged, type Accepted, type Decision, type Presented } from '../verdict/decide.ts';
import type { Ruling } from '../verdict/rules.ts';
import type { Attempt, Outcome, SshSession, Verifier } from '../wire/verifier.ts';
import { accountOf, refused, type AccountState } from './account.ts';
import { openReading, unopened, wipe, openable } from './opening.ts';
import { enrolByNotice, reasonOf, record, recordOf, refuseUnlinked, settledBy, triesAfter, triesNotice, type Settled } from './record.ts';
import type { Login, Terms } from './terms.ts';
import type { Reason } from '../verdict/reasons.ts';
import { rulingFor } from './ruling.ts';
import { keptFiles } from './sealed-files.ts';
import { storedRules } from './stored-rules.ts';
import { granted, remember, remembered, unasked } from './without-code.ts';

/**
 * Gives a verifier even where something is broken: then each of its outcomes is the refusal for it. Where others are asked (see Terms), its
 * methods throw the fault instead, unless the decision may be saved: asked again, one try would count twice.
 */
export function localVerifier(login: Login, terms: Terms): Verifier {
  const { place, now } = terms;
  const opened = memoised((untilMs: number) => openState(place, now, { create: false, untilMs }));
  const answer = async <T extends Outcome | undefined>(work: (hearing: Hearing) => Promise<T>): Promise<T | Outcome> => {
    const ref = newRef();
    const commit = { isBegun: false };
    return await asUser(place.owner, async () => {
      try {
        refuseOutOfReach(login, terms);
        const untilMs = Math.min(uptimeMs() + DECISION_MS, login.untilMs ?? Infinity);
        const state = opened(untilMs);
        if (state === undefined) return await withoutState(login, terms, ref);
        if (state.hostKey === undefined && terms.areOthersAsked === true)
          throw new NotpError('store_unavailable', 'the service has no host key');
        return await onBasis(
          login,
          terms,
          withDeadline(state, untilMs, commit),
          async (basis) => await work(await hearingOf(login, terms, basis, ref)),
        );
      } catch (error) {
        if (terms.areOthersAsked === true && !commit.isBegun && OF_HOST.includes(reasonOf(error))) throw error;
        return await refuseUnlinked({ place, now }, login.origin, ref, error);
      }
    });
  };
  return {
    seal: sealOf(login.files),
    beforeAsking: (session, only) => answer((hearing) => beforeAsking(hearing, session, only)),
    verify: (attempt) => answer((hearing) => verify(hearing, attempt)),
    close: () => {
      try {
        opened(0)?.store.close();
      } catch {
        // The store was never open.
      }
    },
  };
}

/** The time limit of one decision, with all its calls to the store. */
const DECISION_MS = 20_000;

/** The reasons of a host that another one may not have. */
const OF_HOST: readonly Reason[] = ['store_unavailable', 'audit_unavailable', 'bad_configuration'];

/** The state, with a store that waits no longer than `untilMs` of uptimeMs(), and notes in `commit` whether its work may be saved. */
function withDeadline(state: State, untilMs: number, commit: { isBegun: boolean }): State {
  const { store } = state;
  const bounded: State['store'] = {
    exclusively: async (work) => {
      const result = await store.exclusively(async (transaction) => {
        commit.isBegun = false;
        const done = await work(transaction);
        commit.isBegun = true;
        return done;
      }, untilMs);
      commit.isBegun = false;
      return result;
    },
    sealedFiles: (user) => store.sealedFiles(user, untilMs),
    close: () => {
      store.close();
    },
  };
  return { ...state, store: bounded };
}

/** A login with everything that judging it takes. */
interface Hearing {
  readonly login: Login;
  readonly terms: Terms;
  readonly basis: Basis;
  readonly ruling: Ruling;
  /** The reference of its audit record. */
  readonly ref: string;
}

/** Runs `work` on the state, or in an outage on the copy where one is configured and may decide. */
async function onBasis<T>({ origin: { user } }: Login, terms: Terms, state: State, work: (basis: Basis) => Promise<T>): Promise<T> {
  const { place, policy, now } = terms;
  const hasCopy = place.store.kind === 'postgres' && place.store.outage === 'local';
  const { mayFallBack } = terms;
  return await (hasCopy ? throughOutages({ place, user, policy, now, mayFallBack }, state, work) : work({ state, inOutage: false }));
}

async function hearingOf(login: Login, terms: Terms, basis: Basis, ref: string): Promise<Hearing> {
  const asked = await withKept(login, terms, basis.state);
  const ruling = rulingFor(login, await inForce(terms, basis), basis.inOutage);
  if (!basis.inOutage) return { login: asked, terms, basis, ruling, ref };
  return { login: asked, terms: { ...terms, policy: { ...terms.policy, alwaysStepUp: true }, unenrolled: 'deny' }, basis, ruling, ref };
}

/**
 * The rules that decide: those of the store, where it has them. A user's own state is the user's to write, so its rules would prove nothing.
 * The copy for outages has none.
 */
async function inForce(terms: Terms, { state, inOutage }: Basis): Promise<Terms> {
  if (terms.rulesInStore !== true || terms.place.kind !== 'service' || inOutage) return terms;
  return { ...terms, rules: (await state.store.exclusively(storedRules)).rules };
}

/** The login with the sealed files of the store, where it keeps them. A file that no key of this host opens is locked. */
export async function withKept(login: Login, { inStore }: Pick<Terms, 'inStore'>, { store, hostKey }: State): Promise<Login> {
  const contexts = login.files.map(({ context }) => context);
  const files = inStore ? await keptFiles(store, login.origin.user, contexts) : login.files;
  return { ...login, files: openable(files, hostKey) };
}

async function beforeAsking(
  { login, terms, basis, ruling, ref }: Hearing,
  session: SshSession | undefined,
  only: 'acceptance' | undefined,
): Promise<Outcome | undefined> {
  const { origin } = login;
  const { store, log } = basis.state;
  return await store.exclusively(async (transaction): Promise<Outcome | undefined> => {
    const [{ devices, refusal }, grant] = await accountAndGrant({ login, terms, basis }, transaction, session);
    const byRule = await unasked(terms, ruling, origin, transaction, devices.length === 0 ? refusal : undefined, grant);
    const known =
      byRule !== undefined || basis.inOutage ? undefined : await remembered(origin, ruling, terms, transaction, devices, session);
    const verdict = byRule ?? known?.verdict;
    if (verdict === undefined || (only === 'acceptance' && verdict.result === 'refused')) return undefined;
    return await record(log, transaction, { ...settledBy(origin, verdict, known?.device), ...enrolByNotice(verdict, ruling) }, ref);
  });
}

/** The account, and the acceptance by a grant. Both are asked for at once. In an outage no grant counts: whoever causes one must not gain by it. */
async function accountAndGrant(
  { login, terms, basis }: Pick<Hearing, 'login' | 'terms' | 'basis'>,
  transaction: Transaction,
  session: SshSession | undefined,
): Promise<readonly [AccountState, Accepted | undefined]> {
  const account = accountOf(transaction, login, terms);
  return await Promise.all([account, basis.inOutage ? undefined : granted(login, terms, transaction, session)]);
}

/** `askedMs`: when the question arrived. A code that waits for its turn does not age. */
async function verify(hearing: Hearing, attempt: Attempt, askedMs = hearing.login.askedMs ?? hearing.terms.now()): Promise<Outcome> {
  const { basis, ref } = hearing;
  const { store, log, hostKey } = basis.state;
  // Key derivation is slow, so it runs outside the transaction, and only for registered files that the budget pays for.
  const { sealed, needed } = attempt.readings.length === 0 ? NOTHING_TYPED : await registeredFiles(hearing);
  const presented = present(attempt, sealed, needed, hostKey);
  try {
    const outcome = await store.exclusively(async (transaction) => {
      const settled = await judgeAndSave(hearing, transaction, presented, attempt, { askedMs, needed });
      return settled === undefined ? undefined : await record(log, transaction, settled, ref);
    });
    // The budget was refilled meanwhile, and now pays for codes that were left unopened.
    return outcome ?? (await verify(hearing, attempt, askedMs));
  } finally {
    if (presented !== undefined) wipe(presented);
  }
}

interface Registered {
  /** The sealed files that are registered with their whole content, undefined in the place of any other. */
  readonly sealed: readonly (SealedFile | undefined)[];
  /** How many consecutive codes a proof must have. */
  readonly needed: 1 | 2 | 3;
}

const NOTHING_TYPED: Registered = { sealed: [], needed: 1 };

async function registeredFiles({ login, terms, basis }: Hearing): Promise<Registered> {
  const account = await basis.state.store.exclusively((transaction) => accountOf(transaction, login, terms));
  const registered = account.devices.map(({ file }) => file);
  const sealed = login.files.map(({ found }, i) => (found.kind === 'sealed' && registered.includes(i) ? found.file : undefined));
  return { sealed, needed: neededFor(terms, account) };
}

/** What the proof opens of `sealed`: nothing where it has fewer codes than `needed`. Undefined where there is no file to open. */
function present({ readings }: Attempt, sealed: Registered['sealed'], needed: 1 | 2 | 3, hostKey: State['hostKey']): Presented | undefined {
  if (sealed.every((file) => file === undefined)) return undefined;
  const judged = readings.filter(({ proof }) => isJudged(proof, needed));
  return judged.length === 0 ? unopened(sealed, readings) : openReading(sealed, judged, hostKey);
}

/**
 * Judges `attempt` as of `askedMs`, inside the transaction of the decision, and saves the enrolments.
 * `askedMs` is Unix time in milliseconds by the host's clock. Where the store's clock counts, the waiting time is subtracted from
 * that.
 * `presented` is undefined where nothing was typed. A proof with fewer codes than `needed` was left unopened: gives undefined where
 * fewer codes are needed by now.
 */
async function judgeAndSave(
  { login, terms, basis, ruling }: Hearing,
  transaction: Transaction,
  presented: Presented | undefined,
  attempt: Attempt,
  { askedMs, needed }: { readonly askedMs: number; readonly needed: 1 | 2 | 3 },
): Promise<Settled | undefined> {
  const { origin } = login;
  const hostMs = terms.now();
  const nowMs = await timeOf(transaction, () => hostMs);
  const waitedMs = Math.min(Math.max(0, hostMs - askedMs), MAX_WAIT_MS);
  const [account, grant] = await accountAndGrant({ login, terms, basis }, transaction, attempt.session);
  const { devices, others, refusal } = account;
  const byRule = await unasked(terms, ruling, origin, transaction, devices.length === 0 ? refusal : undefined, grant);
  if (byRule !== undefined) return { ...settledBy(origin, byRule), ...enrolByNotice(byRule, ruling) };
  if (presented === undefined) return settledBy(origin, refused(attempt.timedOut === true ? 'timeout' : 'no_proof'));
  if (neededFor(terms, account) < needed) return undefined;
  const { decision: judged, left } = decisionOn(terms, account, presented, nowMs - waitedMs);
  const decision = withSkew(judged, hostMs - nowMs);
  const known = [...devices.map(({ enrolment }) => enrolment), ...others];
  const tries = triesAfter(decision.verdict, known, origin, nowMs);
  const after = devices.map(({ enrolment }, i) => ({
    ...enrolment,
    state: { ...(decision.next[i] ?? enrolment.state), bucket: left },
    tries,
  }));
  // The account's present uid. It finds the enrolment after the account is renamed. A member of a fleet may say any.
  const accepted = { lastAcceptedMs: nowMs, ...(origin.uid === undefined || origin.host !== undefined ? {} : { uid: origin.uid }) };
  for (const [i, each] of after.entries()) await transaction.save(i === decision.device ? { ...each, ...accepted } : each);
  for (const other of others) await transaction.save({ ...other, state: { ...other.state, bucket: left }, tries });
  const [device, used] = decision.device === undefined ? [] : [devices[decision.device], after[decision.device]];
  if (device === undefined || used === undefined) return settledBy(origin, decision.verdict, devices.length === 1 ? devices[0] : undefined);
  const settled = { ...settledBy(origin, decision.verdict, device), ...triesNotice(known, origin) };
  if (basis.inOutage) return { ...settled, used: usedBy(device.enrolment.state, used.state) };
  // The code is used on every device, as another one may have the same secret: one of them may have reported it from an outage.
  for (const [i, { enrolment }] of devices.entries()) {
    const each = after[i] ?? enrolment;
    if ((await basis.used?.(enrolment, i === decision.device ? { ...each, ...accepted } : each)) === true)
      return settledBy(origin, refused('replayed', 'this host took it in an outage, by its copy'), device);
  }
  if (attempt.session !== undefined) await remember(origin, ruling, transaction, device.enrolment, attempt.session, nowMs);
  return settled;
}

/** No code is judged as of a time longer ago than this. The service refuses questions that wait longer (doors/turns.ts). */
export const MAX_WAIT_MS = 20_000;

/** How many consecutive codes the account must show. A proof with fewer is not judged. */
function neededFor({ policy }: Terms, { devices, bucket }: AccountState): 1 | 2 | 3 {
  return codesAskedFor(bucket, priceOf(devices.length, policy), policy);
}

/** The decision, and the guess budget of the account after it. */
function decisionOn(
  { policy }: Terms,
  { devices, bucket, usedUntilMs }: AccountState,
  presented: Presented,
  nowMs: number,
): { readonly decision: Decision; readonly left: Bucket } {
  const states = devices.map(({ enrolment }) => ({ ...enrolment.state, bucket }));
  const opened = devices.map(({ file }) => presented.opened[file]);
  const decision = decide(states, { ...presented, opened, usedUntilMs }, nowMs, policy);
  // The bucket keeps the time of this transaction: parallel tries must not each be refilled for the time that they have waited.
  return { decision, left: { tokens: decision.next[0]?.bucket.tokens ?? bucket.tokens, asOfMs: bucket.asOfMs } };
}

/** A smaller difference of the clocks changes no answer, and waiting for the store alone can cause one. */
const SKEW_MS = 30_000;

/** Notes in the detail that the host's clock differs from the store's, by which the code was judged. */
function withSkew(decision: Decision, skewMs: number): Decision {
  const { verdict } = decision;
  if (Math.abs(skewMs) <= SKEW_MS) return decision;
  const seconds = String(Math.round(Math.abs(skewMs) / 1000));
  const clock = `the clock of this host is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of the store, which counts`;
  const detail = verdict.result === 'refused' && verdict.detail !== undefined ? `${verdict.detail}; ${clock}` : clock;
  return { ...decision, verdict: { ...verdict, detail } };
}

/**
 * Refuses or lets in without a database: the service was never set up, or the user never enrolled. There is no chain to link the
 * record to.
 */
async function withoutState(login: Login, terms: Terms, ref: string): Promise<Outcome> {
  const { origin } = login;
  const { place, now } = terms;
  if (place.kind === 'service') throw noState(place, 'run notp host-key init');
  makeLogFolder(place);
  const stranger = refused('not_enrolled');
  const ruling = rulingFor(login, terms);
  const verdict = (await unasked(terms, ruling, origin, undefined, stranger)) ?? stranger;
  const required = verdict.result === 'accepted';
  const recorded = await appendUnlinked(auditLog(place, now), recordOf({ origin, verdict }, ref), { required });
  return { verdict, ref: recorded, ...enrolByNotice(verdict, ruling) };
}

/** Refuses a host-sealed secret: it is registered with the service, and a user's own state can neither open nor judge it. */
function refuseOutOfReach({ files }: Login, { place }: Terms): void {
  if (place.kind === 'service' || sealOf(files) !== 'host' || files.every(({ found }) => found.kind !== 'sealed')) return;
  throw new NotpError(
    'store_unavailable',
    'the secret is sealed by the host: only root or the service can judge it, and neither is reached from here',
  );
}

function memoised<A, T>(make: (argument: A) => T): (argument: A) => T {
  let made: { readonly value: T } | undefined;
  return (argument) => (made ??= { value: make(argument) }).value;
}

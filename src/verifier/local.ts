/**
 * The verifier in this process: reads key and state itself, judges, records, commits, and only then answers.
 * Whatever fails on the way is a refusal.
 */
import { existsSync, mkdirSync } from 'node:fs';
import * as path from 'node:path';
import { append, appendRefusal, appendUnlinked, newRef, type AuditLog } from '../audit/audit.ts';
import type { AuditRecord, Origin } from '../audit/record.ts';
import { messageOf, NotpError } from '../error.ts';
import type { Store, Transaction } from '../store/store.ts';
import { asUser } from '../system/privileges.ts';
import { sealOf, type DeviceFile } from '../system/secrets.ts';
import { decide, type Policy, type Presented, type Refused, type Verdict } from '../verdict/decide.ts';
import type { Reason } from '../verdict/reasons.ts';
import { accountOf, withBudget, type Device } from './account.ts';
import { openReading, wipe } from './opening.ts';
import { throughOutages } from './outage.ts';
import { budgetAfter, usedBy, type Used } from './outage-merge.ts';
import { remember, remembered } from './remembering.ts';
import { keptFiles } from './sealed-files.ts';
import { refused } from './standing.ts';
import { auditLog, openState, type State, type StatePlace, storeName } from './state.ts';
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
  /** Whether policy lets users without an enrolment in. */
  readonly allowUnenrolled: boolean;
  /** How long an accepted code also counts for the same source address and key, in milliseconds. */
  readonly trustMs: number;
  /** Whether a copy of this host may decide where the store cannot be reached. */
  readonly mayFallBack?: boolean;
  /** Whether it does: then a single code is never judged, and nothing is remembered. */
  readonly inOutage?: boolean;
  readonly now: () => number;
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
        return await throughOutages(options, opened(), async (asked, state) => await work(await withKept(asked, state?.store), state, ref));
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

/** The same with the sealed files that `store` keeps, where it does. */
export async function withKept(options: LocalOptions, store: Store | undefined): Promise<LocalOptions> {
  if (!options.inStore || store === undefined) return options;
  const contexts = options.files.map(({ context }) => context);
  return { ...options, files: await keptFiles(store, options.origin.user, contexts) };
}

async function beforeAsking(
  options: LocalOptions,
  state: State | undefined,
  ref: string,
  session: SshSession | undefined,
): Promise<Outcome | undefined> {
  if (state === undefined) return { ref, verdict: await withoutState(options, ref) };
  return await state.store.exclusively(async (transaction): Promise<Outcome | undefined> => {
    const { devices, refusal } = await accountOf(transaction, { ...options, user: options.origin.user });
    const known = devices.length === 0 || options.inOutage === true ? undefined : await remembered(options, transaction, devices, session);
    const verdict = devices.length === 0 ? unlessAllowed(options, refusal) : known?.verdict;
    return verdict === undefined ? undefined : await recorded(state.log, transaction, settledBy(options, verdict, known?.device), ref);
  });
}

/** The outcome, once it is recorded. */
async function recorded(log: AuditLog, transaction: Transaction, settled: Settled, ref: string): Promise<Outcome> {
  const { verdict, origin } = settled;
  const record = recordOf(settled, ref);
  if (verdict.result === 'refused') return { verdict, ref: await appendRefusal(log, transaction, record) };
  await append(log, transaction, record);
  if (verdict.method === 'recovery') await append(log, transaction, { ...origin, event: 'recovery.used', result: 'done', ref });
  return { verdict, ref };
}

/** A verdict, and the origin with the device that it is about. */
interface Settled {
  readonly verdict: Verdict;
  readonly origin: Origin;
  /** What was taken in an outage. */
  readonly used?: Used;
}

function settledBy({ origin }: LocalOptions, verdict: Verdict, device?: Device): Settled {
  return { verdict, origin: device === undefined ? origin : { ...origin, context: device.enrolment.context } };
}

async function verify(options: LocalOptions, state: State | undefined, ref: string, attempt: Attempt): Promise<Outcome> {
  if (state === undefined) return { ref, verdict: await withoutState(options, ref) };
  const nowMs = options.now();
  // The key derivation takes its time outside the transaction, and before anything of the state is looked at.
  const sealed = options.files.map(({ found }) => (found.kind === 'sealed' ? found.file : undefined));
  const presented = attempt.readings.length === 0 ? undefined : openReading(sealed, attempt.readings, state.hostKey);
  try {
    return await state.store.exclusively(async (transaction) => {
      const judged = await judge(options, transaction, presented, attempt, nowMs);
      return await recorded(state.log, transaction, judged, ref);
    });
  } finally {
    if (presented !== undefined) wipe(presented);
  }
}

async function judge(
  options: LocalOptions,
  transaction: Transaction,
  presented: Presented | undefined,
  attempt: Attempt,
  nowMs: number,
): Promise<Settled> {
  const { devices, others, bucket: own, refusal } = await accountOf(transaction, { ...options, user: options.origin.user });
  if (devices.length === 0) return settledBy(options, unlessAllowed(options, refusal));
  if (presented === undefined) return settledBy(options, refused(attempt.timedOut === true ? 'timeout' : 'no_proof'));
  const opened = devices.map(({ file }) => presented.opened[file]);
  const bucket = options.inOutage === true ? { ...own, tokens: 0 } : own;
  const states = devices.map(({ enrolment }) => ({ ...enrolment.state, bucket }));
  const decision = decide(states, { ...presented, opened }, nowMs, options.policy);
  // As of this turn at the store: whoever tries many at once would else be given the same waiting time for each of them.
  const left =
    options.inOutage === true
      ? budgetAfter(own, decision, devices.length, options.policy)
      : { tokens: decision.next[0]?.bucket.tokens ?? bucket.tokens, asOfMs: bucket.asOfMs };
  for (const [i, { enrolment }] of devices.entries()) {
    const accepted = i === decision.device ? { lastAcceptedMs: nowMs } : {};
    await transaction.save(withBudget({ ...enrolment, state: decision.next[i] ?? enrolment.state, ...accepted }, left));
  }
  for (const other of others) await transaction.save(withBudget(other, left));
  const device = decision.device === undefined ? undefined : devices[decision.device];
  if (device !== undefined && options.inOutage !== true) await remember(options, transaction, device.enrolment, attempt.session, nowMs);
  const settled = settledBy(options, decision.verdict, device ?? (devices.length === 1 ? devices[0] : undefined));
  const after = decision.device === undefined ? undefined : decision.next[decision.device];
  return options.inOutage === true && device !== undefined && after !== undefined
    ? { ...settled, used: usedBy(device.enrolment.state, after) }
    : settled;
}

function unlessAllowed(options: LocalOptions, verdict: Refused): Verdict {
  const allowed = verdict.reason === 'not_enrolled' && options.allowUnenrolled;
  return allowed ? { result: 'accepted', method: 'unenrolled' } : verdict;
}

/** No database: a service that was never set up, or a user who never enrolled. There is no chain to link the record to. */
async function withoutState(options: LocalOptions, ref: string): Promise<Verdict> {
  const { place, origin, now } = options;
  if (place.kind === 'service')
    throw new NotpError('store_unavailable', `${storeName(place)}: there is no such file`, 'run notp host-key init');
  // The record needs a place, and whoever was never enrolled has none yet.
  if (!existsSync(path.dirname(place.auditFile))) mkdirSync(path.dirname(place.auditFile), { mode: 0o700 });
  const verdict = unlessAllowed(options, refused('not_enrolled'));
  await appendUnlinked(auditLog(place, now), recordOf({ origin, verdict }, ref), { required: verdict.result === 'accepted' });
  return verdict;
}

/** A host-sealed secret is registered with the service; one's own state can neither open nor judge it. */
function refuseOutOfReach({ place, files }: LocalOptions): void {
  if (place.kind === 'service' || sealOf(files) !== 'host' || files.every(({ found }) => found.kind !== 'sealed')) return;
  throw new NotpError(
    'store_unavailable',
    'the secret is sealed by the host: only root or the service can judge it, and neither is reached from here',
  );
}

async function refuseUnlinked({ place, origin, now }: LocalOptions, ref: string, error: unknown): Promise<Outcome> {
  const verdict = refused(reasonOf(error), messageOf(error));
  await appendUnlinked(auditLog(place, now), recordOf({ origin, verdict }, ref), { required: false });
  return { verdict, ref };
}

function recordOf({ origin, verdict, used = {} }: Settled, ref: string): AuditRecord {
  if (verdict.result === 'refused') {
    const detail = verdict.detail === undefined ? {} : { detail: verdict.detail };
    return { ...origin, event: 'login.refused', result: 'refused', reason: verdict.reason, ...detail, ref };
  }
  const offset = verdict.stepOffset === undefined ? {} : { step_offset: verdict.stepOffset };
  return { ...origin, event: 'login.accepted', result: 'accepted', method: verdict.method, ...offset, ...used, ref };
}

/** The reason that a thrown error is refused with. */
export function reasonOf(error: unknown): Reason {
  const code = error instanceof NotpError ? error.code : 'failed';
  switch (code) {
    case 'bad_secret_file':
    case 'bad_configuration':
    case 'audit_unavailable':
    case 'not_permitted':
      return code;
    case 'store_unavailable':
    case 'usage':
    case 'refused':
    case 'failed':
      return 'store_unavailable';
  }
}

function memoised<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

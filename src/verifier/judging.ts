/** The judgement of a proof inside the transaction of the decision, which leaves the enrolments as they are afterwards. */
import type { Origin } from '../audit/record.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import { codesNeeded, priceOf, type Bucket } from '../verdict/budget.ts';
import { decide, type Decision, type Presented, type Refused, type Verdict } from '../verdict/decide.ts';
import { accountOf, timeOf, withBudget, type Account } from './account.ts';
import type { LocalOptions } from './local.ts';
import { budgetAfter, usedBy } from './outage-merge.ts';
import { settledBy, type Settled } from './outcome.ts';
import { remember } from './remembering.ts';
import { refused } from './standing.ts';
import type { Attempt } from './verifier.ts';

/**
 * Judges `attempt` as of `askedMs`, when it came: what waits for its turn does not age. That is Unix time in milliseconds by the host's clock;
 * where the store's counts it is as long ago by that one. `presented` is undefined where nothing was typed. What has fewer codes than `needed` was left unopened: gives undefined where fewer are asked for by now.
 */
export async function judge(
  options: LocalOptions,
  transaction: Transaction,
  presented: Presented | undefined,
  attempt: Attempt,
  { askedMs, needed }: { readonly askedMs: number; readonly needed: 1 | 2 | 3 },
): Promise<Settled | undefined> {
  const hostMs = options.now();
  const nowMs = await timeOf(transaction, () => hostMs);
  const waitedMs = Math.min(Math.max(0, hostMs - askedMs), MAX_WAIT_MS);
  const account = await accountOf(transaction, { ...options, user: options.origin.user });
  const { devices, others, refusal } = account;
  if (devices.length === 0) return settledBy(options, await unlessAllowed(options, transaction, refusal));
  if (presented === undefined) return settledBy(options, refused(attempt.timedOut === true ? 'timeout' : 'no_proof'));
  if (neededFor(options, account) < needed) return undefined;
  const { decision: judged, left } = decided(options, account, presented, nowMs - waitedMs);
  const decision = withSkew(judged, hostMs - nowMs);
  const after = devices.map(({ enrolment }, i) => withBudget({ ...enrolment, state: decision.next[i] ?? enrolment.state }, left));
  for (const [i, each] of after.entries()) await transaction.save(i === decision.device ? { ...each, lastAcceptedMs: nowMs } : each);
  for (const other of others) await transaction.save(withBudget(other, left));
  const [device, used] = decision.device === undefined ? [] : [devices[decision.device], after[decision.device]];
  if (device === undefined || used === undefined)
    return settledBy(options, decision.verdict, devices.length === 1 ? devices[0] : undefined);
  const settled = settledBy(options, decision.verdict, device);
  if (options.inOutage === true) return { ...settled, used: usedBy(device.enrolment.state, used.state) };
  await remember(options, transaction, device.enrolment, attempt.session, nowMs);
  await options.used?.({ ...used, lastAcceptedMs: nowMs });
  return settled;
}

/** No question waits for longer: whoever would is turned away, and no code is judged as of a time further back. */
export const MAX_WAIT_MS = 20_000;

/** A clock of the host that is off by less changes no answer, and a decision may wait for the store for less. */
const SKEW_MS = 30_000;

/** For the record: that the clock of this host is not that of the store, which has judged. */
function withSkew(decision: Decision, skewMs: number): Decision {
  const { verdict } = decision;
  if (Math.abs(skewMs) <= SKEW_MS) return decision;
  const seconds = String(Math.round(Math.abs(skewMs) / 1000));
  const clock = `the clock of this host is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of the store, which counts`;
  const detail = verdict.result === 'refused' && verdict.detail !== undefined ? `${verdict.detail}; ${clock}` : clock;
  return { ...decision, verdict: { ...verdict, detail } };
}

/** How many consecutive codes the account is asked for: a proof of fewer is not judged. */
export function neededFor({ inOutage, policy }: LocalOptions, { devices, bucket }: Account): 1 | 2 | 3 {
  return codesNeeded(inOutage === true ? emptied(bucket) : bucket, priceOf(devices.length, policy));
}

/** In an outage: with an empty budget no single code is judged. */
function emptied(bucket: Bucket): Bucket {
  return { ...bucket, tokens: Math.min(bucket.tokens, 0) };
}

/** The decision, and the guess budget of the account after it. */
function decided(
  { inOutage, policy }: LocalOptions,
  { devices, bucket }: Account,
  presented: Presented,
  nowMs: number,
): { readonly decision: Decision; readonly left: Bucket } {
  const opened = devices.map(({ file }) => presented.opened[file]);
  const decideWith = (budget: Bucket): Decision =>
    decide(
      devices.map(({ enrolment }) => ({ ...enrolment.state, bucket: budget })),
      { ...presented, opened },
      nowMs,
      policy,
    );
  if (inOutage === true) {
    const decision = decideWith(emptied(bucket));
    return { decision, left: budgetAfter(bucket, decision, devices.length, policy) };
  }
  const decision = decideWith(bucket);
  // As of this turn at the store: whoever tries many at once would else be given the same waiting time for each of them.
  return { decision, left: { tokens: decision.next[0]?.bucket.tokens ?? bucket.tokens, asOfMs: bucket.asOfMs } };
}

/** Policy may let users in who were never enrolled, or have them enrol: what may be `verdict` then. */
export async function unlessAllowed(options: LocalOptions, transaction: Transaction, verdict: Refused): Promise<Verdict> {
  const { allowUnenrolled, mayEnroll, origin } = options;
  if (verdict.reason !== 'not_enrolled' || !(allowUnenrolled || mayEnroll === true)) return verdict;
  return (await formerEnrolment(transaction, origin)) ?? strangersVerdict(options, verdict);
}

/** The same of whom no store knows. */
export function strangersVerdict({ allowUnenrolled }: Pick<LocalOptions, 'allowUnenrolled'>, verdict: Refused): Verdict {
  return allowUnenrolled && verdict.reason === 'not_enrolled' ? { result: 'accepted', method: 'unenrolled' } : verdict;
}

/**
 * Why the account of `origin`, which has no enrolment to be judged by, is none that was never enrolled: an account is a uid, so whatever
 * its name is now, and whatever contexts the configuration lists now. Undefined where it never was.
 */
async function formerEnrolment(transaction: Transaction, { user, uid, context }: Origin): Promise<Refused | undefined> {
  const ofUid = uid === undefined ? [] : await transaction.enrolmentsOfUid(uid);
  const found = [...(await transaction.enrolmentsOf(user)), ...ofUid].find(wasEnrolled);
  if (found === undefined) return undefined;
  const name = found.user === user ? user : `${found.user}, which has the uid of ${user},`;
  const detail = `${name} was enrolled for ${found.context}: notp-enroll ${user} ${context} makes an enrolment that counts here`;
  return refused(found.status === 'revoked' ? 'revoked' : 'stale_enrolment', detail);
}

/** An invitation alone is no enrolment, nor is one that was never completed. */
function wasEnrolled({ id, status, doubt }: Enrolment): boolean {
  return id !== '' || status === 'revoked' || doubt !== undefined;
}

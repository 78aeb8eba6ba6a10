/** What becomes of a verdict: its record, the outcome once that is written, and what the owner of the account is told. */
import { isIP } from 'node:net';
import { append, appendLogin, appendUnlinked, type AuditLog } from '../audit/audit.ts';
import type { AuditRecord, Origin } from '../audit/record.ts';
import { messageOf, NotpError } from '../error.ts';
import type { Enrolment, RefusedTries, Transaction } from '../store/store.ts';
import type { Verdict } from '../verdict/decide.ts';
import type { Reason } from '../verdict/reasons.ts';
import type { Ruling } from '../verdict/rules.ts';
import { refused, type Device } from './account.ts';
import type { Terms } from './terms.ts';
import type { Used } from '../outage/merge.ts';
import { auditLog } from '../state/state.ts';
import type { Notice, Outcome } from '../wire/verifier.ts';

/** Records `settled` in the audit log, and gives its outcome. */
export async function record(log: AuditLog, transaction: Transaction, settled: Settled, ref: string): Promise<Outcome> {
  const { verdict, origin, notice } = settled;
  const shown = await appendLogin(log, transaction, recordOf(settled, ref));
  if (verdict.result === 'accepted' && verdict.method === 'recovery')
    await append(log, transaction, { ...origin, event: 'recovery.used', result: 'done', ref });
  return { verdict, ref: shown, ...(notice === undefined ? {} : { notice }) };
}

/** A verdict, and the origin with the context of the judged device. */
export interface Settled {
  readonly verdict: Verdict;
  readonly origin: Origin;
  /** The code that was accepted in an outage. */
  readonly used?: Used;
  /** What the owner of the account is told. */
  readonly notice?: Notice;
}

export function settledBy(origin: Origin, verdict: Verdict, device?: Device): Settled {
  return { verdict, origin: device === undefined ? origin : { ...origin, context: device.enrolment.context } };
}

/** Turns an error into a refusal, and records it outside the chain as well as possible. */
export async function refuseUnlinked(
  { place, now }: Pick<Terms, 'place' | 'now'>,
  origin: Origin,
  ref: string,
  error: unknown,
): Promise<Outcome> {
  const verdict = refused(reasonOf(error), messageOf(error));
  return { verdict, ref: await appendUnlinked(auditLog(place, now), recordOf({ origin, verdict }, ref), { required: false }) };
}

export function recordOf({ origin, verdict, used = {} }: Settled, ref: string): AuditRecord {
  const detail = verdict.detail === undefined ? {} : { detail: verdict.detail };
  if (verdict.result === 'refused') {
    return { ...origin, event: 'login.refused', result: 'refused', reason: verdict.reason, ...detail, ref };
  }
  const offset = verdict.stepOffset === undefined ? {} : { step_offset: verdict.stepOffset };
  return { ...origin, event: 'login.accepted', result: 'accepted', method: verdict.method, ...offset, ...used, ...detail, ref };
}

/** The reason to refuse with after a thrown error. */
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

interface WithNotice {
  readonly notice?: Notice;
}

/** An address as sshd prints it, without a zone. A host name is left out, since a stranger may have chosen it. */
function addressIn(rhost: string): string {
  const bare = rhost.split('%', 1)[0] ?? '';
  return isIP(bare) === 0 ? '' : bare;
}

/** The refused tries of the account after a decision: one more, or none. A program that has a code checked is no login. */
export function triesAfter(
  { result }: Verdict,
  enrolments: readonly Enrolment[],
  { door, rhost = '' }: Pick<Origin, 'door' | 'rhost'>,
  nowMs: number,
): RefusedTries | undefined {
  const before = triesOf(enrolments);
  if (door === 'cli') return before;
  if (result === 'accepted') return undefined;
  return { count: (before?.count ?? 0) + 1, sinceMs: before?.sinceMs ?? nowMs, from: addressIn(rhost) };
}

/** The refused tries that a login with an accepted code tells. */
export function triesNotice(enrolments: readonly Enrolment[], { door }: Pick<Origin, 'door'>): WithNotice {
  const tries = triesOf(enrolments);
  return tries === undefined || door === 'cli' ? {} : { notice: { kind: 'refused_tries', ...tries } };
}

/** All devices of an account have the same tries, but for those that were enrolled later. */
function triesOf(enrolments: readonly Enrolment[]): RefusedTries | undefined {
  const tries = enrolments.flatMap((each) => each.tries ?? []);
  return tries.reduce<RefusedTries | undefined>((most, each) => (most === undefined || each.count > most.count ? each : most), undefined);
}

/** Until when the user may log in without an enrolment, where `verdict` is such a login. */
export function enrolByNotice(verdict: Verdict, { enrolByMs }: Ruling): WithNotice {
  const isLetIn = verdict.result === 'accepted' && verdict.method === 'unenrolled';
  return isLetIn && enrolByMs !== undefined ? { notice: { kind: 'enrol_by', untilMs: enrolByMs } } : {};
}

/** Writes the audit record of a verdict, and gives the outcome once it is written. */
import { append, appendLogin, appendUnlinked, type AuditLog } from '../audit/audit.ts';
import type { AuditRecord, Origin } from '../audit/record.ts';
import { messageOf, NotpError } from '../error.ts';
import type { Transaction } from '../store/store.ts';
import type { Verdict } from '../verdict/decide.ts';
import type { Reason } from '../verdict/reasons.ts';
import { refused, type Device } from './account.ts';
import type { Rules } from './rules.ts';
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
  { place, now }: Pick<Rules, 'place' | 'now'>,
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

/** Records the refusals of an enrolment that the service gives by itself, without judging a proof. */
import { appendLogin, newRef } from '../../audit/audit.ts';
import type { Origin } from '../../audit/record.ts';
import { refused } from '../../login/account.ts';
import type { State } from '../../state/state.ts';
import type { Reason } from '../../verdict/reasons.ts';
import type { EnrolAnswer } from '../../wire/enrolment.ts';

/** Records the refusal as `event`, and gives the answer that reports it. Throws as Store.exclusively does. */
export async function refusal(
  { store, log }: State,
  origin: Origin,
  event: 'enroll.failed' | 'recovery.failed',
  reason: Reason,
  detail?: string,
): Promise<EnrolAnswer> {
  const why = detail === undefined ? { reason } : { reason, detail };
  const record = { ...origin, event, result: 'refused', ...why, ref: newRef() } as const;
  const ref = await store.exclusively((transaction) => appendLogin(log, transaction, record));
  return { kind: 'refused', outcome: { verdict: refused(reason, detail), ref } };
}

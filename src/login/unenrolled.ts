/** What the policy makes of users who were never enrolled. */
import { shellCommand } from '../otp/escape.ts';
import type { Origin } from '../audit/record.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import type { Refused, Verdict } from '../verdict/decide.ts';
import type { Rules } from './rules.ts';
import { refused } from './account.ts';

/** The verdict instead of the refusal `verdict`: the policy may let in a user who was never enrolled, or have them enrol. */
export async function unlessAllowed(
  { unenrolled }: Pick<Rules, 'unenrolled'>,
  origin: Origin,
  transaction: Transaction,
  verdict: Refused,
): Promise<Verdict> {
  if (verdict.reason !== 'not_enrolled' || unenrolled === 'deny') return verdict;
  return (await formerEnrolment(transaction, origin)) ?? strangersVerdict({ unenrolled }, verdict);
}

/** The same for a user that no store knows. */
export function strangersVerdict({ unenrolled }: Pick<Rules, 'unenrolled'>, verdict: Refused): Verdict {
  return unenrolled === 'allow' && verdict.reason === 'not_enrolled' ? { result: 'accepted', method: 'unenrolled' } : verdict;
}

/**
 * Why the account of `origin`, which has no enrolment to judge, still counts as once enrolled; undefined where it never was.
 * An account is a uid, so its present name and the contexts configured now do not matter.
 */
async function formerEnrolment(transaction: Transaction, { user, uid, context }: Origin): Promise<Refused | undefined> {
  const ofUid = uid === undefined ? [] : await transaction.enrolmentsOfUid(uid);
  const found = [...(await transaction.enrolmentsOf(user)), ...ofUid].find(wasEnrolled);
  if (found === undefined) return undefined;
  const name = found.user === user ? user : `${found.user}, which has the uid of ${user},`;
  const enrol = shellCommand`notp-enroll ${user} ${context}`;
  const detail = `${name} was enrolled for ${found.context}: ${enrol} makes an enrolment that counts here`;
  return refused(found.status === 'revoked' ? 'revoked' : 'stale_enrolment', detail);
}

/** An invitation alone does not count, nor does an enrolment that was never completed. */
function wasEnrolled({ id, status, doubt }: Enrolment): boolean {
  return id !== '' || status === 'revoked' || doubt !== undefined;
}

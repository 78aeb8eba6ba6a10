/** Who was never enrolled, and what policy lets become of them. */
import { shellCommand } from '../otp/escape.ts';
import type { Origin } from '../audit/record.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import type { Refused, Verdict } from '../verdict/decide.ts';
import type { Rules } from './rules.ts';
import { refused } from './standing.ts';

/** Policy may let users in who were never enrolled, or have them enrol: what the refusal `verdict` of `origin` is then. */
export async function unlessAllowed(
  { unenrolled }: Pick<Rules, 'unenrolled'>,
  origin: Origin,
  transaction: Transaction,
  verdict: Refused,
): Promise<Verdict> {
  if (verdict.reason !== 'not_enrolled' || unenrolled === 'deny') return verdict;
  return (await formerEnrolment(transaction, origin)) ?? strangersVerdict({ unenrolled }, verdict);
}

/** The same of whom no store knows. */
export function strangersVerdict({ unenrolled }: Pick<Rules, 'unenrolled'>, verdict: Refused): Verdict {
  return unenrolled === 'allow' && verdict.reason === 'not_enrolled' ? { result: 'accepted', method: 'unenrolled' } : verdict;
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
  const enrol = shellCommand`notp-enroll ${user} ${context}`;
  const detail = `${name} was enrolled for ${found.context}: ${enrol} makes an enrolment that counts here`;
  return refused(found.status === 'revoked' ? 'revoked' : 'stale_enrolment', detail);
}

/** An invitation alone is no enrolment, nor is one that was never completed. */
function wasEnrolled({ id, status, doubt }: Enrolment): boolean {
  return id !== '' || status === 'revoked' || doubt !== undefined;
}

/** What the rules decide without a question: who gets in, who is refused, and who counts as never enrolled. */
import { shellCommand } from '../otp/escape.ts';
import type { Origin } from '../audit/record.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import { timeOf } from '../store/clock.ts';
import type { Accepted, Refused, Verdict } from '../verdict/decide.ts';
import { nameOf, type Ruling } from '../verdict/rules.ts';
import type { Rules } from './rules.ts';
import { refused, standingOf } from './account.ts';

/**
 * The verdict where nobody is asked: the rules refuse, or ask for nothing, or the account has no device. Undefined: ask for a code.
 * `refusal` is that of an account without a device. `transaction` is undefined where there is no store yet. `grant` is the acceptance by a
 * grant.
 * Only a user who was never enrolled gets in by `enrol_by`. And nobody gets in by a rule who was revoked, not even where nothing is asked:
 * whoever revokes wants that user kept out. A grant lets them in, as it was made after that; see revoke() in enrolment/registrar.ts. Of a row that
 * was changed outside notp nobody knows whether it was revoked.
 */
export async function unasked(
  { unenrolled, now }: Pick<Rules, 'unenrolled' | 'now'>,
  ruling: Ruling,
  origin: Origin,
  transaction: Transaction | undefined,
  refusal: Refused | undefined,
  grant?: Accepted,
): Promise<Verdict | undefined> {
  const { ask, rule, enrolByMs } = ruling;
  if (ask === 'refuse') return refused('not_permitted', rule === undefined ? undefined : nameOf(rule));
  if (refusal === undefined) return ask === 'nothing' ? acceptedBy(ruling, 'rule') : grant;
  if (grant !== undefined) return grant;
  const mayMatter = unenrolled === 'enroll' || ask === 'nothing' || enrolByMs !== undefined;
  const former =
    refusal.reason === 'not_enrolled' && mayMatter && transaction !== undefined ? await formerEnrolment(transaction, origin) : undefined;
  const standing = former ?? refusal;
  if (ask === 'nothing')
    return standing.reason === 'revoked' ? standing : ((await doubtedEnrolment(transaction, origin)) ?? acceptedBy(ruling, 'rule'));
  if (standing.reason !== 'not_enrolled' || rule === undefined || enrolByMs === undefined) return standing;
  const nowMs = transaction === undefined ? now() : await timeOf(transaction, now);
  if (nowMs < enrolByMs) return acceptedBy(ruling, 'unenrolled');
  return refused('not_enrolled', `${nameOf(rule)} let in without an enrolment until ${new Date(enrolByMs).toISOString()}`);
}

/** The acceptance by the rule that decided. */
export function acceptedBy({ rule }: Ruling, method: Accepted['method']): Accepted {
  return { result: 'accepted', method, ...(rule === undefined ? {} : { detail: nameOf(rule) }) };
}

/**
 * Why the account of `origin`, which has no enrolment to judge, still counts as once enrolled; undefined where it never was.
 * An account is a uid, so its present name and the contexts configured now do not matter.
 */
async function formerEnrolment(transaction: Transaction, origin: Origin): Promise<Refused | undefined> {
  const { user, context } = origin;
  const found = (await enrolmentsOf(transaction, origin)).find(wasEnrolled);
  if (found === undefined) return undefined;
  const name = found.user === user ? user : `${found.user}, which has the uid of ${user},`;
  const enrol = shellCommand`notp-enroll ${user} ${context}`;
  const detail = `${name} was enrolled for ${found.context}: ${enrol} makes an enrolment that counts here`;
  return refused(found.status === 'revoked' ? 'revoked' : 'stale_enrolment', detail);
}

/** The refusal for an enrolment of the account of `origin` that is not known to be genuine; undefined where there is none. */
async function doubtedEnrolment(transaction: Transaction | undefined, origin: Origin): Promise<Refused | undefined> {
  const found = transaction === undefined ? [] : await enrolmentsOf(transaction, origin);
  const standings = found.filter(({ doubt }) => doubt !== undefined).map((each) => standingOf(each, { kind: 'absent' }));
  return standings.find((standing) => 'reason' in standing);
}

/** All of the account, by its present name and by its uid. */
async function enrolmentsOf(transaction: Transaction, { user, uid }: Pick<Origin, 'user' | 'uid'>): Promise<Enrolment[]> {
  return [...(await transaction.enrolmentsOf(user)), ...(uid === undefined ? [] : await transaction.enrolmentsOfUid(uid))];
}

/** An invitation alone does not count, nor does an enrolment that was never completed. */
export function wasEnrolled({ id, status, doubt }: Enrolment): boolean {
  return id !== '' || status === 'revoked' || doubt !== undefined;
}

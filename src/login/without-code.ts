/** The logins that get in without a code: by a rule, by a grant, or by an earlier code. */
import { createHash } from 'node:crypto';
import { shellCommand } from '../otp/escape.ts';
import type { Origin } from '../audit/record.ts';
import type { Connection, Enrolment, Transaction } from '../store/store.ts';
import { timeOf } from '../store/clock.ts';
import { isAddress } from '../verdict/address.ts';
import type { Accepted, Refused, Verdict } from '../verdict/decide.ts';
import { grantFor, nameOfGrant } from '../verdict/grants.ts';
import { identityOf, nameOf, type Ruling } from '../verdict/rules.ts';
import type { SshSession } from '../wire/verifier.ts';
import { refused, standingOf, type Device } from './account.ts';
import type { Login, Terms } from './terms.ts';
import { factsOf } from './ruling.ts';

/**
 * The verdict where nobody is asked: the rules refuse, or ask for nothing, or the account has no device. Undefined: ask for a code.
 * `refusal` is that of an account without a device. `transaction` is undefined where there is no store yet. `grant` is the acceptance by a
 * grant.
 * Only a user who was never enrolled gets in by `enrol_by`. And nobody gets in by a rule who was revoked, not even where nothing is asked:
 * whoever revokes wants that user kept out. A grant lets them in, as it was made after that; see revoke() in enrolment/registrar.ts. Of a row that
 * was changed outside notp nobody knows whether it was revoked.
 */
export async function unasked(
  { unenrolled, now }: Pick<Terms, 'unenrolled' | 'now'>,
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
function acceptedBy({ rule }: Ruling, method: Accepted['method']): Accepted {
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

/**
 * The acceptance by a grant; undefined where none counts. Only a grant that is signed counts, and only in the state of a host or a fleet:
 * a user's own state is the user's to write. It is about logins, not about the scripts of somebody who is in (`notp verify`).
 */
export async function granted(
  { origin, circumstances }: Pick<Login, 'origin' | 'circumstances'>,
  { place, host, now }: Pick<Terms, 'place' | 'host' | 'now'>,
  transaction: Pick<Transaction, 'grantsOf' | 'clockMs'>,
  session: SshSession | undefined,
): Promise<Accepted | undefined> {
  if (isOutside(origin) || place.kind !== 'service') return undefined;
  const found = (await transaction.grantsOf(origin.user)).filter(({ doubt }) => doubt === undefined);
  if (found.length === 0) return undefined;
  const facts = { ...factsOf(origin, circumstances, host), keyDigest: session?.keyDigest };
  // A grant has the uid of the host that made it. A member of a fleet may have others, and may say any: there the name counts.
  const nowMs = await timeOf(transaction, now);
  const grant = found.find(
    (each) => grantFor([each], { ...facts, uid: origin.host === undefined ? origin.uid : each.uid }, nowMs) !== undefined,
  );
  return grant === undefined ? undefined : { result: 'accepted', method: 'grant', detail: nameOfGrant(grant) };
}

function isOutside({ door, uid }: Origin): boolean {
  return door === 'cli' || uid === undefined;
}

/** The acceptance by an earlier code on this connection or from the same source; undefined where there is none. */
export async function remembered(
  origin: Origin,
  ruling: Ruling,
  { now }: Pick<Terms, 'now'>,
  transaction: Transaction,
  devices: readonly Device[],
  session: SshSession | undefined,
): Promise<{ readonly verdict: Accepted; readonly device: Device } | undefined> {
  const connection = connectionOf(origin, session);
  const { rememberMs = 0 } = ruling;
  const digest = peerDigest(origin, ruling, session);
  for (const device of devices) {
    if (connection !== undefined && (await transaction.remembers(device.enrolment, connection)))
      return { verdict: { result: 'accepted', method: 'same_connection' }, device };
    const acceptedMs = digest === undefined ? undefined : await transaction.lastAccepted(device.enrolment, digest);
    const ageMs = acceptedMs === undefined ? -1 : (await timeOf(transaction, now)) - acceptedMs;
    // A time in the future does not count: the clock was set back, or somebody wrote the row.
    if (ageMs >= 0 && ageMs < rememberMs) return { verdict: acceptedBy(ruling, 'remembered'), device };
  }
  return undefined;
}

/** Remembers the connection and the source of a login that a code of `enrolment` was accepted for. */
export async function remember(
  origin: Origin,
  ruling: Ruling,
  transaction: Transaction,
  enrolment: Enrolment,
  session: SshSession,
  acceptedMs: number,
): Promise<void> {
  const connection = connectionOf(origin, session);
  if (connection !== undefined) await transaction.remember(enrolment, connection);
  const digest = peerDigest(origin, ruling, session);
  if (digest !== undefined) await transaction.rememberPeer(enrolment, { digest, acceptedMs });
}

/**
 * A digest of the source address, the SSH key, the rule that remembers them and the member of the fleet that they came to; undefined where no rule does, or address or key is
 * unknown. A rule that names other logins than before has seen no code.
 */
function peerDigest({ rhost, host }: Origin, { rule, rememberMs }: Ruling, session: SshSession | undefined): string | undefined {
  if (rule === undefined || rememberMs === undefined) return undefined;
  if (rhost === undefined || !isAddress(rhost) || session?.keyDigest === undefined) return undefined;
  return createHash('sha256')
    .update([rhost, session.keyDigest, identityOf(rule), ...(host === undefined ? [] : [host])].join('\0'))
    .digest('hex');
}

/** The connection. That of a member of a fleet is another one than any that other members tell of: each of them can say what it likes. */
function connectionOf({ host }: Origin, session: SshSession | undefined): Connection | undefined {
  const connection = session?.connection;
  if (connection === undefined || host === undefined) return connection;
  const digest = createHash('sha256').update(`${host}\0${connection.bootId}`).digest('hex');
  return { ...connection, bootId: digest.slice(0, connection.bootId.length) };
}

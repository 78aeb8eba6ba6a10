/** What an accepted login tells the owner of the account: refused tries since the last accepted code, and the end of a time without enrolment. */
import { isIP } from 'node:net';
import type { Origin } from '../audit/record.ts';
import type { Enrolment, RefusedTries } from '../store/store.ts';
import type { Verdict } from '../verdict/decide.ts';
import type { Ruling } from '../verdict/rules.ts';
import type { Notice } from '../wire/verifier.ts';

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

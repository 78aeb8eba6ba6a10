/**
 * What a log comes to: logins and refusals, by user and day. Holds no more than users x days x reasons, however many
 * records there are; names that are nobody's, which anybody can make up, count as one user.
 */
import type { Entry } from './entry.ts';

export interface Day {
  logins: number;
  refused: number;
  readonly refusals: Map<string, number>;
}

export interface UserReport {
  /** Undefined for all names that are nobody's. */
  readonly user: string | undefined;
  /** By date, in the order of the log. */
  readonly days: Map<string, Day>;
  /** How many logins and refusals came from an address; the first MAX_SOURCES that were seen. */
  readonly sources: Map<string, number>;
  /** Logins and refusals from other addresses. */
  otherSources: number;
}

const MAX_SOURCES = 64;
/** More reasons than there are: a log that somebody else wrote into. */
const MAX_REASONS = 32;

export type Reports = Map<string | undefined, UserReport>;

/** Counts one record where it is a login; `day` is its date. */
export function count(reports: Reports, entry: Entry, day: string): void {
  if (entry.event !== 'login.accepted' && entry.event !== 'login.refused') return;
  const report = reportOf(reports, entry.uid === undefined ? undefined : entry.user);
  const today = report.days.get(day) ?? { logins: 0, refused: 0, refusals: new Map<string, number>() };
  report.days.set(day, today);
  if (entry.event === 'login.accepted') today.logins += entry.count;
  else {
    today.refused += entry.count;
    countUp(today.refusals, entry.reason ?? '', { by: entry.count, max: MAX_REASONS });
  }
  if (entry.rhost !== undefined && !countUp(report.sources, entry.rhost, { by: entry.count, max: MAX_SOURCES }))
    report.otherSources += entry.count;
}

/** The sums over all days. */
export function totalOf({ days }: UserReport): Day {
  const total: Day = { logins: 0, refused: 0, refusals: new Map() };
  for (const { logins, refused, refusals } of days.values()) {
    total.logins += logins;
    total.refused += refused;
    for (const [reason, times] of refusals) total.refusals.set(reason, (total.refusals.get(reason) ?? 0) + times);
  }
  return total;
}

/** The most frequent first. */
export function byCount(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].toSorted(([, one], [, other]) => other - one);
}

function reportOf(reports: Reports, user: string | undefined): UserReport {
  const known = reports.get(user);
  if (known !== undefined) return known;
  const report: UserReport = { user, days: new Map(), sources: new Map(), otherSources: 0 };
  reports.set(user, report);
  return report;
}

/** Whether there was room for it. */
function countUp(counts: Map<string, number>, key: string, { by, max }: { by: number; max: number }): boolean {
  const known = counts.get(key);
  if (known === undefined && counts.size >= max) return false;
  counts.set(key, (known ?? 0) + by);
  return true;
}

/**
 * Counts the logins and refusals of a log by user and day. Memory is bounded by users x days x reasons, not by the number of records. Names
 * that no account has count as one user, as anybody can make them up.
 */
import type { Entry } from './entry.ts';

export interface Day {
  logins: number;
  refused: number;
  readonly refusals: Map<string, number>;
}

export interface UserReport {
  /** Undefined for all names that no account has. */
  readonly user: string | undefined;
  /** By date, in the order of the log. */
  readonly days: Map<string, Day>;
  /** The number of logins and refusals from each address, for the first MAX_SOURCES addresses. */
  readonly sources: Map<string, number>;
  /** Logins and refusals from other addresses. */
  otherSources: number;
}

const MAX_SOURCES = 64;
/** More than notp has. A log with more reasons was written by somebody else. */
const MAX_REASONS = 32;

export type Reports = Map<string | undefined, UserReport>;

/** Counts the record if it is a login; `day` is its date. */
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

/** The totals of all days. */
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

/** Adds to a count. Returns whether there was room for the key. */
function countUp(counts: Map<string, number>, key: string, { by, max }: { by: number; max: number }): boolean {
  const known = counts.get(key);
  if (known === undefined && counts.size >= max) return false;
  counts.set(key, (known ?? 0) + by);
  return true;
}

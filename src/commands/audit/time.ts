/** Parses times in the local time of the process (TZ, tzset(3)), and prints spans. Pure except for the time zone. */
import { durationOf, isDay } from '../../system/settings.ts';

/** The values of --since and --until, for help and messages. */
export const MOMENT = '2026-11-24, "2026-11-24 17:00", 2026-11-24T17:00:00Z, 90m, 2h, 7d, today or yesterday';

const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?$/;
/** RFC 3339, with its offset. */
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/**
 * The Unix time in milliseconds of `text`. A date is its local midnight, a span is counted back from `nowMs`. Undefined if
 * it is malformed.
 */
export function momentOf(text: string, nowMs: number): number | undefined {
  const spanMs = durationOf(text, 'smhdw');
  if (spanMs !== undefined) return nowMs - spanMs;
  if (text === 'today' || text === 'yesterday') return midnight(nowMs, text === 'today' ? 0 : -1);
  if (RFC3339.test(text)) return isDay(text) ? valid(Date.parse(text.toUpperCase().replace(' ', 'T'))) : undefined;
  const [, year, month, day, hour = 0, minute = 0, second = 0] = (DATE.exec(text) ?? []).map(Number);
  if (year === undefined || month === undefined || day === undefined) return undefined;
  return exact([year, month, day, hour || 0, minute || 0, second || 0]);
}

/** `12 seconds`, `3 minutes`, `2 hours`, `5 days`: the largest unit that fits at least twice, else seconds. */
export function spanOf(ms: number): string {
  const seconds = Math.round(Math.max(0, ms) / 1000);
  const units = [
    [86_400, 'day'],
    [3_600, 'hour'],
    [60, 'minute'],
  ] as const;
  const [size, name] = units.find(([each]) => seconds >= 2 * each) ?? ([1, 'second'] as const);
  const count = Math.floor(seconds / size);
  return `${String(count)} ${name}${count === 1 ? '' : 's'}`;
}

function midnight(nowMs: number, days: number): number {
  const now = new Date(nowMs);
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + days).getTime();
}

/** Undefined for a date such as 31 February, which Date would turn into March. */
function exact([year, month, day, hour, minute, second]: readonly [number, number, number, number, number, number]): number | undefined {
  const time = new Date(year, month - 1, day, hour, minute, second);
  const same = time.getMonth() === month - 1 && time.getDate() === day && hour < 24 && minute < 60 && second < 60;
  return same ? time.getTime() : undefined;
}

function valid(timeMs: number): number | undefined {
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** Times for a person: day and minute in UTC, as in the log, and the distance from now. Pure. */

const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['year', 31_557_600_000],
  ['month', 2_629_800_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
];

/** `2026-11-23 17:00`, of an RFC 3339 time in UTC. */
export function minuteOf(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}

/** `3 days ago`, `in 1 hour`, `just now`: whole units, rounded down. `nowMs`: Unix time in milliseconds. */
export function distanceOf(time: string, nowMs: number): string {
  const ms = Date.parse(time) - nowMs;
  const [unit, length] = UNITS.find(([, each]) => Math.abs(ms) >= each) ?? [];
  if (unit === undefined || length === undefined) return ms > 0 ? 'in less than a minute' : 'just now';
  return new Intl.RelativeTimeFormat('en').format(Math.trunc(ms / length), unit);
}

/** Durations as a person writes them: in the configuration, and on the command line, also for a time in the past. Pure. */

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** The milliseconds of `text`, a whole number and one of the `units`: `30s`, `90m`, `2h`, `7d`, `1w`. Undefined for any other text. */
export function durationOf(text: string, units = 'smhd'): number | undefined {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const unitMs = units.includes(unit) ? UNIT_MS[unit] : undefined;
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}

/** Times by the clock on the wall: the local time of the process (TZ, tzset(3)). Pure except for the time zone. */

/** `timeMs`: Unix time in milliseconds. Gives `2026-11-24`. */
export function dayOf(timeMs: number): string {
  const time = new Date(timeMs);
  return [String(time.getFullYear()).padStart(4, '0'), two(time.getMonth() + 1), two(time.getDate())].join('-');
}

/** `17:00:01` */
export function clockOf(timeMs: number): string {
  const time = new Date(timeMs);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':');
}

/** `Tue 2026-11-24 17:00` */
export function minuteOf(timeMs: number): string {
  const weekday = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][new Date(timeMs).getDay()] ?? '';
  return `${weekday} ${dayOf(timeMs)} ${clockOf(timeMs).slice(0, -':00'.length)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

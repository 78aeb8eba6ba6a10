/** The line that a user reads after a login. */
import type { Notice } from '../wire/verifier.ts';

/** One line, such as `notp: 4 refused tries since Tue 2026-11-24 14:03, last from 203.0.113.7; notp audit shows them`. */
export function noticeLine(notice: Notice): string {
  if (notice.kind === 'enrol_by')
    return `notp: until ${localTime(notice.untilMs)} you get in without a code; enrol before then: notp enroll, or ask an administrator\n`;
  const { count, sinceMs, from } = notice;
  const tries = count === 1 ? '1 refused try' : `${String(count)} refused tries`;
  const source = from === '' ? '' : `${count === 1 ? ', from' : ', last from'} ${from}`;
  return `notp: ${tries} since ${localTime(sinceMs)}${source}; notp audit shows them\n`;
}

/** `ms`: Unix time in milliseconds. By the clock on the wall of this host: `Tue 2026-11-24 14:03`. */
function localTime(ms: number): string {
  const date = new Date(ms);
  const weekday = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][date.getDay()] ?? '';
  const day = `${String(date.getFullYear())}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${weekday} ${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

/** The line that a user reads after a login. */
import { minuteOf } from '../terminal/local-time.ts';
import type { Notice } from '../wire/verifier.ts';

/**
 * One line, such as `notp: 4 refused tries since Tue 2026-11-24 14:03, last from 203.0.113.7; notp audit shows them`. `isOwnLog`: whether the
 * user can read the log; that of the service is root's to read.
 */
export function noticeLine(notice: Notice, { isOwnLog }: { readonly isOwnLog: boolean }): string {
  if (notice.kind === 'enrol_by')
    return `notp: until ${minuteOf(notice.untilMs)} you get in without a code; enrol before then: notp enroll, or ask an administrator\n`;
  const { count, sinceMs, from } = notice;
  const tries = count === 1 ? '1 refused try' : `${String(count)} refused tries`;
  const source = from === '' ? '' : `${count === 1 ? ', from' : ', last from'} ${from}`;
  return `notp: ${tries} since ${minuteOf(sinceMs)}${source}; ${isOwnLog ? '' : 'sudo '}notp audit shows them\n`;
}

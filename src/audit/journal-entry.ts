/**
 * One entry of the journal for one line of the log, with fields to search for: `journalctl NOTP_USER=alice`. In the form of journald's native
 * protocol, which logger(1) --journald reads too: a line for each field. No text from outside holds a newline there, as controls are escaped.
 */
import { createHash } from 'node:crypto';
import { escapeControls } from '../otp/escape.ts';
import { entryOf, type Entry } from './entry.ts';

/** The priorities of syslog(3) that are used, by their names for logger(1). */
export const PRIORITIES = { err: 3, warning: 4, notice: 5, info: 6 } as const;
export type Priority = keyof typeof PRIORITIES;

/** LOG_AUTHPRIV of syslog(3). */
const FACILITY = 10;

/** The fields of a record that the journal has as NOTP_…, see docs/records.md. */
const FIELDS = ['event', 'result', 'user', 'uid', 'context', 'door', 'service', 'rhost', 'reason', 'method', 'ref'] as const;

/** The entry for `line`, which need not be a record. `priority`: that of its event unless given. */
export function journalEntry(line: string, priority?: Priority): string {
  const message = line.trimEnd();
  const entry = entryOf(message);
  const own = entry === undefined ? [] : fieldsOf(entry);
  const fields = [
    ['MESSAGE', message],
    ['PRIORITY', PRIORITIES[priority ?? priorityOf(entry)]],
    ['SYSLOG_FACILITY', FACILITY],
    ['SYSLOG_IDENTIFIER', 'notp'],
    ...own,
  ];
  return fields.map(([name, value]) => `${String(name)}=${escapeControls(String(value))}\n`).join('');
}

function fieldsOf(entry: Entry): readonly (readonly [name: string, value: string | number])[] {
  const fields = FIELDS.flatMap((field) => {
    const value = entry[field];
    return value === undefined || value === '' ? [] : [[`NOTP_${field.toUpperCase()}`, value] as const];
  });
  return [['MESSAGE_ID', messageIdOf(entry.event)], ...fields];
}

/** The MESSAGE_ID of an event, 32 hex digits: a UUID (version 8 of RFC 9562) made of its name, so it is the same on all hosts and for ever. */
export function messageIdOf(event: string): string {
  const hash = createHash('sha256').update(`notp ${event}`).digest('hex');
  return `${hash.slice(0, 12)}8${hash.slice(13, 16)}a${hash.slice(17, 32)}`;
}

/** What notp itself cannot do is an error, what somebody should look at a warning, and a refusal a notice. */
export function priorityOf(entry: Pick<Entry, 'event' | 'result' | 'reason'> | undefined): Priority {
  if (entry === undefined) return 'info';
  const { event, result, reason = '' } = entry;
  if (['store_unavailable', 'audit_unavailable', 'bad_configuration'].includes(reason)) return 'err';
  if (['stale_enrolment', 'bad_secret_file'].includes(reason) || ['outage.conflict', 'audit.resumed'].includes(event)) return 'warning';
  return result === 'refused' || result === 'failed' ? 'notice' : 'info';
}

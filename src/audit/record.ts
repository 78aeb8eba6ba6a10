/**
 * One audit record: its fields, and the line of JSON that pino prints. It never holds a code, a secret or a passphrase. Names from outside
 * are data: control and format characters are escaped here.
 */
import { hostname } from 'node:os';
import { pino } from 'pino';
import { escapeControls } from '../otp/escape.ts';
import type { Method, Reason } from '../verdict/reasons.ts';

export const DOORS = ['gate', 'pam', 'cli'] as const;
export type Door = (typeof DOORS)[number];
export type Event =
  | 'login.accepted'
  | 'login.refused'
  | 'enroll'
  | 'replace'
  | 'enroll.failed'
  | 'invite'
  | 'revoke'
  | 'unlock'
  | 'passphrase'
  | 'passphrase.failed'
  | 'recovery'
  | 'recovery.failed'
  | 'export'
  | 'reseal'
  | 'reseal.failed'
  | 'recovery.used'
  | 'import'
  | 'import.failed'
  | 'host_key.created'
  | 'host_key.rotated'
  | 'host_key.retired'
  | 'forget'
  | 'grant'
  | 'grant.ended'
  | 'rules.put'
  | 'rules.removed'
  | 'fleet.revoked'
  | 'outage.approved'
  | 'outage.withdrawn'
  | 'outage.conflict'
  | 'audit.resumed'
  | 'doctor.changed';

/** The user, the door and the address of a request. */
export interface Origin {
  readonly user: string;
  /** Absent if no account has the name. */
  readonly uid?: number;
  readonly context: string;
  readonly door: Door;
  /** The PAM service, or `ssh` for the gate. */
  readonly service?: string;
  readonly rhost?: string;
  readonly tty?: string;
  /** The member of the fleet that asked a judge, by its certificate; absent where this host asked itself. */
  readonly host?: string;
}

/** Where a login came in, as its record and its door have it. */
interface CameIn {
  readonly door?: string | undefined;
  readonly tty?: string | undefined;
  readonly service?: string | undefined;
}

/** Whether it is one of sshd's. Its PAM service can have any name (PAMServiceName), but its terminal is always called "ssh". */
export function isAtSshd({ door, tty, service }: CameIn): boolean {
  return door === 'gate' || (door === 'pam' && (tty === 'ssh' || service === 'sshd'));
}

/** A new field also goes to entryOf() in audit/entry.ts, which reads it back, and to SHARED in audit/floods.ts if summaries keep it. */
export interface AuditRecord extends Origin {
  readonly event: Event;
  readonly result: 'accepted' | 'refused' | 'done' | 'failed';
  readonly reason?: Reason;
  readonly method?: Method;
  readonly step_offset?: number;
  readonly detail?: string;
  /** For the summary of a flood: how many logins it covers, and the times of the first and the last (RFC 3339); see floods.ts. */
  readonly count?: number;
  readonly since?: string;
  readonly until?: string;
  /** For a decision by a host's copy during an outage of the store: its time (RFC 3339); see outage/outage.ts. */
  readonly outage?: string;
  /** 8 hex digits that are the same in all records of one transaction that reports such decisions to the store. */
  readonly report?: string;
  /** The codes that such a decision used: the step or counter of the last code, or the indexes of the recovery codes in their list. */
  readonly step?: number;
  readonly recovery_codes?: readonly number[];
  /** 8 hex digits, also shown to the user. */
  readonly ref: string;
}

/** A record's place in the chain; see audit/chain.ts. */
export interface Link {
  readonly seq: number;
  readonly prev: string;
}

/** The maximal length of a text field; a longer one is cut. */
export const MAX_FIELD_CHARACTERS = 256;

/** Fields that the client itself chooses. A line that waits in the store takes room from others, so these fields are cut by their bytes when escaped. */
const SAID_BY_ASKER: readonly string[] = ['service', 'rhost', 'tty'];
const MAX_SAID_BYTES = 256;

/** No line is longer than this: the longest texts from outside with every character escaped, and notp's own texts. */
export const MAX_RECORD_BYTES = 9 * 1024;

/** What the one logger is printing: the time of the record that comes next, and its line. */
const printing = { atMs: 0, line: '' };

/** Made once: a logger costs more than a line. What differs from process to process comes with each record, as it may be made in a start-up snapshot. */
const LOGGER = pino(
  {
    // It comes first in the line: as there is no level, it has no comma before it.
    timestamp: () => `"time":"${new Date(printing.atMs).toISOString()}"`,
    formatters: { level: () => ({}) },
    base: null,
  },
  // pino's own destinations report success even if the disk is full. So the sinks write, and throw.
  { write: (text: string) => (printing.line = text) },
);

/** The line with its newline. `time` is RFC 3339 in UTC. A record without a store has no `link`. */
export function printRecord(record: AuditRecord, link: Link | undefined, nowMs: number): string {
  printing.atMs = nowMs;
  LOGGER.info({ pid: process.pid, host: hostname(), ...shortened(record), ...link });
  return escapeControls(printing.line.trimEnd()) + '\n';
}

function shortened(record: AuditRecord): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [
      key,
      typeof value === 'string' ? cut(value.slice(0, MAX_FIELD_CHARACTERS), SAID_BY_ASKER.includes(key)) : (value as unknown),
    ]),
  );
}

function cut(text: string, isSaidByAsker: boolean): string {
  if (!isSaidByAsker || bytesOf(text) <= MAX_SAID_BYTES) return text;
  let [kept, bytes] = ['', 0];
  for (const character of text) {
    bytes += bytesOf(character);
    if (bytes > MAX_SAID_BYTES) break;
    kept += character;
  }
  return kept;
}

/** The number of bytes that `text` takes in the line. */
function bytesOf(text: string): number {
  return Buffer.byteLength(escapeControls(JSON.stringify(text))) - 2;
}

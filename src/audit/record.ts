/**
 * One audit record: what it holds, and the one line of JSON that pino makes of it. Never a code, a secret or a
 * passphrase. Names from outside are data: control and format characters leave here escaped.
 */
import { pino } from 'pino';
import { escapeControls } from '../otp/escape.ts';
import type { Method, Reason } from '../verdict/reasons.ts';

export type Door = 'gate' | 'pam' | 'cli';
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
  | 'outage.approved'
  | 'outage.withdrawn'
  | 'outage.conflict'
  | 'audit.resumed';

/** Who knocked, where, and from where. */
export interface Origin {
  readonly user: string;
  /** Absent where the name is nobody's. */
  readonly uid?: number;
  readonly context: string;
  readonly door: Door;
  /** The PAM service, or `ssh` for the gate. */
  readonly service?: string;
  readonly rhost?: string;
  readonly tty?: string;
}

export interface AuditRecord extends Origin {
  readonly event: Event;
  readonly result: 'accepted' | 'refused' | 'done' | 'failed';
  readonly reason?: Reason;
  readonly method?: Method;
  readonly step_offset?: number;
  readonly detail?: string;
  /** How many of a flood this record stands for, and when the first and the last of them were (RFC 3339); see floods.ts. */
  readonly count?: number;
  readonly since?: string;
  readonly until?: string;
  /** When this was decided, RFC 3339, by the copy of a host while the store could not be reached; see outage/outage.ts. */
  readonly outage?: string;
  /** What all records have in common that one transaction has told the store of such decisions: 8 hex digits. */
  readonly report?: string;
  /** What such a decision took: the step or counter of the last code, or the places of the recovery codes in their list. */
  readonly step?: number;
  readonly recovery_codes?: readonly number[];
  /** 8 hex digits, also shown to the person. */
  readonly ref: string;
}

/** A record's place in the chain; see audit/chain.ts. */
export interface Link {
  readonly seq: number;
  readonly prev: string;
}

/** The longest text of a field; what is longer is cut. */
const MAX_FIELD_CHARACTERS = 256;

/** What whoever asks says of themselves takes no more bytes of the line, however it is escaped: a long line takes room from others where it waits. */
const SAID_BY_ASKER: readonly string[] = ['service', 'rhost', 'tty'];
const MAX_SAID_BYTES = 256;

/** No line is longer: the texts from outside at their longest, every character escaped, and what we say ourselves. */
export const MAX_RECORD_BYTES = 9 * 1024;

/** The line, with its newline. `time` is RFC 3339 in UTC. A record that the store could not link has no `link`. */
export function printRecord(record: AuditRecord, link: Link | undefined, nowMs: number): string {
  let line = '';
  const logger = pino(
    {
      // First in the line: without a level there is no comma before it.
      timestamp: () => `"time":"${new Date(nowMs).toISOString()}"`,
      formatters: { level: () => ({}), bindings: ({ pid, hostname }) => ({ pid: pid as unknown, host: hostname as unknown }) },
    },
    // pino's own destinations return as if they had written when the disk is full; the sinks write, and throw.
    { write: (text: string) => void (line += text) },
  );
  logger.info({ ...shortened(record), ...link });
  return escapeControls(line.trimEnd()) + '\n';
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

/** How many bytes `text` takes in the line. */
function bytesOf(text: string): number {
  return Buffer.byteLength(escapeControls(JSON.stringify(text))) - 2;
}

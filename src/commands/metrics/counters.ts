/**
 * Counts the records of the audit log. The counts are kept in one file with the place up to which the log was read, and that file is replaced as
 * a whole: each record counts once, whenever the process ends and however the log is rotated. Nothing is counted at a login.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { entryOf, type Entry } from '../../audit/entry.ts';
import { presentLines, type Place } from '../../audit/follow.ts';
import { DOORS } from '../../audit/record.ts';
import { linkOf } from '../../audit/walk.ts';
import { base64, canonicalJson, listOf, literal, object, shaped, text, toBase64, wholeNumber } from '../../seal/shape.ts';
import { checkFolders, draft, readTrusted } from '../../system/trusted.ts';
import { METHODS } from '../../verdict/reasons.ts';
import { EVENT_NAMES, REASON_NAMES } from '../audit/words.ts';

const FOLDER = '/var/lib/notp-metrics';
const FILE = path.join(FOLDER, 'counters');
const VERSION = 'metrics/1';
const ROOT_UID = 0;
/** A line of the log may be as long as a block that is read at once. */
const MAX_LINE_BYTES = 2 * 1024 * 1024;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_KINDS = 500;
const MAX_COUNT = Number.MAX_SAFE_INTEGER;

/** A kind of record: its words, which are all known ones or `other`, with blanks between them. */
type Kind = string;

export interface Counters {
  /** How far the log was counted. */
  readonly place: Place;
  /** The number and the time of the last counted record of the chain, Unix time in milliseconds. */
  readonly seq: number;
  readonly timeMs: number;
  readonly counts: ReadonlyMap<Kind, number>;
}

export const NOTHING_COUNTED: Counters = { place: { last: undefined, position: 0 }, seq: 0, timeMs: 0, counts: new Map() };

const KEPT = object({
  notp: literal(VERSION),
  /** The last counted line with its newline; empty if there is none. */
  last: base64(0, MAX_LINE_BYTES),
  position: wholeNumber(0, MAX_COUNT),
  seq: wholeNumber(0, MAX_COUNT),
  time_ms: wholeNumber(0, MAX_COUNT),
  counts: listOf(object({ of: text(/^[\w.]{1,32}( [\w.]{1,32}){1,2}$/), count: wholeNumber(0, MAX_COUNT) }), MAX_KINDS),
});

/** The counters as they are kept; undefined if none are. Throws `bad_secret_file` if they are malformed, or others can write them. */
export function keptCounters(): Counters | undefined {
  const bytes = readTrusted(FILE, { owner: ROOT_UID, maxBytes: MAX_FILE_BYTES });
  return bytes === undefined ? undefined : parseCounters(bytes);
}

/** Keeps the counters, on the disk when it returns. Throws where they cannot be kept; the earlier ones are then still there. */
export function keepCounters(counters: Counters): void {
  fs.mkdirSync(FOLDER, { mode: 0o700, recursive: true });
  checkFolders('/', FOLDER, ROOT_UID);
  draft(FILE, printCounters(counters)).put();
}

export function printCounters({ place, seq, timeMs, counts }: Counters): Uint8Array {
  const last = toBase64(place.last ?? new Uint8Array());
  const kinds = [...counts].map(([of, count]) => ({ of, count }));
  return Buffer.from(
    `${JSON.stringify({ notp: VERSION, last, position: place.position, seq, time_ms: timeMs, counts: kinds }, undefined, 2)}\n`,
  );
}

/** Throws `bad_secret_file` if it is malformed. */
export function parseCounters(bytes: Uint8Array): Counters {
  const {
    last,
    position,
    seq,
    time_ms: timeMs,
    counts,
  } = shaped(KEPT, canonicalJson(bytes, 'the file of counters'), 'the file of counters');
  const place = { last: last.length === 0 ? undefined : Buffer.from(last), position };
  return { place, seq, timeMs, counts: new Map(counts.map(({ of, count }) => [of, count])) };
}

/** The counters with all that came to `log` since `before`. Throws as endOf() of audit/follow.ts does. */
export async function countNew(log: string, before: Counters): Promise<Counters> {
  const place = { ...before.place };
  const counts = new Map(before.counts);
  let { seq, timeMs } = before;
  for await (const line of presentLines(log, place)) {
    const entry = entryOf(line);
    if (entry === undefined) continue;
    const link = linkOf(line);
    if (typeof link === 'object') {
      // If the last counted line was removed, lines that were counted come again.
      if (link.seq <= seq && entry.timeMs <= timeMs) continue;
      [seq, timeMs] = [link.seq, Math.max(0, entry.timeMs)];
    }
    const kind = kindOf(entry);
    counts.set(kind, Math.min(MAX_COUNT, (counts.get(kind) ?? 0) + entry.count));
  }
  return { place, seq, timeMs, counts };
}

/** Only known words: whoever writes to the log must not make endless kinds. */
function kindOf({ event, door, reason, method }: Entry): Kind {
  if (event === 'login.accepted') return `accepted ${known(DOORS, door)} ${known(METHODS, method)}`;
  if (event === 'login.refused') return `refused ${known(DOORS, door)} ${known(REASON_NAMES, reason)}`;
  return `change ${known(EVENT_NAMES, event)}`;
}

function known(words: readonly string[], word = ''): string {
  return words.includes(word) ? word : 'other';
}

/** A number of decisions, and what they have in common. */
export interface Decisions {
  readonly door: string;
  readonly result: 'accepted' | 'refused';
  /** The reason of refusals, the method of acceptances. */
  readonly why: string;
  readonly count: number;
}

/** How many decisions of each kind there are. Kinds that have not come yet are there with 0, so that their first one is an increase. */
export function decisionsIn({ counts }: Counters): readonly Decisions[] {
  const kinds = DOORS.flatMap((door) => [
    ...METHODS.map((method) => `accepted ${door} ${method}`),
    ...REASON_NAMES.map((reason) => `refused ${door} ${reason}`),
  ]);
  return withFound(kinds, counts).flatMap(([kind, count]) => {
    const [result = '', door = '', why = ''] = kind.split(' ');
    return result === 'accepted' || result === 'refused' ? [{ door, result, why, count }] : [];
  });
}

/** How many records of each other event there are. */
export function changesIn({ counts }: Counters): readonly { readonly event: string; readonly count: number }[] {
  const kinds = EVENT_NAMES.filter((event) => !event.startsWith('login.')).map((event) => `change ${event}`);
  return withFound(kinds, counts).flatMap(([kind, count]) => {
    const [what = '', event = ''] = kind.split(' ');
    return what === 'change' ? [{ event, count }] : [];
  });
}

function withFound(kinds: readonly Kind[], counts: Counters['counts']): [Kind, number][] {
  return [...new Set([...kinds, ...counts.keys()])].map((kind) => [kind, counts.get(kind) ?? 0]);
}

/** Selects records by their fields. */
import { entryOf, type Entry } from './entry.ts';
import { blocksOf, linesIn, presentFilesOf } from './reading.ts';

/** All given conditions must match. Times are Unix times in milliseconds; `untilMs` itself is excluded. */
export interface Filter {
  readonly user?: string | undefined;
  /** The name of an event, or the part before the dot that several share: `login`. */
  readonly event?: string | undefined;
  readonly context?: string | undefined;
  readonly reason?: string | undefined;
  readonly rhost?: string | undefined;
  readonly ref?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/** A record with its line in the log. */
export interface LogRecord {
  readonly entry: Entry;
  readonly line: string;
}

/**
 * The records of `log` and its rotated files that match, in the order of the log and in constant memory. Throws as presentFilesOf() and
 * blocksOf() do.
 */
export async function* recordsIn(log: string, filter: Filter): AsyncGenerator<LogRecord> {
  const [want, mayMatch] = [matcherOf(filter), blockMatcherOf(filter)];
  for (const file of presentFilesOf(log)) {
    for await (const block of blocksOf(file)) {
      if (!mayMatch(block)) continue;
      for (const line of linesIn(block)) {
        const entry = want(line);
        if (entry !== undefined) yield { entry, line };
      }
    }
  }
}

/** Texts that are never escaped in a line. */
const PLAIN = /^[\w.:-]+$/;

/** Whether the filter has any condition. */
export function isFiltering(filter: Filter): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}

/** Returns a function that gives the record in a line; undefined if the record does not match or the line is not a record. */
export function matcherOf(filter: Filter): (line: string) => Entry | undefined {
  const parts = partsOf(filter);
  const since = sinceOf(filter);
  return (line) => {
    if (!parts.every((part) => line.includes(part)) || (since !== undefined && (timeIn(line) ?? since) < since)) return undefined;
    const entry = entryOf(line);
    return entry !== undefined && isWanted(entry, filter) ? entry : undefined;
  };
}

/** Returns a function that says of whole lines, as bytes, whether a record in them may match: most of a long log is passed over so. */
export function blockMatcherOf(filter: Filter): (block: Buffer) => boolean {
  const parts = partsOf(filter);
  const since = sinceOf(filter);
  return (block) => parts.every((part) => block.includes(part)) && (since === undefined || !isBefore(block, since));
}

/**
 * Whether all lines are records from before `since`. It is told by the beginning of their times, if that is the same one: clocks may have
 * gone back, so no line speaks for the next.
 */
function isBefore(block: Buffer, since: string): boolean {
  const text = block.toString('latin1');
  const first = timeIn(text);
  if (first === undefined || first >= since) return false;
  const differs = Array.from(first).findIndex((character, i) => character !== since[i]);
  const beginnings = text.split(`\n{"time":"${first.slice(0, differs + 1)}`).length;
  return text.endsWith('\n') && beginnings === text.split('\n').length - 1;
}

/** RFC 3339 in UTC, which sorts as a text; undefined if all times are wanted, as from before the first that there is. */
function sinceOf({ sinceMs = -Infinity }: Filter): string | undefined {
  return sinceMs < 0 ? undefined : new Date(sinceMs).toISOString();
}

/** The time at the beginning of lines that notp wrote, as it is there; undefined where there is none. */
function timeIn(lines: string): string | undefined {
  return /^\{"time":"(\d{4}-\d\d-\d\dT[\d:.]{12}Z)"/.exec(lines.slice(0, 40))?.[1];
}

/** Texts that a line must have somewhere: to look for them is faster than to parse it. */
function partsOf({ event, user, context, reason, rhost, ref }: Filter): readonly string[] {
  return [...[user, context, reason, rhost, ref].map((text) => plainPart(text, '"')), plainPart(event, '')].filter(
    (part) => part !== undefined,
  );
}

function plainPart(text: string | undefined, quote: string): string | undefined {
  return text !== undefined && PLAIN.test(text) ? quote + text + quote : undefined;
}

function isWanted(entry: Entry, { event, sinceMs = -Infinity, untilMs = Infinity, ...same }: Filter): boolean {
  const { user, context, reason, rhost, ref } = same;
  if (entry.timeMs < sinceMs || entry.timeMs >= untilMs) return false;
  if (event !== undefined && entry.event !== event && !entry.event.startsWith(`${event}.`)) return false;
  return is(entry.user, user) && is(entry.context, context) && is(entry.reason, reason) && is(entry.rhost, rhost) && is(entry.ref, ref);
}

function is(value: string | undefined, asked: string | undefined): boolean {
  return asked === undefined || value === asked;
}

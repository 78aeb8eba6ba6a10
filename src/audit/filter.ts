/** Selects records by their fields. */
import { entryOf, type Entry } from './entry.ts';

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

/** Texts that are never escaped in a line. */
const PLAIN = /^[\w.:-]+$/;

/** Whether the filter has any condition. */
export function isFiltering(filter: Filter): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}

/** Returns a function that gives the record in a line; undefined if the record does not match or the line is not a record. */
export function matcherOf(filter: Filter): (line: string) => Entry | undefined {
  const { event, user, context, reason, rhost, ref } = filter;
  // To save parsing, a line must contain the texts somewhere.
  const parts = [...[user, context, reason, rhost, ref].map((text) => plainPart(text, '"')), plainPart(event, '')].filter(
    (part) => part !== undefined,
  );
  return (line) => {
    if (!parts.every((part) => line.includes(part))) return undefined;
    const entry = entryOf(line);
    return entry !== undefined && isWanted(entry, filter) ? entry : undefined;
  };
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

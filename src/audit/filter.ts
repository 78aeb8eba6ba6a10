/** Which records are wanted. */
import { entryOf, type Entry } from './entry.ts';

/** All that is given must hold. Times are Unix times in milliseconds; `untilMs` itself is too late. */
export interface Filter {
  readonly user?: string | undefined;
  /** A name of an event, or the part of several before their dot: `login`. */
  readonly event?: string | undefined;
  readonly context?: string | undefined;
  readonly reason?: string | undefined;
  readonly rhost?: string | undefined;
  readonly ref?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/** Texts that stand in a line as they are. */
const PLAIN = /^[\w.:-]+$/;

/** Whether anything is filtered at all. */
export function isFiltering(filter: Filter): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}

/** What gives the record of a line where it is wanted, and undefined where it is not or is no record. */
export function matcherOf(filter: Filter): (line: string) => Entry | undefined {
  const { event, user, context, reason, rhost, ref } = filter;
  // Before a line is parsed: what is looked for must stand in it somewhere.
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

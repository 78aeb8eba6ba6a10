/** A record read back from its line and parsed once. Fields that printRecord() would not write are left out. */

import { parseJson } from '../json.ts';

/** `timeMs`: Unix time in milliseconds. Texts may contain anything, and are escaped where they are shown. */
export interface Entry {
  readonly timeMs: number;
  readonly event: string;
  readonly result: string;
  readonly user: string;
  readonly uid: number | undefined;
  readonly context: string;
  readonly door: string;
  readonly ref: string;
  readonly service: string | undefined;
  readonly rhost: string | undefined;
  readonly tty: string | undefined;
  readonly reason: string | undefined;
  readonly method: string | undefined;
  readonly detail: string | undefined;
  readonly host: string | undefined;
  /** For a decision in an outage of the store: its Unix time in milliseconds. `timeMs` is then when it was reported to the store. */
  readonly outageMs: number | undefined;
  /** The number of logins that the record covers: 1, or more for a flood; see floods.ts. */
  readonly count: number;
  /** All fields of the line as they are there, also those that are not above. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The record in `line`; undefined if it is not a record. */
export function entryOf(line: string): Entry | undefined {
  const fields = parsed(line);
  const text = (key: string): string | undefined => (typeof fields?.[key] === 'string' ? fields[key] : undefined);
  const timeMs = Date.parse(text('time') ?? '');
  const event = text('event');
  if (fields === undefined || event === undefined || Number.isNaN(timeMs)) return undefined;
  return {
    ...{ timeMs, event },
    ...{ result: text('result') ?? '', user: text('user') ?? '', context: text('context') ?? '', door: text('door') ?? '' },
    ...{ ref: text('ref') ?? '', uid: typeof fields['uid'] === 'number' ? fields['uid'] : undefined, service: text('service') },
    ...{ rhost: text('rhost'), tty: text('tty'), reason: text('reason'), method: text('method') },
    ...{ detail: text('detail'), host: text('host'), count: countOf(fields['count']), outageMs: timeOf(text('outage')), fields },
  };
}

function timeOf(text: string | undefined): number | undefined {
  const timeMs = Date.parse(text ?? '');
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 1;
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = parseJson(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The fields of `entry` but those called `mapped`: what another schema has no place for. */
export function fieldsBut({ fields }: Entry, mapped: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !mapped.includes(name)));
}

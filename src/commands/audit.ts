/** `notp audit`: the records of the log, the last ones or those that a filter lets through, and with --follow those that come. */
import { isatty } from 'node:tty';
import { entryOf } from '../audit/entry.ts';
import { isFiltering, wanted, type Filter } from '../audit/filter.ts';
import { endOf, follow } from '../audit/follow.ts';
import { blocksOf, lastLines, lastOf, linesIn, presentFilesOf } from '../audit/reading.ts';
import { errnoOf } from '../error.ts';
import { escapeControls } from '../otp/escape.ts';
import type { Config } from '../system/config.ts';
import { printResult } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { onEndingSignals } from '../system/signals.ts';
import { outputTraits } from '../system/traits.ts';
import { realUser } from '../system/users.ts';
import { statePlace } from '../verifier/state.ts';
import { tablePrinter } from './audit-table.ts';

export interface AuditOptions {
  readonly filter: Filter;
  /** The last so many of those; without it all that a filter lets through, or the last 20 of all. */
  readonly lines: number | undefined;
  readonly follow: boolean;
  /** JSON lines or the table; without it the table on a terminal alone. */
  readonly form: 'json' | 'table' | undefined;
}

const DEFAULT_LINES = 20;

/** Prints records, oldest first. The exit code is 0, also where the reader of stdout has seen enough. */
export async function audit(config: Config, options: AuditOptions): Promise<number> {
  const place = statePlace(config, realUser());
  const print = printer(config, options.form);
  // From the beginning, so that no moment is without it.
  const interrupt = options.follow ? onEndingSignals() : new AbortController().signal;
  await asUser(place.owner, async () => {
    try {
      await printAll(place.auditFile, options, print, interrupt);
    } catch (error) {
      if (!isReaderGone(error)) throw error;
    }
  });
  return 0;
}

/** Takes lines as they are in the log. */
type Print = (lines: readonly string[]) => void;

async function printAll(file: string, options: AuditOptions, print: Print, interrupt: AbortSignal): Promise<void> {
  if (!options.follow) {
    await printPresent(file, options, print, undefined);
    return;
  }
  // What comes while the present is printed comes after this place, and is told by follow().
  const place = await endOf(file);
  const isWanted = isWantedBy(options.filter);
  if (place.last !== undefined) await printPresent(file, options, print, place.last.toString('utf8').trimEnd());
  for await (const line of follow(file, place, interrupt)) if (isWanted(line)) print([line]);
}

/** Prints what is there, up to the line `end` where there is one. */
async function printPresent(file: string, { filter, lines }: AuditOptions, print: Print, end: string | undefined): Promise<void> {
  const files = presentFilesOf(file, filter.sinceMs);
  if (!isFiltering(filter)) {
    const last = await lastLines(files, lines ?? DEFAULT_LINES);
    print(last.slice(0, end === undefined || !last.includes(end) ? undefined : last.indexOf(end) + 1));
    return;
  }
  const found = wantedIn(files, isWantedBy(filter), end);
  if (lines !== undefined) print(await lastOf(flat(found), lines));
  else for await (const some of found) print(some);
}

/** The lines that are wanted, many at a time. */
async function* wantedIn(files: readonly string[], isWanted: (line: string) => boolean, end: string | undefined): AsyncGenerator<string[]> {
  for (const file of files) {
    for await (const block of blocksOf(file)) {
      const lines = linesIn(block);
      const index = end === undefined ? -1 : lines.indexOf(end);
      yield (index === -1 ? lines : lines.slice(0, index + 1)).filter(isWanted);
      if (index !== -1) return;
    }
  }
}

async function* flat(many: AsyncIterable<string[]>): AsyncGenerator<string> {
  for await (const lines of many) yield* lines;
}

function isWantedBy(filter: Filter): (line: string) => boolean {
  if (!isFiltering(filter)) return () => true;
  const entry = wanted(filter);
  return (line) => entry(line) !== undefined;
}

function printer({ context }: Config, form: AuditOptions['form']): Print {
  const onTerminal = isatty(1);
  if (form === 'json' || (form === undefined && !onTerminal)) {
    // A line that notp wrote has nothing to escape; somebody else may have written one.
    const shown = onTerminal ? escapeControls : (line: string): string => line;
    return (lines) => {
      if (lines.length > 0) printResult(lines.map((line) => `${shown(line)}\n`).join(''));
    };
  }
  const traits = onTerminal ? outputTraits() : { ...outputTraits(), colour: false };
  const row = tablePrinter({ traits, context });
  return (lines) => {
    if (lines.length > 0) printResult(lines.map((line) => row(entryOf(line), line)).join(''));
  };
}

/** Whether somebody closed the other end of stdout, as head(1) does. */
function isReaderGone(error: unknown): boolean {
  return error instanceof Error && errnoOf(error.cause) === 'EPIPE';
}

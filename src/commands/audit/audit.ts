/** `notp audit`: the records of the log, the last ones or those that a filter lets through, and with --follow those that come. */
import { isatty } from 'node:tty';
import { entryOf } from '../../audit/entry.ts';
import { isFiltering, wanted, type Filter } from '../../audit/filter.ts';
import { endOf, follow } from '../../audit/follow.ts';
import { merged } from '../../audit/merging.ts';
import { blocksOf, lastLines, lastOf, linesIn, presentFilesOf } from '../../audit/reading.ts';
import { errnoOf } from '../../error.ts';
import { escapeControls } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import { printResult } from '../../terminal/printer.ts';
import { onEndingSignals } from '../../system/signals.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { withLogs } from './logs.ts';
import { tablePrinter } from './table.ts';

export interface AuditOptions {
  readonly filter: Filter;
  /** The last so many of those; without it all that a filter lets through, or the last 20 of all. */
  readonly lines: number | undefined;
  readonly follow: boolean;
  /** Other logs than one's own; not with `follow`. */
  readonly files: readonly string[];
  /** JSON lines or the table; without it the table on a terminal alone. */
  readonly form: 'json' | 'table' | undefined;
}

const DEFAULT_LINES = 20;

/** Prints records, oldest first. The exit code is 0, also where the reader of stdout has seen enough. */
export async function audit(config: Config, options: AuditOptions): Promise<number> {
  const print = printer(config, options);
  // From the beginning, so that no moment is without it.
  const interrupt = options.follow ? onEndingSignals() : new AbortController().signal;
  await withLogs(config, options.files, async (logs) => {
    try {
      await printAll(logs, options, print, interrupt);
    } catch (error) {
      if (!isReaderGone(error)) throw error;
    }
  });
  return 0;
}

/** Takes lines as they are in the log. */
type Print = (lines: readonly string[]) => void;

async function printAll(logs: readonly string[], options: AuditOptions, print: Print, interrupt: AbortSignal): Promise<void> {
  const [file] = logs;
  if (!options.follow || file === undefined) {
    await printPresent(logs, options, print, undefined);
    return;
  }
  // What comes while the present is printed comes after this place, and is told by follow().
  const place = await endOf(file);
  const isWanted = isWantedBy(options.filter);
  if (place.last !== undefined) await printPresent(logs, options, print, place.last.toString('utf8').trimEnd());
  for await (const line of follow(file, place, interrupt)) if (isWanted(line)) print([line]);
}

/** Prints what is there, up to the line `end` where there is one. */
async function printPresent(
  logs: readonly string[],
  { filter, lines }: AuditOptions,
  print: Print,
  end: string | undefined,
): Promise<void> {
  const files = logs.map((log) => presentFilesOf(log, filter.sinceMs));
  if (!isFiltering(filter)) {
    const wantedLines = lines ?? DEFAULT_LINES;
    const each = await Promise.all(files.map((some) => lastLines(some, wantedLines)));
    const last = await lastOf(merged(each.map(streamed), timeOf), wantedLines);
    print(last.slice(0, end === undefined || !last.includes(end) ? undefined : last.indexOf(end) + 1));
    return;
  }
  const found = files.map((some) => wantedIn(some, isWantedBy(filter), end));
  const [only] = found;
  if (lines !== undefined) print(await lastOf(merged(found.map(flat), timeOf), lines));
  else if (only !== undefined && found.length === 1) for await (const some of only) print(some);
  else for await (const line of merged(found.map(flat), timeOf)) print([line]);
}

function timeOf(line: string): number | undefined {
  return entryOf(line)?.timeMs;
}

async function* streamed(lines: readonly string[]): AsyncGenerator<string> {
  yield* await Promise.resolve(lines);
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

function printer({ context }: Config, { form, files }: AuditOptions): Print {
  const onTerminal = isatty(1);
  if (form === 'json' || (form === undefined && !onTerminal)) {
    return (lines) => {
      // A line that notp wrote has nothing to escape; somebody else may have written one.
      if (lines.length > 0) printResult(lines.map((line) => `${escapeControls(line)}\n`).join(''));
    };
  }
  const traits = onTerminal ? outputTraits() : { ...outputTraits(), colour: false };
  const row = tablePrinter({ traits, context, hosts: files.length > 0 });
  return (lines) => {
    if (lines.length > 0) printResult(lines.map((line) => row(entryOf(line), line)).join(''));
  };
}

/** Whether somebody closed the other end of stdout, as head(1) does. */
function isReaderGone(error: unknown): boolean {
  return error instanceof Error && errnoOf(error.cause) === 'EPIPE';
}

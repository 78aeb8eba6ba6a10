/** `notp audit`: prints the last records of the log, or those that match the filters; with --follow also new ones. */
import { isatty } from 'node:tty';
import { entryOf } from '../../audit/entry.ts';
import { blockMatcherOf, isFiltering, matcherOf, type Filter } from '../../audit/filter.ts';
import { endOf, follow } from '../../audit/follow.ts';
import { merged } from '../../audit/merging.ts';
import { blocksOf, lastLines, lastOf, linesIn, presentFilesOf } from '../../audit/reading.ts';
import { escapeControls } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import { printResult, whileRead } from '../../terminal/printer.ts';
import { onEndingSignals } from '../../system/bytes.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { withLogs } from './logs.ts';
import { tablePrinter } from './table.ts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { ecsOf } from './ecs.ts';
import { ocsfOf } from './ocsf.ts';
import { addReport } from './report.ts';
import { auditStory } from './story.ts';
import { addVerify } from './verify.ts';
import { EVENT_FAMILIES, EVENT_NAMES, REASON_NAMES } from './words.ts';
import { MOMENT } from './time.ts';
import { recordedUser, withPeriod, type PeriodFlags } from './period.ts';
import { common, configOf, wholeNumber, type Finish, type Surroundings } from '../options.ts';

export interface AuditOptions {
  readonly filter: Filter;
  /** Print only this many of the last records. Undefined: all records that match a filter, or without filters the last 20. */
  readonly lines: number | undefined;
  readonly follow: boolean;
  /** Logs to read in place of the own log; not with `follow`. */
  readonly files: readonly string[];
  /** JSON lines, the table, or JSON lines in a schema of others. Undefined: the table on a terminal, else JSON. */
  readonly form: 'json' | 'table' | Schema | undefined;
}

const DEFAULT_LINES = 20;

/** Schemas of others, in which records can be printed. */
const SCHEMAS = { ecs: ecsOf, ocsf: ocsfOf } as const;
type Schema = keyof typeof SCHEMAS;

/** Prints records, oldest first. The exit code is 0, also if the reader of stdout closes the pipe. */
export async function audit(config: Config, options: AuditOptions): Promise<number> {
  const print = printer(config, options);
  // Listen from the beginning, so that no signal is missed.
  const interrupt = options.follow ? onEndingSignals() : new AbortController().signal;
  await withLogs(config, options.files, async (logs) => {
    await whileRead(() => printAll(logs, options, print, interrupt));
  });
  return 0;
}

/** Prints lines of the log. */
type Print = (lines: readonly string[]) => void;

async function printAll(logs: readonly string[], options: AuditOptions, print: Print, interrupt: AbortSignal): Promise<void> {
  const [file] = logs;
  if (!options.follow || file === undefined) {
    await printPresent(logs, options, print, undefined);
    return;
  }
  // follow() prints the records after this place, including those written while the present ones are printed.
  const place = await endOf(file);
  const isWanted = isWantedBy(options.filter);
  if (place.last !== undefined) await printPresent(logs, options, print, place.last.toString('utf8').trimEnd());
  for await (const line of follow(file, place, interrupt)) if (isWanted(line)) print([line]);
}

/** Prints the present records, up to the line `end` if it is given. */
async function printPresent(
  logs: readonly string[],
  { filter, lines }: AuditOptions,
  print: Print,
  end: string | undefined,
): Promise<void> {
  const files = logs.map((log) => presentFilesOf(log));
  if (!isFiltering(filter)) {
    const wantedLines = lines ?? DEFAULT_LINES;
    const each = await Promise.all(files.map((some) => lastLines(some, wantedLines)));
    const last = await lastOf(merged(each.map(streamed), timeOf), wantedLines);
    print(last.slice(0, end === undefined || !last.includes(end) ? undefined : last.indexOf(end) + 1));
    return;
  }
  const found = files.map((some) => wantedIn(some, filter, end));
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

/** The lines that match the filter, many at a time; none after the line `end`. */
async function* wantedIn(files: readonly string[], filter: Filter, end: string | undefined): AsyncGenerator<string[]> {
  const [isWanted, mayMatch] = [isWantedBy(filter), blockMatcherOf(filter)];
  for (const file of files) {
    for await (const block of blocksOf(file)) {
      const isLast = end !== undefined && block.includes(end);
      if (!isLast && !mayMatch(block)) continue;
      const lines = linesIn(block);
      const index = isLast ? lines.indexOf(end) : -1;
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
  const entry = matcherOf(filter);
  return (line) => entry(line) !== undefined;
}

function printer({ context }: Config, { form, files }: AuditOptions): Print {
  const onTerminal = isatty(1);
  if (form === 'json' || (form === undefined && !onTerminal)) {
    return (lines) => {
      // Lines of notp need no escaping, but somebody else may have written to the file.
      if (lines.length > 0) printResult(lines.map((line) => `${escapeControls(line)}\n`).join(''));
    };
  }
  if (form === 'ecs' || form === 'ocsf') {
    return (lines) => {
      const entries = lines.flatMap((line) => entryOf(line) ?? []);
      if (entries.length > 0) printResult(entries.map((entry) => `${escapeControls(JSON.stringify(SCHEMAS[form](entry)))}\n`).join(''));
    };
  }
  const traits = onTerminal ? outputTraits() : { ...outputTraits(), colour: false };
  const row = tablePrinter({ traits, context, hosts: files.length > 0 });
  return (lines) => {
    if (lines.length > 0) printResult(lines.map((line) => row(entryOf(line), line)).join(''));
  };
}

interface AuditFlags extends PeriodFlags {
  readonly event?: string;
  readonly context?: string;
  readonly reason?: string;
  readonly rhost?: string;
  readonly ref?: string;
  readonly lines?: number;
  readonly follow?: boolean;
  readonly table?: boolean;
  readonly format?: Schema;
}

const MAX_LINES = 10_000;

/** Adds `audit`, `audit verify` and `audit report`. */
export function addAudit(program: Command, { now }: Surroundings, finish: Finish): void {
  // Options after a subcommand belong to the subcommand.
  const command = withFilters(withPeriod(common(program.command('audit')), now))
    .description('show the last records of the audit log, or those that match the options, also from rotated files')
    .helpCommand(false)
    .enablePositionalOptions()
    .addHelpText('after', HELP)
    .action(async (flags: AuditFlags) => {
      const config = configOf(flags);
      if (flags.ref !== undefined && flags.follow !== true && flags.format === undefined) {
        finish(await auditStory(config, { ref: flags.ref, json: flags.json === true, files: flags.file ?? [] }, now));
        return;
      }
      const form = flags.format ?? (flags.json === true ? 'json' : flags.table === true ? 'table' : undefined);
      const { lines, file: files = [] } = flags;
      finish(await audit(config, { filter: filterOf(flags), lines, follow: flags.follow === true, files, form }));
    });
  addVerify(command, now, finish);
  addReport(command, now, finish);
}

const HELP = `
A time is ${MOMENT.replace(', 90m', ',\n90m')}.
--until is exclusive; a date means its midnight. On a terminal the records are
a table, otherwise JSON lines as in the log.

Examples:
  notp audit --ref 1a2b3c4d                       why this login was refused
  notp audit --user alice --since yesterday
  notp audit --event login.refused --follow       new ones, across log rotation
  notp audit --since 7d --json | jq -r .rhost     for a script
  notp audit --format ecs --follow                for a log pipeline
  notp audit --user alice --file web1.log --file web2.log   of a fleet`;

function withFilters(command: Command): Command {
  const others = ['user', 'since', 'until', 'event', 'context', 'reason', 'rhost', 'lines'];
  return command
    .option(
      '--event <name>',
      `only this event, one of ${[...EVENT_NAMES, ...EVENT_FAMILIES].join(', ')}`,
      oneOf([...EVENT_NAMES, ...EVENT_FAMILIES]),
    )
    .option('--reason <name>', 'only refusals for this reason', oneOf(REASON_NAMES))
    .option('--context <name>', 'only records of this secret')
    .option('--rhost <address>', 'only records from this address')
    .addOption(new Option('--ref <ref>', 'everything about the attempt with this reference').argParser(reference).conflicts(others))
    .option('-n, --lines <n>', 'number of records, counted from the end (default: 20 without other filters)', wholeNumber(1, MAX_LINES))
    .addOption(new Option('-f, --follow', 'keep printing new records until Ctrl-C').conflicts('file'))
    .addOption(new Option('--json', 'print JSON lines, also on a terminal').conflicts('table'))
    .addOption(
      new Option('--format <schema>', 'print JSON lines in the schema of Elastic (ecs) or OCSF')
        .choices(Object.keys(SCHEMAS))
        .conflicts(['json', 'table']),
    )
    .option('--table', 'print the table, also if stdout is not a terminal');
}

function filterOf({ event, context, reason, rhost, ref, since: sinceMs, until: untilMs, ...whose }: AuditFlags): Filter {
  return { user: recordedUser(whose), event, context, reason, rhost, ref, sinceMs, untilMs };
}

function oneOf(names: readonly string[]): (given: string) => string {
  return (given) => {
    if (names.includes(given)) return given;
    throw new InvalidArgumentError(`It must be one of ${names.join(', ')}.`);
  };
}

function reference(given: string): string {
  if (/^[0-9a-f]{8}$/i.test(given)) return given.toLowerCase();
  throw new InvalidArgumentError('It must be the 8 hex digits at the end of a refusal, as in "(ref 1a2b3c4d)".');
}

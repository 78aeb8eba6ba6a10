/** `notp audit report`: counts logins, refusals by reason, and sources, for each user and day. */
import { isatty } from 'node:tty';
import { recordsIn, type Filter } from '../../audit/filter.ts';
import { byCount, count, totalOf, type Day, type Reports, type UserReport } from '../../audit/report.ts';
import type { Config } from '../../system/config.ts';
import { printResult, sayHint } from '../../terminal/printer.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { withLogs } from './logs.ts';
import { reportScreen } from './report-screen.ts';
import { dayOf } from '../../terminal/local-time.ts';
import type { Command } from 'commander';
import { common, configOf, type Finish } from '../options.ts';
import { recordedUser, withPeriod, type PeriodFlags } from './period.ts';
import { momentOf } from './time.ts';

export interface ReportOptions {
  readonly user: string | undefined;
  readonly sinceMs: number;
  readonly untilMs: number | undefined;
  readonly json: boolean;
  /** Logs to read in place of the own log. */
  readonly files: readonly string[];
}

/** Prints text, or with `json` one object for each user. */
async function auditReport(config: Config, { json, files, ...filter }: ReportOptions): Promise<number> {
  const reports = await withLogs(config, files, (logs) => reportsOf(logs, filter));
  const sorted = [...reports.values()].toSorted((one, other) => compare(one.user, other.user));
  if (json) printResult(sorted.map((report) => `${jsonOf(report)}\n`).join(''));
  else if (sorted.length === 0) sayHint('no login and no refusal in that time; use an earlier --since to look further back');
  else printResult(reportScreen(sorted, isatty(1) ? outputTraits() : { ...outputTraits(), colour: false }));
  return 0;
}

async function reportsOf(logs: readonly string[], filter: Filter): Promise<Reports> {
  const reports: Reports = new Map();
  for (const log of logs) for await (const { entry } of recordsIn(log, filter)) count(reports, entry, dayOf(entry.timeMs));
  return reports;
}

/** Sorts by name, with the sum of unknown names last. */
function compare(one: string | undefined, other: string | undefined): number {
  if (one === undefined || other === undefined) return Number(one === undefined) - Number(other === undefined);
  return one < other ? -1 : Number(one > other);
}

function jsonOf(report: UserReport): string {
  return JSON.stringify({
    user: report.user ?? null,
    ...counts(totalOf(report)),
    sources: Object.fromEntries(byCount(report.sources)),
    other_sources: report.otherSources,
    days: [...report.days].map(([day, each]) => ({ day, ...counts(each) })),
  });
}

function counts({ logins, refused, refusals }: Day): object {
  return { logins, refused, refusals: Object.fromEntries(byCount(refusals)) };
}

const REPORT_SINCE = '30d';

/** Adds `report`. */
export function addReport(audit: Command, now: () => number, finish: Finish): void {
  withPeriod(common(audit.command('report')), now)
    .description(`count logins, refusals by reason and sources for each user and day (default: --since ${REPORT_SINCE})`)
    .option('--json', 'print one JSON object for each user, days inside')
    .addHelpText('after', "\nExamples:\n  notp audit report --since 7d\n  notp audit report --json | jq -r 'select(.refused > 10).user'")
    .action(async (_: unknown, command: Command) => {
      const { since, until: untilMs, json, ...flags } = command.optsWithGlobals<PeriodFlags>();
      const { file: files = [] } = flags;
      const sinceMs = since ?? momentOf(REPORT_SINCE, now()) ?? 0;
      finish(await auditReport(configOf(flags), { user: recordedUser(flags), sinceMs, untilMs, json: json === true, files }));
    });
}

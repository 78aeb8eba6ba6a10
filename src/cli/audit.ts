/** The commands that read the audit log. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Filter } from '../audit/filter.ts';
import { MOMENT, momentOf } from '../commands/audit/time.ts';
import { EVENT_FAMILIES, EVENT_NAMES, REASON_NAMES } from '../commands/audit/words.ts';
import { common, configOf, wholeNumber, type CommonFlags, type Finish, type Surroundings } from './common.ts';

interface PeriodFlags extends CommonFlags {
  readonly user?: string;
  /** Unix time in milliseconds. */
  readonly since?: number;
  readonly until?: number;
  readonly file?: readonly string[];
  readonly json?: boolean;
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
}

const MAX_LINES = 10_000;
const REPORT_SINCE = '30d';

/** Adds `audit`, `audit verify` and `audit report`. */
export function addAudit(program: Command, { now }: Surroundings, finish: Finish): void {
  // Options after a subcommand are the subcommand's.
  const audit = withFilters(withPeriod(common(program.command('audit')), now))
    .description('show the last records of the audit log, or those that the options let through; rotated files too')
    .helpCommand(false)
    .enablePositionalOptions()
    .addHelpText('after', HELP)
    .action(async (flags: AuditFlags) => {
      const config = configOf(flags);
      if (flags.ref !== undefined && flags.follow !== true) {
        const { auditStory } = await import('../commands/audit/story.ts');
        finish(await auditStory(config, { ref: flags.ref, json: flags.json === true, files: flags.file ?? [] }, now));
        return;
      }
      const command = await import('../commands/audit/audit.ts');
      const form = flags.json === true ? 'json' : flags.table === true ? 'table' : undefined;
      const { lines, follow = false, file: files = [] } = flags;
      finish(await command.audit(config, { filter: await filterOf(flags), lines, follow, files, form }));
    });
  addVerify(audit, now, finish);
  addReport(audit, now, finish);
}

const HELP = `
A time is ${MOMENT.replace(', 90m', ',\n90m')}.
--until itself is too late; a date is its midnight. On a terminal the records
are a table, otherwise JSON lines as they are in the log.

Examples:
  notp audit --ref 1a2b3c4d                       why was this login refused
  notp audit --user alice --since yesterday
  notp audit --event login.refused --follow       as they come, across rotation
  notp audit --since 7d --json | jq -r .rhost     for a script
  notp audit --user alice --file web1.log --file web2.log   of a fleet`;

function withPeriod(command: Command, now: () => number): Command {
  return command
    .option('--user <name>', 'of this user')
    .option('--since <time>', 'from then on', moment(now))
    .option('--until <time>', 'before then', moment(now))
    .option(
      '--file <file>',
      'of this log, with what was rotated beside it, as a copy of that of another host; may be given several times',
      collected,
    );
}

function withFilters(command: Command): Command {
  const others = ['user', 'since', 'until', 'event', 'context', 'reason', 'rhost', 'lines'];
  return command
    .option(
      '--event <name>',
      `with this event, one of ${[...EVENT_NAMES, ...EVENT_FAMILIES].join(', ')}`,
      oneOf([...EVENT_NAMES, ...EVENT_FAMILIES]),
    )
    .option('--reason <name>', 'refused for this reason', oneOf(REASON_NAMES))
    .option('--context <name>', 'of this secret')
    .option('--rhost <address>', 'from this address')
    .addOption(new Option('--ref <ref>', 'the whole story of the attempt with this reference').argParser(reference).conflicts(others))
    .option('-n, --lines <n>', 'the last so many of them (default: 20 where nothing else is asked for)', wholeNumber(1, MAX_LINES))
    .addOption(new Option('-f, --follow', 'go on with each record as it comes, until Ctrl-C').conflicts('file'))
    .addOption(new Option('--json', 'JSON lines, on a terminal too').conflicts('table'))
    .option('--table', 'the table, also where stdout is no terminal');
}

async function filterOf({ event, context, reason, rhost, ref, since: sinceMs, until: untilMs, ...whose }: AuditFlags): Promise<Filter> {
  return { user: await recordedUser(whose), event, context, reason, rhost, ref, sinceMs, untilMs };
}

/** Records have the name of the account. Another host may call it otherwise. */
async function recordedUser({ user, file = [] }: Pick<PeriodFlags, 'user' | 'file'>): Promise<string | undefined> {
  const { accountName } = await import('../system/users.ts');
  return user === undefined || file.length > 0 ? user : accountName(user);
}

interface VerifyFlags extends CommonFlags {
  readonly host?: string;
  /** As `audit` itself takes it, which comes first. */
  readonly file?: readonly string[];
  readonly key?: string;
  readonly outage?: boolean;
  readonly resume?: boolean;
  readonly json?: boolean;
}

function addVerify(audit: Command, now: () => number, finish: Finish): void {
  common(audit.command('verify'))
    .description('check that no record was changed, removed, moved or cut off, in rotated files too')
    .option('--host <name>', 'the log of another host that shares the store, against what the store knows of it')
    .option('--file <file>', "with --host: that log or a copy of it, with what was rotated beside it (default: this host's)", collected)
    .option('--key <file>', 'with --host: a copy of the key file of that host, where it has one of its own')
    .addOption(
      new Option('--outage', 'the log of what this host has decided while it could not reach the store').conflicts(['host', 'file', 'key']),
    )
    .addOption(
      new Option('--resume', "go on after the last record of the log, where the store's head was changed outside notp").conflicts([
        ...['host', 'file', 'key', 'json'],
      ]),
    )
    .option('--json', 'print one JSON object')
    .action(async (_: unknown, command: Command) => {
      const { host, file: files = [], key, outage, resume, json, ...flags } = command.optsWithGlobals<VerifyFlags>();
      const [file, ...others] = files;
      if (others.length > 0) command.error("error: option '--file <file>' of verify is of one log; check one after the other");
      const { verifyAudit } = await import('../commands/audit/verify.ts');
      const options = { host, file, key, outage: outage === true, resume: resume === true, json: json === true };
      finish(await verifyAudit(configOf(flags), options, now));
    });
}

function addReport(audit: Command, now: () => number, finish: Finish): void {
  withPeriod(common(audit.command('report')), now)
    .description(`logins, refusals by reason and sources of each user, by day (default: --since ${REPORT_SINCE})`)
    .option('--json', 'print one JSON object for each user, days inside')
    .addHelpText('after', "\nExamples:\n  notp audit report --since 7d\n  notp audit report --json | jq -r 'select(.refused > 10).user'")
    .action(async (_: unknown, command: Command) => {
      const { since, until: untilMs, json, ...flags } = command.optsWithGlobals<PeriodFlags>();
      const { file: files = [] } = flags;
      const { auditReport } = await import('../commands/audit/report.ts');
      const sinceMs = since ?? momentOf(REPORT_SINCE, now()) ?? 0;
      finish(await auditReport(configOf(flags), { user: await recordedUser(flags), sinceMs, untilMs, json: json === true, files }));
    });
}

function moment(now: () => number): (given: string) => number {
  return (given) => {
    const timeMs = momentOf(given, now());
    if (timeMs !== undefined) return timeMs;
    throw new InvalidArgumentError(`It must be one of ${MOMENT}.`);
  };
}

function collected(given: string, before: readonly string[] = []): readonly string[] {
  return [...before, given];
}

function oneOf(names: readonly string[]): (given: string) => string {
  return (given) => {
    if (names.includes(given)) return given;
    throw new InvalidArgumentError(`It must be one of ${names.join(', ')}.`);
  };
}

function reference(given: string): string {
  if (/^[0-9a-f]{8}$/i.test(given)) return given.toLowerCase();
  throw new InvalidArgumentError('It must be the 8 hex digits that a refusal ends with, as in "(ref 1a2b3c4d)".');
}

/** `notp doctor`: prints the findings of src/doctor/ and their fixes. */
import { openProgressLine } from '../../terminal/progress.ts';
import { isatty } from 'node:tty';
import { setFlagsFromString } from 'node:v8';
import { examine, type Standing } from '../../doctor/doctor.ts';
import { couldCheck, NOT_RUN, type Finding } from '../../doctor/finding.ts';
import type { Config } from '../../system/config.ts';
import { messageOf, NotpError } from '../../error.ts';
import { printResult, sayHint } from '../../terminal/printer.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { doctorScreen } from './screen.ts';
import { uidsCoveredBy } from '../../setup/limits.ts';
import { setupsInForce } from '../../setup/record.ts';
import { Option, type Command } from 'commander';
import { doctorChanges } from './changes.ts';
import { type CommonFlags, type Finish, type Surroundings, common, configOf } from '../options.ts';

export interface DoctorCommandOptions {
  readonly users: readonly string[] | undefined;
  readonly sshdConfig: string | undefined;
  readonly json: boolean;
  /** With `json`: also the details without what changes by itself, for `--changes`. */
  readonly steady?: boolean;
}

/** The width of output that does not go to a terminal. */
const PIPED_COLUMNS = 100;

/** Gives 1 if a check failed, 3 if sshd or its users could not be checked, else 0. */
export async function doctor(
  config: Config,
  { users, sshdConfig, json, steady }: DoctorCommandOptions,
  now: () => number,
): Promise<number> {
  // Little of thousands of accounts is kept for long: what is done with is collected at once, and not when it fills some 50 MB.
  setFlagsFromString('--semi-space-growth-factor=1');
  const line = openProgressLine(now, 0);
  const progress = (label: string, of?: Standing): void => {
    if (of === undefined) line.show(() => label);
    else line.showBar({ ...of, label });
  };
  const findings = await examine({ config, users, sshdConfig, covered, now, progress }).finally(() => {
    line.end();
  });
  printResult(json ? findings.map((finding) => jsonOf(finding, steady)).join('') : doctorScreen(findings, screen()));
  const failed = findings.some(({ severity }) => severity === 'fail');
  if (!json && failed) sayHint(hintFor(findings));
  if (failed) return 1;
  return couldCheck(findings) ? 0 : 3;
}

function jsonOf({ steady, ...finding }: Finding, withSteady = false): string {
  return `${JSON.stringify(withSteady && steady !== undefined ? { ...finding, steady } : finding)}\n`;
}

function covered(): ReadonlySet<number> {
  return uidsCoveredBy(setupsInForce());
}

/** Whoever reads JSON must not take an empty output for a clean one: an error of doctor itself is a finding there too. */
async function told(json: boolean, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    const fix = error instanceof NotpError ? (error.hint ?? '') : '';
    const finding: Finding = {
      id: NOT_RUN,
      severity: 'fail',
      title: 'notp doctor could not check anything',
      detail: messageOf(error),
      fix,
    };
    if (json) printResult(`${JSON.stringify(finding)}\n`);
    throw error;
  }
}

function screen(): { columns: number; colour: boolean; utf8: boolean } {
  if (!isatty(1)) return { columns: PIPED_COLUMNS, colour: false, utf8: true };
  return outputTraits();
}

function hintFor(findings: readonly Finding[]): string {
  const missing = findings.some(({ id }) => id === 'no-gate');
  return missing ? 'notp setup gate shows what it would change' : 'fix the problems from the top, then run notp doctor again';
}

interface DoctorFlags extends CommonFlags {
  readonly user?: readonly string[];
  readonly sshdConfig?: string;
  readonly changes?: boolean;
  readonly steady?: boolean;
  readonly json?: boolean;
}

/** Adds `doctor`. */
export function addDoctor(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('doctor'))
    .description('check the whole login path and print the fix for each problem')
    .option('--user <names...>', 'check only these users (default: root and all enrolled users)')
    .option('--sshd-config <file>', 'check this sshd_config instead of those of the running sshds')
    .addOption(
      new Option('--changes', 'print what is new and what is gone since the last --changes; a timer runs it').conflicts([
        'user',
        'sshdConfig',
      ]),
    )
    .option('--json', 'print one JSON object for each check')
    .addOption(new Option('--steady', 'for --changes, which calls itself').hideHelp())
    .addHelpText('after', '\nExit codes: 0 no check failed, 1 a check failed, 3 sshd or its users could not be checked.')
    .action(async (flags: DoctorFlags) => {
      const json = flags.json === true;
      if (flags.changes === true) {
        finish(await doctorChanges({ flags, json, screen: screen() }, now));
        return;
      }
      finish(
        await told(json, () =>
          doctor(configOf(flags), { users: flags.user, sshdConfig: flags.sshdConfig, json, steady: flags.steady === true }, now),
        ),
      );
    });
}

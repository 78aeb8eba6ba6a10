/** `notp setup gate|pam|sudo`: shows or writes the configuration of sshd and PAM, in a way that can be undone. */
import { existsSync } from 'node:fs';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { durationOf } from '../../system/settings.ts';
import { isMember, type Config } from '../../system/config.ts';
import { printResult, say, sayError, sayHint, sayLine } from '../../terminal/printer.ts';
import { requireRoot } from '../../system/privileges.ts';
import { isRoot } from '../../system/users.ts';
import { withRulesInForce } from '../../login/stored-rules.ts';
import type { Finding } from '../../doctor/doctor.ts';
import { applyPlan, type Applied } from '../../setup/apply.ts';
import { scopeOf, type Named } from '../../setup/concerned.ts';
import { difference } from '../../setup/difference.ts';
import { refusedBy } from '../../setup/refused.ts';
import { planFor, type Change, type Plan, type SetupDoor } from '../../setup/plan.ts';
import { describeScope } from '../../setup/scope.ts';
import { FIRST, PROGRAM, type First } from '../../setup/sshd-drop-in.ts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { addCallers } from './callers.ts';
import { addConfirm, addUndo } from './end.ts';
import { common, configOf, type CommonFlags, type Finish, type Surroundings } from '../options.ts';

export interface SetupOptions {
  readonly door: SetupDoor;
  readonly named: Named;
  readonly apply: boolean;
  readonly json: boolean;
  readonly force: boolean;
  readonly reload: boolean;
  readonly grants: boolean;
  readonly first: First | undefined;
  readonly confirmWithinSeconds: number | undefined;
}

/** Gives 0 if the setup is in place or was shown, 1 if doctor found a problem with it. */
export async function setup(
  given: Config,
  options: SetupOptions,
  surroundings: { readonly environment: NodeJS.ProcessEnv; readonly now: () => number },
): Promise<number> {
  if (options.apply) requireRoot('set up', shellCommand`sudo notp setup ${options.door} --apply`);
  if (isMember(given))
    throw new NotpError(
      'refused',
      'this host is a member of a fleet, and only its judges know who would be locked out',
      'write the lines by hand: see docs/pam.md and docs/gate.md',
    );
  const config = isRoot() ? await withRulesInForce(given, surroundings.now) : given;
  const plan = planFor(options.door, scopeOf(options.door, options.named), config, options);
  if (plan.changes.length === 0) {
    sayHint(`${options.door} is already set up for ${describeScope(plan.scope)}: there is nothing to change`);
    return 0;
  }
  if (!options.apply) return await show(plan, config, { ...options, now: surroundings.now });
  if (!existsSync(PROGRAM))
    throw new NotpError('refused', `there is no ${PROGRAM}`, 'sshd and PAM call it by that name: make a link with that name');
  const outcome = await applyPlan(plan, { ...options, config, ...surroundings, tell: sayHint });
  if ('rejected' in outcome) return sayRejected(outcome.rejected);
  printApplied(plan, outcome, options, surroundings.now());
  return 0;
}

/** Shows the changes and writes nothing. */
async function show(plan: Plan, config: Config, { json, now }: SetupOptions & { readonly now: () => number }): Promise<number> {
  for (const change of plan.changes) printResult(json ? asJson(change) : difference(change));
  for (const note of plan.notes) sayHint(note);
  // Others than root see neither the enrolments nor the keys.
  if (isRoot()) for (const sentence of await refusedBy(plan, config, now)) sayHint(sentence);
  const then = plan.door === 'sudo' ? '' : ', runs sshd -t, reloads sshd';
  sayHint(`nothing was written; this is for ${describeScope(plan.scope)}`);
  const apply = shellCommand`notp setup ${plan.door} --apply`;
  sayHint(`${apply} makes a backup, writes the files${then}, runs notp doctor, and undoes all of it unless you confirm`);
  return 0;
}

function asJson(change: Change): string {
  const action = change.before === undefined ? 'create' : 'change';
  return JSON.stringify({ file: change.file, action, diff: new TextDecoder().decode(difference(change)) }) + '\n';
}

function sayRejected(findings: readonly Finding[]): number {
  for (const finding of findings) sayError(textOf(finding), finding.fix === '' ? undefined : finding.fix);
  sayError(
    'notp doctor found problems with this setup, so all files were restored',
    'fix these problems, or leave those users out with --user or --group, and try again',
  );
  return 1;
}

function textOf({ id, user, title, detail }: Finding): string {
  return `${id}${user === undefined ? '' : ` (${user})`}: ${title}: ${detail}`;
}

function printApplied(plan: Plan, { setup: made, reloaded, left }: Applied, options: SetupOptions, nowMs: number): void {
  const within = options.confirmWithinSeconds;
  const until = within === undefined ? undefined : new Date(nowMs + within * 1000).toISOString();
  if (options.json) {
    for (const change of plan.changes) printResult(asJson(change));
    printResult(
      JSON.stringify({ id: made.id, door: plan.door, reloaded: reloaded ?? null, confirm_within_seconds: within ?? null }) + '\n',
    );
  }
  for (const { file } of plan.changes) sayLine(`Wrote ${file}`);
  if (reloaded !== undefined) sayLine(`Reloaded ${reloaded}`);
  for (const note of plan.notes) sayHint(note);
  for (const finding of left) sayHint(`notp doctor still fails: ${textOf(finding)}`);
  if (plan.door !== 'sudo' && reloaded === undefined) sayHint('no sshd was reloaded: new logins ask for a code only after you reload it');
  sayHint(`the backup of the files is in ${made.folder}`);
  if (until === undefined) return;
  say(`\nAll of this is undone at ${until}, unless you confirm it. Keep this session open.\n`);
  say(plan.door === 'sudo' ? '  1. log in a second time, and try sudo there\n' : '  1. log in a second time by SSH; it asks for a code\n');
  say('  2. in that new login: notp setup confirm\n');
}

interface DoorFlags extends CommonFlags {
  readonly apply?: boolean;
  readonly user: readonly string[];
  readonly group: readonly string[];
  readonly confirmWithin: number | 'never';
  readonly force?: boolean;
  readonly reload: boolean;
  readonly grants?: boolean;
  readonly first?: First;
  readonly json?: boolean;
}

const DOORS: Readonly<Record<SetupDoor, string>> = {
  gate: 'have sshd call the gate (ForceCommand) for every session, and close the ways around it',
  pam: 'have sshd ask for key or password and then, through PAM, for a code',
  sudo: 'have sudo ask for a code on its terminal, after the password',
};

const MAX_CONFIRM_SECONDS = 86_400;

/** Adds `setup` with `gate`, `pam`, `sudo`, `confirm`, `undo` and `callers`. */
export function addSetup(program: Command, surroundings: Surroundings, finish: Finish): void {
  const command = program
    .command('setup')
    .description('write the right configuration of sshd or PAM, or remove it; without --apply only show it')
    .helpCommand(false)
    .addHelpText(
      'after',
      '\nExamples:\n  notp setup gate                               show what would be written\n  sudo notp setup gate --group admins --apply   write it; undone again unless\n  sudo notp setup confirm                       this is run in a new login',
    );
  for (const door of ['gate', 'pam', 'sudo'] as const) addDoor(command, door, surroundings, finish);
  addConfirm(command, surroundings, finish);
  addUndo(command, finish);
  addCallers(command, finish);
}

function addDoor(parent: Command, door: SetupDoor, surroundings: Surroundings, finish: Finish): void {
  const command = common(parent.command(door))
    .description(DOORS[door])
    .addOption(new Option('--apply', 'write the configuration').conflicts('dryRun'))
    .option('--dry-run', 'show what would be written (the default)')
    .addOption(names('--user <name>', 'only for this user; may be given several times'))
    .addOption(names('--group <name>', 'only for the members of this group; may be given several times'))
    .addOption(
      new Option('--confirm-within <time>', 'undo it after this time unless it is confirmed: "30s", "5m", "1h" or "never"')
        .default(300, '5m')
        .argParser(confirmTime),
    )
    .option('--force', 'write it even if it would lock you out')
    .option('--no-reload', 'do not reload sshd')
    .option('--json', 'print one JSON object for each file')
    .action(async (flags: DoorFlags) => {
      const [apply, force, json] = [flags.apply === true, flags.force === true, flags.json === true];
      const named = { users: flags.user, groups: flags.group };
      const options = {
        door,
        named,
        apply,
        force,
        json,
        reload: flags.reload,
        grants: flags.grants === true,
        first: flags.first,
        confirmWithinSeconds: flags.confirmWithin === 'never' ? undefined : flags.confirmWithin,
      };
      finish(await setup(configOf(flags), options, surroundings));
    });
  if (door !== 'pam') return;
  command
    .option('--grants', 'prompt nobody who has a grant; each login then starts one process more')
    .addOption(
      new Option('--first <method>', 'how sshd takes a password before the code; "password" is for clients that answer one question')
        .choices(FIRST)
        .default(FIRST[0]),
    );
}

function names(flags: string, description: string): Option {
  return new Option(flags, description).default([], 'everybody').argParser(oneMoreName);
}

function oneMoreName(given: string, before: readonly string[]): readonly string[] {
  return [...before, given];
}

/** The time in seconds. (commander turns undefined into an empty text.) */
function confirmTime(given: string): number | 'never' {
  if (given === 'never') return given;
  const seconds = (durationOf(given, 'smh') ?? 0) / 1000;
  if (seconds >= 1 && seconds <= MAX_CONFIRM_SECONDS) return seconds;
  throw new InvalidArgumentError('It must be "never" or a time such as "30s", "5m" or "1h", at most "24h".');
}

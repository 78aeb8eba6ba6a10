/** `notp setup`. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { SetupDoor } from '../setup/plan.ts';
import { common, configOf, type CommonFlags, type Finish, type Surroundings } from './common.ts';

interface DoorFlags extends CommonFlags {
  readonly apply?: boolean;
  readonly user: readonly string[];
  readonly group: readonly string[];
  readonly confirmWithin: number | 'never';
  readonly force?: boolean;
  readonly reload: boolean;
  readonly json?: boolean;
}
interface EndFlags {
  readonly ifUnconfirmed?: string | true;
  readonly force?: boolean;
  readonly reload: boolean;
  readonly json?: boolean;
}

const DOORS: Readonly<Record<SetupDoor, string>> = {
  gate: 'have sshd call the gate (ForceCommand) for every session, and close what goes around it',
  pam: 'have sshd ask for key or password and then, through PAM, for a code',
  sudo: 'have sudo ask for a code on its terminal, after the password',
};
const MAX_CONFIRM_SECONDS = 86_400;

/** Adds `setup` with `gate`, `pam`, `sudo`, `confirm` and `undo`. */
export function addSetup(program: Command, surroundings: Surroundings, finish: Finish): void {
  const setup = program
    .command('setup')
    .description('put the right configuration of sshd or PAM in place, or take it away; without --apply show it')
    .helpCommand(false)
    .addHelpText(
      'after',
      '\nExamples:\n  notp setup gate                               show what would be written\n  sudo notp setup gate --group admins --apply   write it; it is undone unless\n  sudo notp setup confirm                       this is run in a new login',
    );
  for (const door of ['gate', 'pam', 'sudo'] as const) addDoor(setup, door, surroundings, finish);
  addConfirm(setup, finish);
  addUndo(setup, finish);
}

function addDoor(setup: Command, door: SetupDoor, surroundings: Surroundings, finish: Finish): void {
  common(setup.command(door))
    .description(DOORS[door])
    .addOption(new Option('--apply', 'write it').conflicts('dryRun'))
    .option('--dry-run', 'show what would be written (the default)')
    .addOption(names('--user <name>', 'only for this user; may be given again'))
    .addOption(names('--group <name>', 'only for the members of this group; may be given again'))
    .addOption(
      new Option('--confirm-within <time>', 'undo it after this time unless it is confirmed: "30s", "5m", "1h" or "never"')
        .default(300, '5m')
        .argParser(confirmTime),
    )
    .option('--force', 'also where it would lock you out')
    .option('--no-reload', 'do not have sshd read its configuration again')
    .option('--json', 'print one JSON object for each file')
    .action(async (flags: DoorFlags) => {
      const command = await import('../commands/setup/setup.ts');
      const [apply, force, json] = [flags.apply === true, flags.force === true, flags.json === true];
      const named = { users: flags.user, groups: flags.group };
      const options = {
        door,
        named,
        apply,
        force,
        json,
        reload: flags.reload,
        confirmWithinSeconds: flags.confirmWithin === 'never' ? undefined : flags.confirmWithin,
      };
      finish(await command.setup(configOf(flags), options, surroundings));
    });
}

function addConfirm(setup: Command, finish: Finish): void {
  setup
    .command('confirm')
    .description('keep what was set up; from a login that began after it')
    .allowExcessArguments(false)
    .option('--json', 'print one JSON object')
    .action(async (flags: EndFlags) => {
      const { confirm } = await import('../commands/setup/end.ts');
      finish(confirm({ json: flags.json === true }));
    });
}

function addUndo(setup: Command, finish: Finish): void {
  setup
    .command('undo')
    .description('take away all that was set up: every file as it was before')
    .allowExcessArguments(false)
    .option('--force', 'also where somebody has changed a file since; what they changed is kept aside')
    .option('--no-reload', 'do not have sshd read its configuration again')
    .addOption(new Option('--if-unconfirmed [id]', 'what the timer asks for, and without an id the next boot').hideHelp())
    .option('--json', 'print one JSON object for each setup')
    .action(async (flags: EndFlags) => {
      const { undo } = await import('../commands/setup/end.ts');
      const { ifUnconfirmed, reload } = flags;
      finish(undo({ ifUnconfirmed, reload, force: flags.force === true, json: flags.json === true }));
    });
}

function names(flags: string, description: string): Option {
  return new Option(flags, description).default([], 'everybody').argParser(oneMoreName);
}

function oneMoreName(given: string, before: readonly string[]): readonly string[] {
  return [...before, given];
}

/** In seconds. (commander makes an empty text of undefined.) */
function confirmTime(given: string): number | 'never' {
  if (given === 'never') return given;
  const [, count, unit] = /^(\d{1,5})([smh])$/.exec(given) ?? [];
  const seconds = Number(count) * (unit === 's' ? 1 : unit === 'm' ? 60 : 3600);
  if (seconds >= 1 && seconds <= MAX_CONFIRM_SECONDS) return seconds;
  throw new InvalidArgumentError('It must be "never" or a time such as "30s", "5m" or "1h", at most "24h".');
}

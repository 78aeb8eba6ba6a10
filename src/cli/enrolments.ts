/** The commands that look after enrolments. */
import { Option, type Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish, type Surroundings } from './common.ts';

interface StatusFlags extends CommonFlags {
  readonly user?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}
interface UnlockFlags extends CommonFlags {
  readonly user?: string;
  readonly json?: boolean;
}
interface RevokeFlags extends UnlockFlags {
  readonly yes?: boolean;
}

const CONTEXT = 'name of the secret';
const JSON_LINES = 'print JSON, one object a line';

/** Adds `status`, `unlock` and `revoke`. */
export function addEnrolmentCommands(program: Command, surroundings: Surroundings, finish: Finish): void {
  addStatus(program, surroundings, finish);
  addUnlock(program, surroundings, finish);
  addRevoke(program, surroundings, finish);
}

function addStatus(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('status'))
    .description('show whether an enrolment logs in, when it last did, and the tries and recovery codes that are left')
    .argument('[context]', `${CONTEXT} (default: all of the user's logins)`)
    .option('--user <name>', 'whose enrolment; somebody else needs root')
    .addOption(new Option('--all', "everybody's enrolments; needs root").conflicts('user'))
    .option('--json', JSON_LINES)
    .addHelpText(
      'after',
      '\nExamples:\n  notp status                      your own logins' +
        '\n  sudo notp status --user alice    why alice cannot log in' +
        "\n  sudo notp status --all --json | jq -r 'select(.step_up).user'",
    )
    .action(async (context: string | undefined, flags: StatusFlags, command: Command) => {
      if (context !== undefined && flags.all === true) command.error("error: option '--all' cannot be used with a context");
      const config = configOf(flags);
      const { status } = await import('../commands/enrolments/status.ts');
      finish(await status(config, { context, user: flags.user, all: flags.all === true, json: flags.json === true }, now));
    });
}

function addUnlock(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('unlock'))
    .description('give back the tries that wrong codes have used up, so that one code logs in again')
    .argument('[context]', `${CONTEXT} (default: all of the user's logins)`)
    .option('--user <name>', 'whose enrolment; somebody else needs root')
    .option('--json', JSON_LINES)
    .addHelpText('after', '\nUsed codes and spent recovery codes stay used.\n\nExample:\n  sudo notp unlock --user alice')
    .action(async (context: string | undefined, flags: UnlockFlags) => {
      const config = configOf(flags);
      const { unlock } = await import('../commands/enrolments/unlock.ts');
      finish(await unlock(config, { context, user: flags.user, json: flags.json === true }, now));
    });
}

function addRevoke(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('revoke'))
    .description('end an enrolment: its login is refused until somebody enrols again')
    .argument('[context]', `${CONTEXT} (default: the context of logins)`)
    .option('--user <name>', 'whose enrolment; somebody else needs root')
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object')
    .action(async (context: string | undefined, flags: RevokeFlags) => {
      const config = configOf(flags);
      const { revokeEnrolment } = await import('../commands/enrolments/revoke.ts');
      const options = { context: context ?? config.context, user: flags.user, yes: flags.yes === true, json: flags.json === true };
      finish(await revokeEnrolment(config, options, now));
    });
}

/**
 * `notp unlock`: refills the guess budget, so that one code logs in. Used codes and recovery codes stay used; if the clock
 * was ahead, all present and past codes count as used.
 */
import { shellCommand } from '../../otp/escape.ts';
import { contextName } from '../../otp/names.ts';
import type { Config } from '../../system/config.ts';
import { printResult, say, sayHint, sayLine } from '../../terminal/printer.ts';
import type { Refilled } from '../../enrolment/refill.ts';
import { openNamed } from '../../enrolment/open.ts';
import { enrolledUser, type Whose } from '../../enrolment/whose.ts';
import type { Command } from 'commander';
import { type CommonFlags, type Finish, type Surroundings, common, configOf, SECRET_NAME, JSON_LINES } from '../options.ts';

export interface UnlockOptions {
  /** Undefined: all enrolments of the user. */
  readonly context: string | undefined;
  readonly user: string | undefined;
  readonly json: boolean;
}

/** Throws `refused` if there is no enrolment that logs in. */
export async function unlock(config: Config, options: UnlockOptions, now: () => number): Promise<number> {
  const context = options.context === undefined ? undefined : contextName(options.context);
  const user = await enrolledUser(config, options.user, now, {
    onlyRoot: 'unlock for somebody else',
    hint: ({ name }) => shellCommand`sudo notp unlock --user ${name}`,
  });
  const filled = await openNamed(config, user, now).unlock(context);
  for (const each of filled) printRefill(user, each, options);
  if (!options.json && filled.some(({ before }) => before < 1)) sayHint('notp audit shows the refused tries and their sources');
  return 0;
}

function printRefill({ name }: Whose, { context, before, budget, stepsAhead }: Refilled, { json }: UnlockOptions): void {
  if (json) printResult(JSON.stringify({ user: name, context, unlocked: true, budget_before: before, budget }) + '\n');
  else sayLine(`Unlocked: ${name} has ${String(budget)} tries with ${context} again (${String(before)} were left)`);
  if (!json && stepsAhead > 0) say('The clock of this host was ahead before: the next code, and all later ones, are accepted again\n');
}

interface UnlockFlags extends CommonFlags {
  readonly user?: string;
  readonly json?: boolean;
}

/** Adds `unlock`. */
export function addUnlock(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('unlock'))
    .description('give back the tries that wrong codes have used up, so that one code logs in again')
    .argument('[context]', `${SECRET_NAME} (default: all of the user's logins)`)
    .option('--user <name>', 'user of the enrolment; only root can name another user')
    .option('--json', JSON_LINES)
    .addHelpText('after', '\nUsed codes and recovery codes stay used.\n\nExample:\n  sudo notp unlock --user alice')
    .action(async (context: string | undefined, flags: UnlockFlags) => {
      const config = configOf(flags);
      finish(await unlock(config, { context, user: flags.user, json: flags.json === true }, now));
    });
}

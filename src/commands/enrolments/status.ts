/** `notp status`: shows the facts of an enrolment, and what to do if it does not log in. Never a secret. */
import { isatty } from 'node:tty';
import { NotpError } from '../../error.ts';
import { plural } from '../../lists.ts';
import { shellCommand } from '../../otp/escape.ts';
import { contextName } from '../../otp/names.ts';
import type { Config } from '../../system/config.ts';
import { printResult, sayHint } from '../../terminal/printer.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { shownGrants } from '../../enrolment/grants.ts';
import { withOpenedKey } from '../../state/credentials.ts';
import { statePlace } from '../../state/place.ts';
import { withState } from '../../state/state.ts';
import { asUser } from '../../system/privileges.ts';
import { isRoot, realUser } from '../../system/users.ts';
import type { Facts } from '../../wire/facts.ts';
import { everybodysFacts, jsonLines, NOBODY_YET, printEach } from './list-all.ts';
import { statusScreen } from './status-screen.ts';
import { openNamed } from '../../enrolment/open.ts';
import { enrolledUser, notEnrolled, refuseElsewhere } from '../../enrolment/whose.ts';
import { Option, type Command } from 'commander';
import { type CommonFlags, type Finish, type Surroundings, common, configOf, SECRET_NAME, JSON_LINES } from '../options.ts';

export interface StatusOptions {
  /** Undefined: all enrolments of the user. */
  readonly context: string | undefined;
  readonly user: string | undefined;
  /** The enrolments of all users. */
  readonly all: boolean;
  readonly json: boolean;
}

/** The width of output that does not go to a terminal. */
const PIPED_COLUMNS = 100;

/** Prints a block, or with `json` a line, for each enrolment. Throws `refused` if the user has none. */
export async function status(config: Config, options: StatusOptions, now: () => number): Promise<number> {
  const columns = isatty(1) ? outputTraits().columns : PIPED_COLUMNS;
  const screen = { columns, nowMs: now(), by: isRoot() ? 'root' : 'user', standard: config.context } as const;
  const text = (facts: readonly Facts[]): string => (options.json ? jsonLines(facts) : statusScreen(facts, screen));
  if (!options.all) {
    printResult(text(await factsOfOne(config, options, now)));
    return 0;
  }
  const all = await everybodysFacts(config, now);
  if (all.enrolments.length === 0) sayHint(NOBODY_YET);
  let isFirst = true;
  await printEach(all, now, (facts) => {
    const gap = isFirst || options.json ? '' : '\n';
    isFirst = false;
    return gap + text(facts);
  });
  return 0;
}

async function factsOfOne(config: Config, { context, user: name }: StatusOptions, now: () => number): Promise<readonly Facts[]> {
  const wanted = context === undefined ? undefined : contextName(context);
  const user = await enrolledUser(config, name, now, {
    onlyRoot: "look at somebody else's enrolments",
    hint: (each) => shellCommand`sudo notp status --user ${each.name}`,
  });
  const all = await openNamed(config, user, now).status();
  const found = all.filter((facts) => wanted === undefined || facts.context === wanted);
  const grants = isRoot() ? await grantsOf(config, user.name, now) : 0;
  const byGrant = `${plural(grants, 'grant')} ${grants === 1 ? 'lets' : 'let'} ${user.name} in without a code: notp grants`;
  if (found.length > 0) {
    if (grants > 0) sayHint(byGrant);
    return found;
  }
  refuseElsewhere(config, user, wanted, shellCommand`sudo notp status --user ${user.name}`);
  const { message, hint } = notEnrolled(user, wanted, all);
  throw new NotpError('refused', message, grants > 0 ? byGrant : hint);
}

/** How many grants of `user` are in force. */
async function grantsOf(config: Config, user: string, now: () => number): Promise<number> {
  const place = withOpenedKey(statePlace(config, realUser()), config);
  if (place.kind !== 'service') return 0;
  const found = await asUser(place.owner, () =>
    withState(place, now, async (state) => (state === undefined ? undefined : await shownGrants(state, user))),
  );
  return (found?.grants ?? []).filter(({ doubt, stray }) => doubt === undefined && stray === undefined).length;
}

interface StatusFlags extends CommonFlags {
  readonly user?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Adds `status`. */
export function addStatus(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('status'))
    .description('show whether an enrolment logs in, when it last did, and the tries and recovery codes that are left')
    .argument('[context]', `${SECRET_NAME} (default: all of the user's logins)`)
    .option('--user <name>', 'user of the enrolment; only root can name another user')
    .addOption(new Option('--all', 'the enrolments of all users; root only').conflicts('user'))
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
      finish(await status(config, { context, user: flags.user, all: flags.all === true, json: flags.json === true }, now));
    });
}

/** `notp status`: what there is to know of an enrolment, and what to do where it does not log in. Never a secret. */
import { isatty } from 'node:tty';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { contextName } from '../../otp/names.ts';
import type { Config } from '../../system/config.ts';
import { printResult, sayHint } from '../../terminal/printer.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { asUser } from '../../system/privileges.ts';
import { findDevices, sealedNames } from '../../system/secrets.ts';
import { isRoot, type User } from '../../system/users.ts';
import { factsOfUser } from '../../enrolment/care.ts';
import type { Facts } from '../../wire/facts.ts';
import { missingSocket, presentSocket } from '../../login/open.ts';
import { statePlace } from '../../state/place.ts';
import { MAX_STATUS_FILES } from '../../wire/enrol-question.ts';
import { everybodysFacts, jsonLines, NOBODY_YET } from './list-all.ts';
import { statusScreen } from './status-screen.ts';
import { factsByService, judgedElsewhere } from '../../enrolment/through-service.ts';
import { enrolledUser } from '../../enrolment/whose.ts';
import { Option, type Command } from 'commander';
import { type CommonFlags, type Finish, type Surroundings, common, configOf } from '../options.ts';

export interface StatusOptions {
  /** All of the user's where it is undefined. */
  readonly context: string | undefined;
  readonly user: string | undefined;
  /** Of everybody. */
  readonly all: boolean;
  readonly json: boolean;
}

/** The width of what is read elsewhere than on a terminal. */
const PIPED_COLUMNS = 100;

/** Prints a block, or with `json` a line, for each enrolment. Throws `refused` where there is none. */
export async function status(config: Config, options: StatusOptions, now: () => number): Promise<number> {
  const all = options.all ? await everybodysFacts(config, now) : await factsOfOne(config, options, now);
  if (all.length === 0) sayHint(NOBODY_YET);
  if (options.json) printResult(jsonLines(all));
  else {
    const columns = isatty(1) ? outputTraits().columns : PIPED_COLUMNS;
    printResult(statusScreen(all, { columns, nowMs: now(), by: isRoot() ? 'root' : 'user', standard: config.context }));
  }
  return 0;
}

async function factsOfOne(config: Config, { context, user: name }: StatusOptions, now: () => number): Promise<readonly Facts[]> {
  const wanted = context === undefined ? undefined : contextName(context);
  const user = await enrolledUser(config, name, now, {
    onlyRoot: "look at somebody else's enrolments",
    hint: (each) => shellCommand`sudo notp status --user ${each.name}`,
  });
  if (user.uid === undefined) return (await everybodysFacts(config, now)).filter((facts) => facts.user === user.name);
  const place = statePlace(config, user);
  const socket = place.kind === 'user' ? presentSocket(config, user) : undefined;
  const all = socket === undefined ? await factsOfUser(config, place, user, now) : await factsFromBoth(config, user, socket);
  const missing = missingSocket(config, user);
  // What the user's own state says of a login counts for nothing where another one judges it.
  const known = missing === undefined ? all : all.filter((facts) => !config.contexts.includes(facts.context));
  const found = known.filter((facts) => wanted === undefined || facts.context === wanted);
  if (found.length > 0) return found;
  if (missing !== undefined && (wanted === undefined || config.contexts.includes(wanted)))
    throw judgedElsewhere(user, missing, shellCommand`sudo notp status --user ${user.name}`);
  throw notEnrolled(user, wanted, known);
}

/** The service knows the state, and this user the sealed files. */
async function factsFromBoth(config: Config, user: User, socket: string): Promise<readonly Facts[]> {
  const files = await asUser(user, () => {
    const names = new Set([...config.contexts, ...sealedNames(config, user)]);
    return findDevices(config, user, [...names].slice(0, MAX_STATUS_FILES));
  });
  return await factsByService(user, socket, files);
}

/** What is refused where `user` has no enrolment, or none for `context`; `all` are those that they have. */
export function notEnrolled(
  { name }: Pick<User, 'name'>,
  context: string | undefined,
  all: readonly { readonly context: string }[],
): NotpError {
  const what = `${name} is not enrolled${context === undefined ? '' : ` for ${context}`}`;
  if (all.length > 0) return new NotpError('refused', what, `enrolled: ${all.map((each) => each.context).join(', ')}`);
  return new NotpError('refused', what, isRoot() ? shellCommand`notp-enroll ${name} makes an enrolment` : 'notp enroll makes an enrolment');
}

interface StatusFlags extends CommonFlags {
  readonly user?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

const CONTEXT = 'name of the secret';

const JSON_LINES = 'print JSON, one object a line';

/** Adds `status`. */
export function addStatus(program: Command, { now }: Surroundings, finish: Finish): void {
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
      finish(await status(config, { context, user: flags.user, all: flags.all === true, json: flags.json === true }, now));
    });
}

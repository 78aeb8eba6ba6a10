/** `notp revoke`: ends an enrolment, so that its login is refused until somebody enrols again. */
import { shellCommand } from '../../otp/escape.ts';
import { plural } from '../../lists.ts';
import { contextName } from '../../otp/names.ts';
import type { Config } from '../../system/config.ts';
import { printResult, sayHint, sayLine } from '../../terminal/printer.ts';
import { disableSocket, hasService } from '../../system/systemd.ts';
import { confirmYes } from '../../terminal/confirm.ts';
import { openNamed } from '../../enrolment/open.ts';
import { enrolledUser } from '../../enrolment/whose.ts';
import type { Command } from 'commander';
import { type CommonFlags, type Finish, type Surroundings, common, configOf, SECRET_NAME } from '../options.ts';

export interface RevokeOptions {
  readonly context: string;
  readonly user: string | undefined;
  /** Whether to skip the question. */
  readonly yes: boolean;
  readonly json: boolean;
}

export async function revokeEnrolment(config: Config, options: RevokeOptions, now: () => number): Promise<number> {
  const context = contextName(options.context);
  const user = await enrolledUser(config, options.user, now, {
    onlyRoot: 'revoke for somebody else',
    hint: ({ name }) => shellCommand`sudo notp revoke --user ${name}`,
  });
  const enrolments = openNamed(config, user, now);
  const isThere = async (): Promise<boolean> =>
    (await enrolments.status()).some((each) => each.context === context && each.state !== 'revoked');
  const question = `Revoke ${context} of ${user.name}, so that it does not log in any more?`;
  // Where nothing is there to end, revoke() says so.
  if (!options.yes && (await isThere())) await confirmYes(question, 'give --yes to revoke without a question', now);
  const { enrolment, grants, endsSocket } = await enrolments.revoke(context);
  if (options.json) printResult(JSON.stringify({ user: user.name, context, revoked: enrolment, grants }) + '\n');
  else {
    if (enrolment) sayLine(`Revoked: ${user.name} does not log in with ${context} any more`);
    if (grants > 0) sayLine(`Ended: ${plural(grants, 'grant')} of ${user.name}${enrolment ? '' : `, who is not enrolled for ${context}`}`);
  }
  sayHint('sessions that are open stay open; loginctl terminate-user ends them');
  if (user.uid !== undefined && endsSocket && hasService()) disableSocket(user.uid);
  return 0;
}

interface RevokeFlags extends CommonFlags {
  readonly user?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
}

/** Adds `revoke`. */
export function addRevoke(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('revoke'))
    .description('end an enrolment: its login is refused until somebody enrols again')
    .argument('[context]', `${SECRET_NAME} (default: the context of logins)`)
    .option('--user <name>', 'user of the enrolment; only root can name another user')
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object')
    .action(async (context: string | undefined, flags: RevokeFlags) => {
      const config = configOf(flags);
      const options = { context: context ?? config.context, user: flags.user, yes: flags.yes === true, json: flags.json === true };
      finish(await revokeEnrolment(config, options, now));
    });
}

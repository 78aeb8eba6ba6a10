/** `notp forget`: ends what earlier codes of a user also let in, so that the next login asks for a code. */
import { shellCommand } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import { sayHint, sayLine } from '../../terminal/printer.ts';
import { openNamed } from '../../enrolment/open.ts';
import { enrolledUser } from '../../enrolment/whose.ts';
import type { Command } from 'commander';
import { type CommonFlags, type Finish, type Surroundings, common, configOf } from '../options.ts';

/** Throws `usage` for an unknown user, `not_permitted` for another user's where the caller is not root. */
async function forget(config: Config, name: string | undefined, now: () => number): Promise<number> {
  const user = await enrolledUser(config, name, now, {
    onlyRoot: 'forget for somebody else',
    hint: (each) => shellCommand`sudo notp forget ${each.name}`,
  });
  await openNamed(config, user, now).forget();
  sayLine(`Forgotten: no earlier code of ${user.name} lets in any more`);
  sayHint('sessions that are open stay open; loginctl terminate-user ends them');
  return 0;
}

/** Adds `forget`. */
export function addForget(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('forget'))
    .description('end what earlier codes also let in: remembered keys and addresses, and open connections')
    .argument('[user]', 'whose codes; only root can name another user')
    .action(async (user: string | undefined, flags: CommonFlags) => {
      finish(await forget(configOf(flags), user, now));
    });
}

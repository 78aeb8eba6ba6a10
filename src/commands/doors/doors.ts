/** `notp gate`, `notp pam` and `notp serve`: the doors, which sshd, PAM and systemd call. */
import type { Command } from 'commander';
import { common, configOf, wholeNumber, type CommonFlags, type Finish, type Surroundings } from '../options.ts';

interface PamFlags extends CommonFlags {
  readonly firstPass?: boolean;
  readonly before?: boolean;
  readonly promptTty?: boolean;
}

const uidNumber = wholeNumber(0, 2 ** 32 - 2);

/** Adds `gate`, `pam` and `serve`. */
export function addDoors(program: Command, surroundings: Surroundings, finish: Finish): void {
  common(program.command('gate'))
    .description("for sshd's ForceCommand: ask for a code, then become the user's shell")
    .action(async (flags: CommonFlags) => {
      const { gate } = await import('../../doors/gate.ts');
      finish(await gate({ ...surroundings, configuration: () => configOf(flags) }));
    });
  common(program.command('pam'))
    .description('for pam_exec: check the code on stdin for PAM_USER')
    .option('--first-pass', "exit 0 only in the first pass of sshd's PAM stack (to branch to the password)")
    .option('--before', 'exit 0 where a rule asks for no code, without a question (a line before the one that asks)')
    .option('--prompt-tty', 'ask on the terminal that PAM_TTY names (sudo, su, login)')
    .action(async (flags: PamFlags) => {
      const { firstPass, pam } = await import('../../doors/pam.ts');
      if (flags.firstPass === true) finish(firstPass(surroundings.environment));
      else {
        const [before, promptTty] = [flags.before === true, flags.promptTty === true];
        finish(await pam({ ...surroundings, before, promptTty, configuration: () => configOf(flags) }));
      }
    });
  common(program.command('serve'))
    .description("for systemd: decide for one user behind that user's socket, for all users at the PAM door, or for a fleet")
    .argument(
      '<whose>',
      "a uid for that user's socket; judge for root's, where PAM asks about all users; fleet for the port of the members (systemd's %i)",
      (text) => (text === 'judge' || text === 'fleet' ? text : uidNumber(text)),
    )
    .action(async (whose: number | 'judge' | 'fleet', flags: CommonFlags) => {
      const { serve } = await import('../../doors/serve.ts');
      finish(await serve({ ...surroundings, whose, configuration: () => configOf(flags) }));
    });
}

/** The command that judges a code as a login would. */
import type { Command } from 'commander';
import { common, configOf, CONTEXT, passphraseFileOption, type CommonFlags, type Finish, type Surroundings } from './common.ts';

interface VerifyFlags extends CommonFlags {
  readonly user?: string;
  readonly codeStdin?: boolean;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

/** Adds `verify`. */
export function addVerify(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('verify'))
    .description('ask for a code and judge it as a login would; the code is used up')
    .argument('[context]', CONTEXT)
    .option('--user <name>', 'whose code; somebody else needs root')
    .option('--code-stdin', 'read the code from the first line of stdin (a passphrase may stand before it)')
    .addOption(passphraseFileOption())
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  notp verify deploy && ./deploy.sh')
    .action(async (context: string | undefined, flags: VerifyFlags) => {
      const config = configOf(flags);
      const command = await import('../commands/verify/verify.ts');
      const { user, passphraseFile } = flags;
      const options = { user, passphraseFile, codeStdin: flags.codeStdin === true, json: flags.json === true };
      finish(await command.verify(config, { context: context ?? config.context, ...options }, now));
    });
}

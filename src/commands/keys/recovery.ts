/** `notp recovery`: makes new recovery codes for a login with the same secret. The old codes no longer work. */
import { printResult, sayLine } from '../../terminal/printer.ts';
import { textOf } from '../../enrolment/show.ts';
import type { Own } from '../../enrolment/own-secrets.ts';
import type { Reseal } from '../../enrolment/enrolments.ts';
import { openEnrolments } from '../../enrolment/open.ts';
import type { Command } from 'commander';
import { MAX_RECOVERY_CODES, RECOVERY_CODES } from '../../otp/recovery.ts';
import { common, CONTEXT, ownOf, passphraseFileOption, wholeNumber, type CommonFlags, type Finish, type Surroundings } from '../options.ts';

export interface RecoveryOptions extends Pick<Reseal, 'context' | 'passphraseFile'> {
  /** The number of new codes. */
  readonly count: number;
  readonly json: boolean;
}

export async function newRecovery(own: Own, { count, json, ...options }: RecoveryOptions): Promise<number> {
  const { name: user } = own.user;
  const what = { ...options, event: 'recovery', seal: undefined, recovery: count, newPassphraseFile: undefined } as const;
  await openEnrolments(own).reseal(what, ({ id, file, recovery }) => {
    printResult(json ? JSON.stringify({ id, user, context: options.context, file, recovery }) + '\n' : textOf(recovery));
  });
  if (!json)
    sayLine(`The recovery codes of ${user} for ${options.context} are ${count === 0 ? 'gone' : 'new'}; the old ones no longer work`);
  return 0;
}

interface RecoveryFlags extends CommonFlags {
  readonly user?: string;
  readonly recovery: number;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

/** Adds `recovery`. */
export function addRecovery(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('recovery'))
    .description('make new recovery codes for a login; its secret stays, and the old codes no longer work')
    .argument('[context]', CONTEXT)
    .option('--user <name>', 'user of the login; only root can name another user')
    .option('--recovery <n>', 'number of new codes', wholeNumber(0, MAX_RECOVERY_CODES), RECOVERY_CODES)
    .addOption(passphraseFileOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  notp recovery                     your own; asks for your passphrase or a code\n  sudo notp recovery --user alice',
    )
    .action(async (context: string | undefined, flags: RecoveryFlags) => {
      const own = await ownOf(flags, now, 'make recovery codes for somebody else');
      const { passphraseFile, recovery: count } = flags;
      finish(await newRecovery(own, { context: context ?? own.config.context, passphraseFile, count, json: flags.json === true }));
    });
}

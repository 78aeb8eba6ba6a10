/** `notp passphrase`: seals a secret with a new passphrase, a fresh salt and the present cost of the key derivation. */
import { printResult, sayLine } from '../../terminal/printer.ts';
import { ownSealed, refuseHostSealed, type Own } from '../../enrolment/own-secrets.ts';
import type { Reseal } from '../../enrolment/enrolments.ts';
import { openEnrolments } from '../../enrolment/open.ts';
import { Option, type Command } from 'commander';
import { NotpError } from '../../error.ts';
import { CONTEXT, ownOf, type Finish, type SecretFlags, type Surroundings, withPassphrase } from '../options.ts';

export interface PassphraseOptions extends Pick<Reseal, 'context' | 'passphraseFile' | 'newPassphraseFile'> {
  readonly json: boolean;
}

export async function changePassphrase(own: Own, { json, ...options }: PassphraseOptions): Promise<number> {
  refuseHostSealed(await ownSealed(own, options.context));
  const { id, file } = await openEnrolments(own).reseal({ ...options, event: 'passphrase', seal: undefined, recovery: undefined });
  if (json) printResult(JSON.stringify({ context: options.context, file, id }) + '\n');
  else sayLine(`The passphrase of ${file} is changed. Copies of the old file still open with the old one.`);
  return 0;
}

interface PassphraseFlags extends SecretFlags {
  readonly user?: string;
  readonly newPassphraseFile?: string;
  readonly all?: boolean;
}

const EXAMPLES = `
A secret that gets the passphrase of others opens together with them.

Examples:
  notp passphrase github
  notp passphrase --all     all that one passphrase opens; it may stay as it is`;

/** Adds `passphrase`. */
export function addPassphrase(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('passphrase'))
    .description('change the passphrase of a secret')
    .argument('[context]', CONTEXT)
    .option('--user <name>', 'user of the secret; only root can name another user')
    .option('--new-passphrase-file <file>', 'read the new passphrase from the first line of a file, "-" for stdin (after the old one)')
    .addOption(
      new Option('--all', 'change all secrets that the passphrase opens, so that they open together; no login').conflicts(['user']),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (context: string | undefined, flags: PassphraseFlags) => {
      const { passphraseFile, newPassphraseFile } = flags;
      const own = await ownOf(flags, now, 'change the passphrase of somebody else');
      if (flags.all === true) {
        if (context !== undefined) throw new NotpError('usage', '--all changes every secret', 'leave out the name, or --all');
        const { changeAllPassphrases } = await import('./passphrase-all.ts');
        finish(await changeAllPassphrases(own, { passphraseFile, newPassphraseFile, json: flags.json === true }));
        return;
      }
      const options = { context: context ?? own.config.context, passphraseFile, newPassphraseFile };
      finish(await changePassphrase(own, { ...options, json: flags.json === true }));
    });
}

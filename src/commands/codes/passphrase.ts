/** `notp passphrase`: seals a secret with a new passphrase, a fresh salt and the present cost of the key derivation. */
import { printResult, sayLine } from '../../terminal/printer.ts';
import { ownSealed, refuseHostSealed, type Own } from '../../enrolment/own-secrets.ts';
import type { Reseal } from '../../enrolment/enrolments.ts';
import { openEnrolments } from '../../enrolment/open.ts';
import type { Command } from 'commander';
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
}

/** Adds `passphrase`. */
export function addPassphrase(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('passphrase'))
    .description('change the passphrase of a secret')
    .argument('[context]', CONTEXT)
    .option('--user <name>', 'user of the secret; only root can name another user')
    .option('--new-passphrase-file <file>', 'read the new passphrase from the first line of a file, "-" for stdin (after the old one)')
    .action(async (context: string | undefined, flags: PassphraseFlags) => {
      const { passphraseFile, newPassphraseFile } = flags;
      const own = await ownOf(flags, now, 'change the passphrase of somebody else');
      const options = { context: context ?? own.config.context, passphraseFile, newPassphraseFile };
      finish(await changePassphrase(own, { ...options, json: flags.json === true }));
    });
}

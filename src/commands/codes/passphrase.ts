/** `notp passphrase`: seals a secret with another passphrase, and a fresh salt at the cost of today. */
import { printResult, sayLine } from '../../terminal/printer.ts';
import { ownSealed, refuseHostSealed, type Own } from '../../enrolment/own-secrets.ts';
import { sealAnew, type SealAnew } from '../../enrolment/seal-anew.ts';

export interface PassphraseOptions extends Pick<SealAnew, 'context' | 'passphraseFile' | 'newPassphraseFile'> {
  readonly json: boolean;
}

export async function changePassphrase(own: Own, { json, ...options }: PassphraseOptions): Promise<number> {
  refuseHostSealed(await ownSealed(own, options.context));
  const { id, file } = await sealAnew(own, { ...options, event: 'passphrase', seal: undefined, recovery: undefined });
  if (json) printResult(JSON.stringify({ context: options.context, file, id }) + '\n');
  else sayLine(`The passphrase of ${file} is changed. Copies of the old file still open with the old one.`);
  return 0;
}

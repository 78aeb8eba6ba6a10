/** What a person is asked for while a secret is made or re-sealed: a code of the new secret, and passphrases. */
import { NotpError } from '../error.ts';
import { parseProof } from '../otp/proof.ts';
import type { Conversation } from '../terminal/conversation.ts';
import { sayError } from '../terminal/printer.ts';
import { CONFIRM_TRIES } from './sealing.ts';
import type { SealedFile } from '../seal/file.ts';
import { givenNewPassphrase, givenPassphrase, patience } from '../terminal/ask-passphrase.ts';
import type { Reseal } from './enrolments.ts';
import type { Own } from './own-secrets.ts';
import { refusePassphraseInStore } from './store-seal.ts';

/**
 * Asks for a code until `judge` gives a result for one, and gives that. `judge` gives undefined for a wrong code. Throws `refused`
 * after the last try, and what `judge` throws.
 */
export async function confirmByCode<T>(conversation: Conversation, judge: (code: string) => Promise<T | undefined>): Promise<T> {
  for (let left = CONFIRM_TRIES; left > 0; left--) {
    const answer = await conversation.ask('One-time code: ', { hidden: false });
    if (!('line' in answer)) break;
    const proof = parseProof(answer.line);
    const judged = proof?.kind === 'code' ? await judge(proof.code) : undefined;
    if (judged !== undefined) return judged;
    sayError('that is not the code of the new secret', 'check the clock of the phone and of this machine, or wait for the next code');
  }
  throw new NotpError('refused', 'the new secret was not confirmed', 'nothing was changed; an earlier enrolment still works');
}

/** The passphrase that the file is sealed with; undefined where the host sealed it. */
export async function presentPassphrase(
  { now }: Own,
  old: SealedFile | undefined,
  { context, passphraseFile }: Reseal,
): Promise<string | undefined> {
  return (old?.seal.kind ?? 'host') === 'host'
    ? undefined
    : await givenPassphrase(passphraseFile, `Passphrase for ${context}: `, patience(now));
}

/** The passphrase to seal with; undefined for the host key. */
export async function passphraseToSealWith(
  { now, config }: Own,
  old: SealedFile | undefined,
  what: Reseal,
  present: string | undefined,
): Promise<string | undefined> {
  if ((what.seal ?? old?.seal.kind ?? 'host') === 'host') return undefined;
  if (old?.seal.kind !== 'passphrase') refusePassphraseInStore(config, 'leave out --seal');
  if (what.event !== 'passphrase' && present !== undefined && what.newPassphraseFile === undefined) return present;
  return await givenNewPassphrase(what.newPassphraseFile, patience(now));
}

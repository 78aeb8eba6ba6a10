/** Asks for the passphrases of a secret that is re-sealed: the present one and the new one. */
import type { SealedFile } from '../seal/file.ts';
import { givenNewPassphrase, givenPassphrase, patience } from '../terminal/ask-passphrase.ts';
import type { Reseal } from './enrolments.ts';
import type { Own } from './own-secrets.ts';
import { refusePassphraseInStore } from './store-seal.ts';

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

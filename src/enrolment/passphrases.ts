/** The passphrases of a secret that is sealed anew: the one it has, and the one it gets. */
import { NotpError } from '../error.ts';
import type { SealedFile } from '../seal/file.ts';
import { givenNewPassphrase, givenPassphrase, patience } from '../terminal/ask-passphrase.ts';
import type { SealAnew } from './enrolments.ts';
import type { Own } from './own-secrets.ts';

/** The passphrase that the file is sealed with; undefined where it is the host. */
export async function presentPassphrase(
  { now }: Own,
  old: SealedFile | undefined,
  { context, passphraseFile }: SealAnew,
): Promise<string | undefined> {
  return (old?.seal.kind ?? 'host') === 'host'
    ? undefined
    : await givenPassphrase(passphraseFile, `Passphrase for ${context}: `, patience(now));
}

/** The passphrase to seal with; undefined: the key of the host. */
export async function passphraseToSealWith(
  { now, config }: Own,
  old: SealedFile | undefined,
  what: SealAnew,
  present: string | undefined,
): Promise<string | undefined> {
  if ((what.seal ?? old?.seal.kind ?? 'host') === 'host') return undefined;
  if (config.secretsInStore && old?.seal.kind !== 'passphrase')
    throw new NotpError(
      'not_permitted',
      'the store keeps what is sealed by a key of the host alone (secrets = "store")',
      'leave out --seal',
    );
  if (what.event !== 'passphrase' && present !== undefined && what.newPassphraseFile === undefined) return present;
  return await givenNewPassphrase(what.newPassphraseFile, patience(now));
}

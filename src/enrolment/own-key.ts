/**
 * Chooses the key of a new secret of one's own: that of the secrets which the same passphrase opens already, so that one derivation
 * opens them all, or else a fresh one. No file that is there changes, and no login shares its key.
 */
import { NotpError } from '../error.ts';
import type { SealedFile } from '../seal/file.ts';
import { Keyring, sharable } from '../seal/keyring.ts';
import { asUser } from '../system/privileges.ts';
import { findDevices, sealedNames } from '../system/secrets.ts';
import type { Own } from './own-secrets.ts';
import { newPassphraseKey, type PassphraseKey } from './sealing.ts';

/** Each try is a derivation, and takes a third of a second. */
const MAX_TRIES = 3;

/** `among`: the secrets of one's own, where they are known. The caller wipes the key. */
export async function keyToSealWith(own: Own, passphrase: string, among?: readonly SealedFile[]): Promise<PassphraseKey> {
  const keyring = new Keyring(passphrase);
  try {
    const found = sharable(among ?? (await filesUnderOtherNames(own)))
      .slice(0, MAX_TRIES)
      .find((file) => opens(keyring, file));
    return found === undefined ? newPassphraseKey(passphrase) : { seal: found.seal, key: keyring.keyOf(found.seal).slice() };
  } finally {
    keyring.close();
  }
}

/** The sealed files whose names no login of notp.toml has, sorted by name. */
async function filesUnderOtherNames({ config, user }: Own): Promise<readonly SealedFile[]> {
  const names = (): string[] => sealedNames(config, user).filter((context) => !config.contexts.includes(context));
  const all = await asUser(user, () => findDevices(config, user, names()));
  return all.flatMap(({ found }) => (found.kind === 'sealed' ? [found.file] : []));
}

/** Proves that the salt was not put there by somebody without the passphrase. */
function opens(keyring: Keyring, file: SealedFile): boolean {
  try {
    const payload = keyring.open(file);
    payload?.secret.fill(0);
    return payload !== undefined;
  } catch (error) {
    if (error instanceof NotpError) return false;
    throw error;
  }
}

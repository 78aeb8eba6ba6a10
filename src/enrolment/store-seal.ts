/** Where only the key of the host seals logins, where it cannot, and what mends one that a passphrase seals. */
import { NotpError } from '../error.ts';
import { shellCommand } from '../otp/escape.ts';
import type { Config } from '../system/config.ts';

/** Throws `not_permitted` where the store keeps the sealed files of logins: no door could ask for the passphrase of one. */
export function refusePassphraseInStore({ secretsInStore }: Pick<Config, 'secretsInStore'>, hint: string): void {
  if (secretsInStore) throw new NotpError('not_permitted', 'with secrets = "store" the store keeps only host-sealed secrets', hint);
}

/** The error where this process has no state of the host, whose key would seal. `hint`: what to do instead. */
export function noHostSeal(hint: string): NotpError {
  return new NotpError('not_permitted', 'a host-sealed secret needs root and the system user notp', hint);
}

/** Why a login does not work that a passphrase seals where the store keeps the sealed files. */
export const LEFT_IN_HOME = 'a passphrase seals it, so it stays in the home and does not log in';

/** The command that brings a login which a passphrase seals into the store. */
export function resealByHost(user: string, context: string): string {
  return shellCommand`notp reseal ${context} --user ${user} --seal host --passphrase-file FILE`;
}

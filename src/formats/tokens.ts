/** What a file of hardware tokens holds: for each its seed, its serial number and model, and perhaps whose it is. Pure. */
import type { Algorithm } from '../otp/code.ts';
import { isLabel } from '../otp/names.ts';
import type { Credential } from '../otp/uri.ts';
import { entryOf, type Raw } from './entry.ts';

/** Some ten thousand tokens. */
export const MAX_TOKEN_FILE_BYTES = 16 * 1024 * 1024;

export interface HardwareToken {
  readonly line: number;
  readonly serial: string;
  /** Manufacturer and model, as far as the file has them. */
  readonly model: string;
  /** The user that the file names, perhaps as user@domain; empty for none. */
  readonly user: string;
  readonly credential: Credential;
}

/** A token that cannot be used. */
export type TokenMistake = Pick<HardwareToken, 'line' | 'serial' | 'user'> & { readonly why: string };

export interface TokenFile {
  readonly tokens: readonly HardwareToken[];
  readonly mistakes: readonly TokenMistake[];
}

/** Parameters of the tokens where a file has none. */
export interface TokenDefaults {
  readonly algorithm?: Algorithm;
  readonly digits?: number;
  readonly periodSeconds?: number;
}

/** A token as its file has it, or why it has no seed. */
export type RawToken = Omit<HardwareToken, 'credential'> & {
  readonly raw: Omit<Raw, 'place' | 'issuer' | 'account'> | { readonly why: string };
};

/** The tokens, and those of `raw` that notp cannot hold or that have no serial number. */
export function tokenFileOf(raws: readonly RawToken[]): TokenFile {
  const [tokens, mistakes]: [HardwareToken[], TokenMistake[]] = [[], []];
  for (const { raw, ...names } of raws) {
    const { line, serial, user } = names;
    const entry = 'why' in raw ? raw : entryOf({ ...raw, place: '', issuer: '', account: serial });
    if ('why' in entry) mistakes.push({ line, serial, user, why: entry.why });
    else if (!isLabel(names.model)) mistakes.push({ line, serial, user, why: 'its model is too long or has control characters' });
    else if (serial === '') mistakes.push({ line, serial, user, why: 'it has no serial number' });
    else tokens.push({ ...names, credential: entry.credential });
  }
  return { tokens, mistakes };
}

/** What the new secret is for, and how it is sealed. */
import * as os from 'node:os';
import { NotpError } from '../error.ts';
import type { SealedFile } from '../seal/file.ts';
import type { TotpPayload } from '../seal/payload.ts';
import { newHeader, sealByHost, sealByPassphrase, type Wanted } from '../verifier/sealing.ts';
import type { State } from '../verifier/state.ts';
import type { Plan } from './enroll-plan.ts';

/** The options with the issuer that the configuration or the host's name gives where none was told. */
export function wanted({ options, config }: Plan): Wanted {
  const issuer = [options.issuer, config.code.issuer, os.hostname()].find((name) => name !== '') ?? '';
  return { ...options, issuer };
}

/** Seals with the passphrase where there is one, else with the host key. */
export function sealPayload(
  { user, origin, now }: Plan,
  payload: TotpPayload,
  passphrase: string | undefined,
  { hostKey }: State,
): SealedFile {
  const header = newHeader(user.name, origin.context, now());
  if (passphrase !== undefined) return sealByPassphrase(header, payload, passphrase);
  if (hostKey === undefined) throw new NotpError('failed', 'there is no host key');
  return sealByHost(header, payload, hostKey);
}

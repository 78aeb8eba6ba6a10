/** The parameters of a new secret, and its seal. */
import * as os from 'node:os';
import { NotpError } from '../error.ts';
import type { SealedFile } from '../seal/file.ts';
import type { Payload } from '../seal/seal.ts';
import type { Config } from '../system/config.ts';
import { newHeader, sealByHost, sealByPassphrase } from './sealing.ts';
import type { Wanted } from '../wire/enrolment.ts';
import { MAKE_KEY, type State } from '../state/state.ts';
import type { Plan } from './plan.ts';

/** The options, with the issuer of the configuration or the host's name where none was given. */
export function wanted({ options, config }: Plan): Wanted {
  return { ...options, issuer: issuerFor(options.issuer, config) };
}

/** The issuer `given` (may be empty), else the one of the configuration, else the host's name. */
export function issuerFor(given: string, { code }: Pick<Config, 'code'>): string {
  return [given, code.issuer, os.hostname()].find((name) => name !== '') ?? '';
}

/** Seals with the passphrase where there is one, else with the host key. `id`: the id of the file; undefined: a random one. */
export function sealPayload(
  { user, origin, now }: Pick<Plan, 'user' | 'origin' | 'now'>,
  payload: Payload,
  passphrase: string | undefined,
  { hostKey }: State,
  id?: string,
): SealedFile {
  const drawn = newHeader(user.name, origin.context, now());
  const header = { ...drawn, id: id ?? drawn.id };
  if (passphrase !== undefined) return sealByPassphrase(header, payload, passphrase);
  if (hostKey === undefined) throw new NotpError('failed', 'there is no host key', MAKE_KEY);
  return sealByHost(header, payload, hostKey);
}

/** The new secret and its recovery codes, and how they are sealed. */
import { randomBytes } from 'node:crypto';
import * as os from 'node:os';
import { NotpError } from '../error.ts';
import { secretLength } from '../otp/code.ts';
import { newRecoveryCodes } from '../otp/recovery.ts';
import type { SealedFile } from '../seal/file.ts';
import type { TotpPayload } from '../seal/payload.ts';
import type { State } from '../verifier/state.ts';
import type { Plan } from './enroll-plan.ts';
import { newHeader, sealByHost, sealByPassphrase } from './sealing.ts';

/** A payload with a fresh secret, and the recovery codes whose hashes it keeps. */
export function newPayload({ options, config }: Plan): { payload: TotpPayload; codes: string[] } {
  const { algorithm, digits, periodSeconds, account } = options;
  const issuer = [options.issuer, config.code.issuer, os.hostname()].find((name) => name !== '') ?? '';
  const { codes, kept } = newRecoveryCodes(options.recovery, randomBytes);
  const secret = new Uint8Array(randomBytes(secretLength(algorithm)));
  return { payload: { type: 'totp', secret, algorithm, digits, periodSeconds, issuer, account, recovery: kept }, codes };
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

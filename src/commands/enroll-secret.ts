/** The new secret and its recovery codes, and how they are sealed. */
import { randomBytes } from 'node:crypto';
import * as os from 'node:os';
import { NotpError } from '../error.ts';
import { secretLength } from '../otp/code.ts';
import { newRecoveryCodes } from '../otp/recovery.ts';
import { NONCE_BYTES, SALT_BYTES, type SealedFile, type SealedHeader } from '../seal/file.ts';
import { DEFAULT_KDF, hostSealKey, passphraseKey } from '../seal/keys.ts';
import type { Payload } from '../seal/payload.ts';
import { seal } from '../seal/seal.ts';
import type { State } from '../verifier/state.ts';
import type { Plan } from './enroll-plan.ts';

/** A payload with a fresh secret, and the recovery codes whose hashes it keeps. */
export function newPayload({ options, config }: Plan): { payload: Payload; codes: string[] } {
  const { algorithm, digits, periodSeconds, account } = options;
  const issuer = [options.issuer, config.code.issuer, os.hostname()].find((name) => name !== '') ?? '';
  const { codes, kept } = newRecoveryCodes(options.recovery, randomBytes);
  const secret = new Uint8Array(randomBytes(secretLength(algorithm)));
  return { payload: { secret, algorithm, digits, periodSeconds, issuer, account, recovery: kept }, codes };
}

/** Seals with the passphrase where there is one, else with the host key. */
export function sealPayload(plan: Plan, payload: Payload, passphrase: string | undefined, { hostKey }: State): SealedFile {
  const id = randomBytes(16).toString('hex');
  const created = new Date(plan.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  const base = { id, user: plan.user.name, context: plan.origin.context, created };
  const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
  const [header, key] = headerAndKey(base, passphrase, hostKey);
  try {
    return seal(header, payload, key, nonce);
  } finally {
    key.fill(0);
  }
}

function headerAndKey(
  base: Omit<SealedHeader, 'seal'>,
  passphrase: string | undefined,
  hostKey: State['hostKey'],
): [SealedHeader, Uint8Array] {
  if (passphrase !== undefined) {
    const sealing = { kind: 'passphrase', ...DEFAULT_KDF, salt: new Uint8Array(randomBytes(SALT_BYTES)) } as const;
    return [{ ...base, seal: sealing }, passphraseKey(passphrase, sealing)];
  }
  if (hostKey === undefined) throw new NotpError('failed', 'there is no host key');
  return [{ ...base, seal: { kind: 'host', key: hostKey.id } }, hostSealKey(hostKey.key, base.id)];
}

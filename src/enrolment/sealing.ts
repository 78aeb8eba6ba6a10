/** Makes a secret, and the sealed file around it: with a fresh id, salt and nonce, and the key of a passphrase or of the host. */
import { randomBytes } from 'node:crypto';
import { NotpError } from '../error.ts';
import { NONCE_BYTES, SALT_BYTES, type PassphraseSeal, type SealedFile, type SealedHeader } from '../seal/file.ts';
import { DEFAULT_KDF, hostSealKey, passphraseKey } from '../seal/keys.ts';
import { matchingSteps, secretLength, stepAt, stepsAround } from '../otp/code.ts';
import { newRecoveryCodes } from '../otp/recovery.ts';
import { seal, type Payload, type TotpPayload } from '../seal/seal.ts';
import type { HostKey } from '../state/host-keys.ts';
import { MAKE_KEY } from '../state/state.ts';
import type { Wanted } from '../wire/enrolment.ts';

/** A payload with a fresh secret, and the recovery codes whose hashes it keeps. */
export function newPayload({ algorithm, digits, periodSeconds, issuer, account, recovery }: Wanted): {
  payload: TotpPayload;
  codes: string[];
} {
  const { codes, kept } = newRecoveryCodes(recovery, randomBytes);
  const secret = new Uint8Array(randomBytes(secretLength(algorithm)));
  return { payload: { type: 'totp', secret, algorithm, digits, periodSeconds, issuer, account, recovery: kept }, codes };
}

/** How often a user may try to confirm a new secret. */
export const CONFIRM_TRIES = 3;
/** Steps before and after the current one whose codes confirm it. */
const CONFIRM_WINDOW = 1;

/** Whether `code` is a current code of a new secret. Then the phone has the secret, and the clocks agree. */
export function confirms(code: string, payload: TotpPayload, nowMs: number): boolean {
  const steps = stepsAround(stepAt(nowMs, payload.periodSeconds), CONFIRM_WINDOW);
  return matchingSteps(payload.secret, code, steps, payload).length > 0;
}

/** The header of a sealed file without its seal. */
export type Header = Omit<SealedHeader, 'seal'>;

/** The header of a file made at `nowMs`, Unix time in milliseconds. */
export function newHeader(user: string, context: string, nowMs: number): Header {
  return { id: newId(), user, context, created: new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z') };
}

/** The id of a new secret: 128 random bits, hex; see seal/id.ts. */
export function newId(): string {
  return randomBytes(16).toString('hex');
}

/** Salt and cost of a passphrase seal, and the key that they give. */
export interface PassphraseKey {
  readonly seal: PassphraseSeal;
  readonly key: Uint8Array;
}

/** A key by Argon2id, at its default cost and with a fresh salt. The caller wipes it. */
export function newPassphraseKey(passphrase: string): PassphraseKey {
  const sealing = { kind: 'passphrase', ...DEFAULT_KDF, salt: new Uint8Array(randomBytes(SALT_BYTES)) } as const;
  return { seal: sealing, key: passphraseKey(passphrase, sealing) };
}

/** Seals a new secret, with the passphrase where there is one, else with the host key. `id`: the id of the file; undefined: a random one. */
export function sealPayload(
  {
    user,
    origin,
    now,
  }: { readonly user: { readonly name: string }; readonly origin: { readonly context: string }; readonly now: () => number },
  payload: Payload,
  passphrase: string | undefined,
  { hostKey }: { readonly hostKey: HostKey | undefined },
  id?: string,
): SealedFile {
  const drawn = newHeader(user.name, origin.context, now());
  return sealByEither({ ...drawn, id: id ?? drawn.id }, payload, passphrase, hostKey);
}

/** Seals with the passphrase where there is one, else with the host key. Throws `failed` where that is needed and there is none. */
export function sealByEither(header: Header, payload: Payload, passphrase: string | undefined, hostKey: HostKey | undefined): SealedFile {
  if (passphrase !== undefined) return sealByPassphrase(header, payload, passphrase);
  if (hostKey === undefined) throw new NotpError('failed', 'there is no host key', MAKE_KEY);
  return sealByHost(header, payload, hostKey);
}

/** Seals with Argon2id, at its default cost and with a fresh salt. */
function sealByPassphrase(header: Header, payload: Payload, passphrase: string): SealedFile {
  const { seal: sealing, key } = newPassphraseKey(passphrase);
  return sealWith({ ...header, seal: sealing }, payload, key);
}

/** Seals with a key that other secrets of the same passphrase may share, and that the caller wipes. */
export function sealByKey(header: Header, payload: Payload, { seal: sealing, key }: PassphraseKey): SealedFile {
  return sealWith({ ...header, seal: sealing }, payload, key.slice());
}

export function sealByHost(header: Header, payload: Payload, hostKey: HostKey): SealedFile {
  return sealWith({ ...header, seal: { kind: 'host', key: hostKey.id } }, payload, hostSealKey(hostKey.key, header.id));
}

/** Wipes `key`. */
function sealWith(header: SealedHeader, payload: Payload, key: Uint8Array): SealedFile {
  try {
    return seal(header, payload, key, new Uint8Array(randomBytes(NONCE_BYTES)));
  } finally {
    key.fill(0);
  }
}

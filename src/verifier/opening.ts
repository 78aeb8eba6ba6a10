/** Opening a sealed file with what was typed, or with the host key. What was opened is wiped by who asked for it. */
import { NotpError } from '../error.ts';
import type { Reading } from '../otp/proof.ts';
import type { SealedFile } from '../seal/file.ts';
import { hostSealKey, passphraseKey } from '../seal/keys.ts';
import type { TotpPayload } from '../seal/payload.ts';
import { open } from '../seal/seal.ts';
import type { Found } from '../system/secrets.ts';
import type { Presented } from '../verdict/decide.ts';
import type { HostKey } from './state.ts';

/**
 * The reading whose key opens the file; where none does, one of them, unopened. Every reading is tried, so that
 * neither the time nor the answer tells which passphrase was right.
 */
export function openReading(found: Found, readings: readonly Reading[], hostKey: HostKey | undefined): Presented | undefined {
  const ambiguous = readings.length > 1 && readings.some(isMore);
  const tried = readings.map((reading) => ({
    proof: reading.proof,
    opened: found.kind === 'sealed' ? openWith(found.file, reading.passphrase, hostKey) : undefined,
    ambiguous,
  }));
  const unopened = readings.findIndex(isMore);
  return tried.find(({ opened }) => opened !== undefined) ?? tried[unopened] ?? tried[0];
}

/** More than a single code. */
function isMore({ proof }: Reading): boolean {
  return proof.kind !== 'code';
}

function openWith(file: SealedFile, passphrase: string | undefined, hostKey: HostKey | undefined): TotpPayload | undefined {
  const key = sealKey(file, passphrase, hostKey);
  try {
    const opened = open(file, key);
    // The host key is the right one, so what does not open was changed: no guess of anybody.
    if (opened === undefined && file.seal.kind === 'host')
      throw new NotpError('bad_secret_file', 'the sealed file was changed: it does not open');
    if (opened?.type === 'hotp') throw new NotpError('bad_secret_file', 'the secret is counted (HOTP), and logins take codes of the clock');
    return opened;
  } finally {
    key.fill(0);
  }
}

function sealKey(file: SealedFile, passphrase: string | undefined, hostKey: HostKey | undefined): Uint8Array {
  if (file.seal.kind === 'passphrase') return passphraseKey(passphrase ?? '', file.seal);
  if (hostKey === undefined) throw new NotpError('store_unavailable', 'the secret is sealed by the host, and its key cannot be read here');
  if (hostKey.id !== file.seal.key)
    throw new NotpError('bad_secret_file', `sealed by host key ${file.seal.key}, but this host has ${hostKey.id}`);
  return hostSealKey(hostKey.key, file.id);
}

/** Opens sealed files with the typed passphrase or with the host key. The caller wipes the opened secrets. */
import { NotpError } from '../error.ts';
import type { Reading } from '../otp/proof.ts';
import type { SealedFile } from '../seal/file.ts';
import { hostSealKey, passphraseKey } from '../seal/keys.ts';
import { open, type Payload, type TokenNames } from '../seal/seal.ts';
import { lengthOf, type Presented } from '../verdict/decide.ts';
import type { DeviceFile } from '../system/secrets.ts';
import { keysOf, type HostKey } from '../state/host-keys.ts';

/** The files, locked where neither `hostKey` nor a former host key sealed them; unchanged where the host key cannot be read here. */
export function openable(files: readonly DeviceFile[], hostKey: HostKey | undefined): readonly DeviceFile[] {
  if (hostKey === undefined) return files;
  const ids = keysOf(hostKey).map(({ id }) => id);
  return files.map(({ context, found }) => {
    if (found.kind !== 'sealed' || found.file.seal.kind !== 'host' || ids.includes(found.file.seal.key)) return { context, found };
    return { context, found: { ...found, locked: `sealed by host key ${found.file.seal.key}, but this host has ${hostKey.id}` } };
  });
}

/** The same with the hardware token of each that is of one, for a person. */
export function openableWithTokens(files: readonly DeviceFile[], hostKey: HostKey | undefined): readonly DeviceFile[] {
  return openable(files, hostKey).map(({ context, found }) => ({
    context,
    found: found.kind === 'sealed' && hostKey !== undefined ? { ...found, ...tokenIn(found.file, hostKey) } : found,
  }));
}

/** The hardware token of a file that the host sealed; nothing where it is of none or cannot be opened, which a login will tell. */
function tokenIn(file: SealedFile, hostKey: HostKey): { readonly token?: TokenNames } {
  try {
    const payload = openWith(file, undefined, hostKey);
    payload?.secret.fill(0);
    return payload?.token === undefined ? {} : { token: payload.token };
  } catch {
    return {};
  }
}

/**
 * The reading whose key opens most of `files`, the devices of one account; one with nothing opened where no key opens any.
 * Every reading is tried on every file, so that neither the time nor the answer says which passphrase was right.
 * A broken file stays unopened. Throws its error where all files are broken.
 */
export function openReading(
  files: readonly (SealedFile | undefined)[],
  readings: readonly Reading[],
  hostKey: HostKey | undefined,
): Presented | undefined {
  const longest = Math.max(0, ...readings.map(({ proof }) => lengthOf(proof)));
  const broken = new Map<SealedFile, Error>();
  const tried = readings.map(({ proof, passphrase }) => {
    const opened = files.map((file) => (file === undefined ? undefined : openOrNote(file, passphrase, hostKey, broken)));
    return { proof, opened, longest };
  });
  const [wrong] = broken.values();
  if (wrong !== undefined && files.every((file) => file === undefined || broken.has(file))) throw wrong;
  // The host key opens its files whatever was typed before the code. So the reading that opens more files is the one that was meant.
  const counts = tried.map(({ opened }) => opened.filter((each) => each !== undefined).length);
  const most = Math.max(0, ...counts);
  const best = most === 0 ? undefined : tried[counts.indexOf(most)];
  for (const each of tried) if (each !== best) wipe(each);
  return best ?? tried.find(({ proof }) => lengthOf(proof) === longest);
}

/** The same with nothing opened, where the budget pays for none of `readings`: no key is derived for codes that are not judged. */
export function unopened(files: readonly (SealedFile | undefined)[], readings: readonly Reading[]): Presented | undefined {
  const longest = Math.max(0, ...readings.map(({ proof }) => lengthOf(proof)));
  const found = readings.find(({ proof }) => lengthOf(proof) === longest);
  return found === undefined ? undefined : { proof: found.proof, opened: files.map(() => undefined), longest };
}

function openOrNote(
  file: SealedFile,
  passphrase: string | undefined,
  hostKey: HostKey | undefined,
  broken: Map<SealedFile, Error>,
): Payload | undefined {
  try {
    return openWith(file, passphrase, hostKey);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    broken.set(file, error);
    return undefined;
  }
}

/** Overwrites the opened secrets. */
export function wipe({ opened }: Pick<Presented, 'opened'>): void {
  for (const each of opened) each?.secret.fill(0);
}

/**
 * The payload that the passphrase or the host key opens; undefined for a wrong passphrase. Throws where the file or the key is at
 * fault.
 */
export function openWith(file: SealedFile, passphrase: string | undefined, hostKey: HostKey | undefined): Payload | undefined {
  // An empty passphrase protects nothing, so it opens no file.
  if (file.seal.kind === 'passphrase' && (passphrase ?? '') === '') return undefined;
  const key = sealKey(file, passphrase, hostKey);
  try {
    const opened = open(file, key);
    // The host key is the right one, so a file that does not open was changed. That is not a guess, and throws.
    if (opened === undefined && file.seal.kind === 'host')
      throw new NotpError('bad_secret_file', 'the sealed file was changed: it does not open');
    return opened;
  } finally {
    key.fill(0);
  }
}

function sealKey(file: SealedFile, passphrase: string | undefined, hostKey: HostKey | undefined): Uint8Array {
  const { seal } = file;
  if (seal.kind === 'passphrase') return passphraseKey(passphrase ?? '', seal);
  if (hostKey === undefined) throw new NotpError('store_unavailable', 'the secret is sealed by the host, and its key cannot be read here');
  const found = keysOf(hostKey).find(({ id }) => id === seal.key);
  if (found === undefined) throw new NotpError('bad_secret_file', `sealed by host key ${seal.key}, but this host has ${hostKey.id}`);
  return hostSealKey(found.key, file.id);
}

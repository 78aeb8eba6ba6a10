/** Re-seals a secret: under another key, or with new recovery codes. The phones still work. */
import { randomBytes } from 'node:crypto';
import { newRecoveryCodes } from '../otp/recovery.ts';
import { registrationOf, type Registration, type SealedFile } from '../seal/file.ts';
import { idForReseal } from '../seal/id.ts';
import type { Payload } from '../seal/seal.ts';
import type { Resealed } from './registrar.ts';
import { newHeader, newId, sealByEither, sealByKey, type PassphraseKey } from './sealing.ts';
import type { HostKey } from '../state/host-keys.ts';
import type { Change } from '../wire/enrolment.ts';

export interface ResealedFile {
  readonly file: SealedFile;
  /** The new recovery codes, to be shown once. */
  readonly codes: readonly string[];
  /** How it is registered in the place of the file that it was made of. */
  readonly registered: Registration & Resealed;
}

interface Resealing {
  readonly keepsId: boolean;
  readonly shared?: PassphraseKey | undefined;
  readonly hostKey: HostKey | undefined;
  readonly nowMs: number;
}

/**
 * Seals `payload` for the user and context of `old`. New recovery codes count as made at `nowMs`, Unix time in milliseconds. The id
 * is new unless `keepsId`. `shared` seals in place of a key of its own that the passphrase would give. Throws `failed` where the host key
 * is needed and there is none.
 */
export function resealedFile(
  old: SealedFile,
  payload: Payload,
  change: Change,
  { keepsId, shared, hostKey, nowMs }: Resealing,
): ResealedFile {
  const { user, context } = old;
  const id = keepsId ? old.id : idForReseal(old.id, newId(), { hasNewCodes: change.recovery !== undefined });
  const { created } = change.recovery === undefined ? old : newHeader(user, context, nowMs);
  const header = { id, user, context, created };
  const { codes, kept } =
    change.recovery === undefined ? { codes: [], kept: payload.recovery } : newRecoveryCodes(change.recovery, randomBytes);
  const content = { ...payload, recovery: kept };
  const state = change.recovery === undefined ? {} : { spent: '0'.repeat(codes.length) };
  const file = shared === undefined ? sealByEither(header, content, change.passphrase, hostKey) : sealByKey(header, content, shared);
  return { file, codes, registered: { ...registrationOf(file), state, expected: { ...registrationOf(old), status: 'active' } } };
}

/** Checks what is already enrolled where a login of another module is to be imported. */
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { messageOf } from '../../error.ts';
import { haveSameSecret, kindOf, type Credential } from '../../otp/uri.ts';
import type { SealedFile } from '../../seal/file.ts';
import type { Enrolment } from '../../store/store.ts';
import { asUser } from '../../system/privileges.ts';
import { findSealed, secretsFolder, type Found } from '../../system/secrets.ts';
import { WORDING } from '../../verdict/reasons.ts';
import { openWith } from '../../login/opening.ts';
import { fileAmong } from '../../login/sealed-files.ts';
import { isOwnSecret } from '../../enrolment/own-secrets.ts';
import { standingOf } from '../../login/account.ts';
import type { State } from '../../state/state.ts';
import type { Target } from './login-plan.ts';

/** The enrolment and sealed file that are there. `same`: an active enrolment with the same secret. */
export type Present =
  | { readonly kind: 'none' }
  | { readonly kind: 'same'; readonly id: string; readonly enrolment: Enrolment }
  /** `otherThan`: the id of the registered file, if it could be opened and holds another secret. */
  | { readonly kind: 'other'; readonly why: string; readonly otherThan?: string }
  /** There is no place for a sealed file. */
  | { readonly kind: 'homeless'; readonly why: string };

/** What is there in place of `credential`. `enrolment`: the row of the store. */
export async function presentLogin(
  target: Target,
  enrolment: Enrolment | undefined,
  state: State | undefined,
  credential: Credential,
): Promise<Present> {
  const { origin, file } = target;
  const { found, homeless } = target.config.secretsInStore ? await inStore(target, state) : await inHome(target);
  if (homeless !== undefined) return { kind: 'homeless', why: `has no home: there is no ${homeless}` };
  const unregistered = { kind: 'other', why: `already has ${file}, which is not registered for a login` } as const;
  if (enrolment === undefined) return found.kind === 'absent' ? { kind: 'none' } : unregistered;
  const standing = standingOf(enrolment, found);
  if ('file' in standing) {
    const differs = differenceFrom(standing.file, credential, state);
    return differs ?? { kind: 'same', id: standing.file.id, enrolment: standing.enrolment };
  }
  const isInvited = enrolment.status === 'invited';
  if ((enrolment.id === '' || isInvited) && enrolment.status !== 'revoked' && enrolment.doubt === undefined)
    return isOwnSecret(found, enrolment) ? unregistered : { kind: 'none' };
  return { kind: 'other', why: `is enrolled for ${origin.context}, but ${standing.detail ?? WORDING[standing.reason].message}` };
}

/** Whether the registered file of another device holds the secret, or why that is unknown here. */
export type Held = 'same' | 'other' | { readonly why: string };

/**
 * Whether the sealed file of `target` holds `credential`, if the host key or `passphrase` opens it. `enrolment`: the row
 * of the store.
 */
export async function heldBy(
  target: Target,
  state: State | undefined,
  enrolment: Enrolment | undefined,
  { credential, passphrase }: { readonly credential: Credential; readonly passphrase: string | undefined },
): Promise<Held> {
  const { found } = target.config.secretsInStore ? await inStore(target, state) : await inHome(target);
  if (found.kind !== 'sealed') return { why: found.kind === 'bad' ? found.why : 'its sealed file is missing' };
  try {
    const opened = openWith(found.file, passphrase, state?.hostKey);
    if (opened === undefined) return { why: 'it is sealed by a passphrase' };
    // Whatever codes it makes of it: one with 6 digits and one with 8 are good together.
    const has = haveSameSecret(opened, credential);
    opened.secret.fill(0);
    if (has) return 'same';
    // The owner of the home can put another file there.
    return 'file' in standingOf(enrolment, found) ? 'other' : { why: 'its sealed file is not the registered one' };
  } catch (error) {
    return { why: messageOf(error) };
  }
}

/** The sealed file, or the folder that is missing for one. */
interface PlaceFound {
  readonly found: Found;
  readonly homeless?: string | undefined;
}

async function inHome({ config, user, origin }: Target): Promise<PlaceFound> {
  const above = path.dirname(secretsFolder(config, user));
  // One change of identity for both, since for many users that takes most of the time.
  return await asUser(user, () => ({
    found: findSealed(config, user, origin.context),
    homeless: existsSync(above) ? undefined : above,
  }));
}

async function inStore({ place, origin: { user, context } }: Target, state: State | undefined): Promise<PlaceFound> {
  const kept = await asUser(place.owner, async () => (await state?.store.sealedFiles(user)) ?? []);
  return {
    found: fileAmong(
      kept.find((each) => each.context === context),
      user,
      context,
    ),
  };
}

/** How the registered file differs from `credential`, or why that is unknown; undefined if it holds the same. */
function differenceFrom(file: SealedFile, credential: Credential, state: State | undefined): Present | undefined {
  const enrolled = `is enrolled for ${file.context} already`;
  if (file.seal.kind === 'passphrase') return { kind: 'other', why: `${enrolled}, sealed by a passphrase` };
  try {
    const opened = openWith(file, undefined, state?.hostKey);
    const has = opened !== undefined && haveSameSecret(opened, credential);
    opened?.secret.fill(0);
    if (!has) return { kind: 'other', why: `${enrolled}, with another secret`, otherThan: file.id };
    return kindOf(opened) === kindOf(credential) ? undefined : { kind: 'other', why: `${enrolled}, with the same secret for other codes` };
  } catch (error) {
    return { kind: 'other', why: `${enrolled}, and ${messageOf(error)}` };
  }
}
